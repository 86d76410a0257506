"""The local chain as a place with other people: order flow, competitors, a relay and a builder."""

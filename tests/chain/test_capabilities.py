"""What works where, and the refusal at start of what does not."""

from __future__ import annotations

import pytest

from chain.capabilities import Capability, capabilities, require
from chain.networks import load_network, network_names
from core.errors import ConfigError


@pytest.mark.parametrize("name", network_names())
def test_every_capability_has_an_answer(name: str) -> None:
    assert capabilities(load_network(name)).keys() == set(Capability)


def test_bundles_go_where_relays_are() -> None:
    there = {name for name in network_names() if not capabilities(load_network(name))[Capability.BUNDLES]}
    assert there == {"ethereum", "bsc"}


def test_everything_that_is_missing_is_named_at_once() -> None:
    require(load_network("ethereum"), [Capability.BUNDLES, Capability.PUBLIC_MEMPOOL])
    with pytest.raises(ConfigError, match="Arbitrum One cannot") as caught:
        require(
            load_network("arbitrum"),
            [Capability.BUNDLES, Capability.PUBLIC_MEMPOOL, Capability.SEQUENCER_FEED],
        )
    assert [problem.split(":")[0] for problem in caught.value.fields["problems"]] == [
        "bundles",
        "public_mempool",
    ]

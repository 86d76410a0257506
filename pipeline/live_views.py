"""Live records in plain types, as the API shows them; amounts are decimal strings."""

from __future__ import annotations

from typing import Any

from scoring.opportunity import Opportunity


def shown_opportunity(opportunity: Opportunity) -> dict[str, Any]:
    """Return an opportunity with every amount as a decimal string."""
    return {
        "cycle_id": opportunity.cycle_id,
        "token": opportunity.token,
        "hops": [
            {
                "pool_id": hop.pool_id,
                "token_in": hop.token_in,
                "token_out": hop.token_out,
                "amount_in": str(hop.amount_in),
                "amount_out": str(hop.amount_out),
            }
            for hop in opportunity.hops
        ],
        "amount_in": str(opportunity.amount_in),
        "amount_out": str(opportunity.amount_out),
        "gross_profit": str(opportunity.gross_profit),
        "upper_bound": str(opportunity.certificate.upper_bound),
        "state_block": opportunity.state_block,
        "found_at_ns": opportunity.found_at_ns,
    }

"""A pool of any family, written as JSON, is read back as the same pool."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from core.errors import MarketError
from market.pools.snapshot import pool_from_json, pool_to_json
from market.pools.v3_ticks import TickMap
from tests.conformance.families import STAGES


@pytest.mark.parametrize("family", sorted(STAGES))
def test_what_is_written_is_read_back(family: str) -> None:
    stage = STAGES[family]()
    for pool_id in stage.pool_ids():
        pool = stage.load(pool_id)
        written = json.loads(json.dumps(pool_to_json(pool)))
        read = pool_from_json(written)
        assert read == pool
        assert type(read) is type(pool)
        ticks = getattr(pool, "tick_map", None)
        if isinstance(ticks, TickMap):
            assert dict(getattr(read, "tick_map").gross) == dict(ticks.gross)  # noqa: B009
    for spoilt in _spoilt(written):
        with pytest.raises(MarketError, match=r"snapshot|family"):
            pool_from_json(spoilt)


def _spoilt(written: dict[str, dict[str, object]]) -> list[dict[str, dict[str, object]]]:
    name = min(written["state"])
    missing, strange, wrong, unknown = (deepcopy(written) for _ in range(4))
    del missing["state"][name]
    strange["state"]["stranger"] = "1"
    wrong["state"][name] = "not a number"
    unknown["spec"]["family"] = "nobody's"
    return [missing, strange, wrong, unknown]

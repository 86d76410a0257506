"""One line between two processes."""

import pytest

from core.errors import DevnetError
from market.pools.spec import PoolSpec
from market.tokens import Token
from pipeline.devnet.description import DevnetDescription

DESCRIPTION = DevnetDescription(
    http_url="http://127.0.0.1:1",
    ws_url="ws://127.0.0.1:1",
    relay_url="http://127.0.0.1:2",
    chain_id=1,
    block_time=12,
    start_block=9,
    fee_recipient="0xf",
    executor="0xe",
    wrapped_native="0xa",
    vault="0xba",
    competitors=("0x1", "0x2"),
    tokens=(Token("0xa", "WETH", 18),),
    specs=(PoolSpec("weighted", "0x1", "0xba", ("0xa", "0xb"), 2500, weights=(2, 8), venue="balancer_v2"),),
)


def test_it_survives_the_way_as_one_line() -> None:
    line = DESCRIPTION.to_json()
    assert "\n" not in line
    assert DevnetDescription.from_json(line) == DESCRIPTION


@pytest.mark.parametrize("line", ["", "null", "[]", "{}", '{"tokens": 1}', DESCRIPTION.to_json()[:-1]])
def test_anything_else_is_a_devnet_error(line: str) -> None:
    with pytest.raises(DevnetError, match="no description"):
        DevnetDescription.from_json(line)

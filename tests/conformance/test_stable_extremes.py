"""What the kit leaves out: dust, trades far beyond a pool, our pairs beside published ones."""

from __future__ import annotations

import numpy as np

from chain.devnet.calldata import encode_call
from core.reasons import Reason
from market.pools.curve_stable import CurveStablePool
from market.pools.pool import Swap
from market.pools.uniswap_v2 import UniswapV2Pool
from tests.conformance.stage import Stage, log_uniform, swap_or_reason
from tests.conformance.stages.curve_stable import CurveStableStage
from tests.conformance.stages.pairs import OWNER, RECIPIENT
from tests.conformance.stages.solidly import SolidlyDustStage
from tests.conformance.stages.uniswap_v2 import UniswapV2Stage
from tests.conformance.stages.uniswap_v2_forks import CamelotV2Stage


def trade_equally(stage: Stage, pool_id: str, pair: tuple[str, str], amount_in: int) -> Swap | Reason:
    """Trade on both sides; both pay the same and end in the same state, or neither trades."""
    pool = stage.load(pool_id)
    ours = swap_or_reason(pool, *pair, amount_in)
    theirs = stage.swap(pool_id, *pair, amount_in)
    assert theirs == (ours.amount_out if isinstance(ours, Swap) else None), (pool, pair, amount_in)
    if isinstance(ours, Swap):
        assert stage.load(pool_id) == ours.pool
    return ours


def test_dust_on_the_stable_curve_trades_as_the_contract_does_even_where_that_pays() -> None:
    """The curve is a few units there; what rounding gives away, our pool says too."""
    rng = np.random.default_rng(4)
    stage = SolidlyDustStage()
    ids = stage.pool_ids()
    answers = []
    for step in range(600):
        pool_id = ids[step % len(ids)]
        if rng.random() < 0.1:
            stage.disturb(pool_id, rng)
        pool = stage.load(pool_id)
        pair = pool.tokens if rng.random() < 0.5 else pool.tokens[::-1]
        amount = log_uniform(rng, 1, max(3 * stage.typical_size(pool, pair[0]), 2))
        answers.append(trade_equally(stage, pool_id, (pair[0], pair[1]), amount))
    assert sum(isinstance(answer, Swap) for answer in answers) > 200
    assert Reason.CURVE_UNSOLVED in answers


def test_trades_far_beyond_a_pool_end_as_the_contract_ends_them() -> None:
    """Into and out of imbalance by many digits: a number to the unit, or a refusal, on both sides."""
    rng = np.random.default_rng(5)
    stage = CurveStableStage()
    answers = []
    for pool_id in stage.pool_ids():
        for _ in range(12):
            pool = stage.load(pool_id)
            assert isinstance(pool, CurveStablePool)
            first, second = (int(place) for place in rng.choice(len(pool.tokens), 2, replace=False))
            held = max(pool.balances[first], 1)
            amount = log_uniform(rng, held, held * 1e5)
            pair = (pool.tokens[first], pool.tokens[second])
            answers.append(trade_equally(stage, pool_id, pair, amount))
    assert sum(isinstance(answer, Swap) for answer in answers) > 50
    assert {Reason.AMOUNT_TOO_LARGE, Reason.CURVE_UNSOLVED, Reason.ZERO_LIQUIDITY} <= set(answers)


def test_a_pair_of_ours_with_uniswaps_fee_is_uniswaps_pair() -> None:
    """Ties the contract that stands in for forks to published bytecode: same amounts, same refusals."""
    rng = np.random.default_rng(6)
    stage = UniswapV2Stage()
    for pool_id in stage.pool_ids():
        pool = stage.load(pool_id)
        assert isinstance(pool, UniswapV2Pool)
        terms = (*pool.tokens, 1_000, 3, 3, False)
        twin = stage.deploy("FeePair", "address,address,uint256,uint16,uint16,bool", *terms)
        for token, reserve in zip(pool.tokens, (pool.reserve0, pool.reserve1), strict=True):
            assert stage.send(token, "transfer(address,uint256)", twin, reserve)
        assert stage.send(twin, "sync()")
        for _ in range(40):
            token_in, reserve = pool.tokens[0], max(pool.reserve0, 2)
            amount_in = log_uniform(rng, 1, reserve)
            best = swap_or_reason(pool, *pool.tokens, amount_in)
            named = best.amount_out if isinstance(best, Swap) else 1
            for amount_out in (named, named + 1):
                taken = [
                    accepts(stage, pair, token_in, amount_in, amount_out) for pair in (pool.address, twin)
                ]
                assert taken == [isinstance(best, Swap) and amount_out == named] * 2


def test_a_pair_that_rounds_its_fee_down_takes_what_we_say_it_accepts() -> None:
    rng = np.random.default_rng(7)
    stage = CamelotV2Stage()
    more = 0
    for step in range(400):
        pool = stage.load(stage.pool_ids()[step % 5])
        assert isinstance(pool, UniswapV2Pool)
        pair = pool.tokens if rng.random() < 0.5 else pool.tokens[::-1]
        amount_in = log_uniform(rng, 1, 4 * stage.typical_size(pool, pair[0]))
        best = swap_or_reason(pool, pair[0], pair[1], amount_in)
        if isinstance(best, Swap):
            for amount_out in (best.amount_out, best.amount_out + 1):
                taken = accepts(stage, pool.address, pair[0], amount_in, amount_out)
                assert taken == pool.accepts(pair[0], pair[1], amount_in, amount_out)
                more += taken and amount_out > best.amount_out
    assert more > 20


def accepts(stage: UniswapV2Stage | CamelotV2Stage, pair: str, token_in: str, paid: int, wanted: int) -> bool:
    """Return whether a pair pays so much for an amount; nothing is changed."""
    call = encode_call(
        "sell(address,address,uint256,uint256,address)", pair, token_in, paid, wanted, RECIPIENT
    )
    mark = stage.backend.evm.snapshot()
    try:
        return stage.backend.send(OWNER, stage.trader, call).ok
    finally:
        stage.backend.evm.revert(mark)

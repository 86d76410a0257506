"""What is known about tokens comes back, holds as long as it should, and survives damage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from chain.devnet.backend import PyrevmBackend
from chain.devnet.world import World
from core.database import open_database
from core.errors import ExecutionError
from core.reasons import Reason, Refusal
from core.seams import ManualClock
from execution.token_cache import BehaviourCache, CachedProber, ShelfLife
from execution.token_probe import TokenProber
from execution.token_runs import Outcome, PyrevmRunner, Trial
from market.token_behaviour import TokenBehaviour
from tests.token_bench import Bench, clean, fee_token

TOKEN, HOLDER = "0x" + "70" * 20, "0x" + "40" * 20
GOOD = TokenBehaviour(1, TOKEN, "0x" + "a1" * 20, HOLDER, 1_000, None, "", 0, 0, 0, 250_000, 10)
BAD = replace(GOOD, reason=Reason.HONEYPOT, detail="selling failed: no", sell_tax_ppm=None)
LIFE = ShelfLife(good=100, bad=700)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/tokens.db")
    yield engine
    engine.dispose()


@pytest.fixture
def cache(engine: Engine) -> BehaviourCache:
    return BehaviourCache(engine, ManualClock(now=5), LIFE)


class CountingRunner:
    """Runs trials in the process and counts them."""

    def __init__(self, runner: PyrevmRunner) -> None:
        self.runner = runner
        self.runs = 0

    async def run(self, trial: Trial, block: int) -> Outcome | Refusal:
        self.runs += 1
        return await self.runner.run(trial, block)


@pytest.mark.parametrize(("known", "life"), [(GOOD, 100), (BAD, 700)])
def test_a_verdict_comes_back_until_its_shelf_life_is_over(
    cache: BehaviourCache, engine: Engine, known: TokenBehaviour, life: int
) -> None:
    cache.keep(known)
    again = BehaviourCache(engine, ManualClock(), LIFE)
    for head, held in ((999, None), (1_000, known), (999 + life, known), (1_000 + life, None)):
        assert again.find(1, TOKEN, HOLDER, head) == held, head


def test_a_verdict_is_about_one_token_on_one_chain_for_one_holder(cache: BehaviourCache) -> None:
    cache.keep(GOOD)
    assert cache.find(10, TOKEN, HOLDER, 1_000) is None
    assert cache.find(1, HOLDER, HOLDER, 1_000) is None
    assert cache.find(1, TOKEN, TOKEN, 1_000) is None


def test_the_last_verdict_replaces_the_one_before(cache: BehaviourCache) -> None:
    cache.keep(GOOD)
    later = replace(BAD, block=1_010)
    cache.keep(later)
    assert cache.find(1, TOKEN, HOLDER, 1_020) == later


@pytest.mark.parametrize(
    "damage",
    [
        "reason = 'no such reason'",
        "block = 'yesterday'",
        "block = -1",
        "gas = 1.5",
        "sell_tax_ppm = 1000001",
        "buy_tax_ppm = x'00ff'",
    ],
)
def test_a_damaged_row_is_reported_and_the_next_verdict_replaces_it(
    cache: BehaviourCache, engine: Engine, damage: str
) -> None:
    cache.keep(GOOD)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE token_behaviours SET {damage}"))
    with capture_logs() as logs:
        assert cache.find(1, TOKEN, HOLDER, 1_000) is None
    assert [(log["log_level"], log["token"]) for log in logs] == [("warning", TOKEN)]
    cache.keep(GOOD)
    assert cache.find(1, TOKEN, HOLDER, 1_000) == GOOD


def test_a_database_that_is_none_is_an_error(tmp_path: Path, cache: BehaviourCache, engine: Engine) -> None:
    (tmp_path / "no.db").write_bytes(b"this is no database, but it is long enough to look like a file" * 20)
    broken = open_database(f"sqlite:///{tmp_path}/no.db")
    with pytest.raises(ExecutionError, match="cannot be opened"):
        BehaviourCache(broken, ManualClock())
    broken.dispose()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE token_behaviours"))
    with pytest.raises(ExecutionError, match="cannot be read"):
        cache.find(1, TOKEN, HOLDER, 1_000)
    with pytest.raises(ExecutionError, match="cannot be written"):
        cache.keep(GOOD)


async def test_a_known_token_is_not_probed_again_until_its_verdict_is_old(
    pyrevm_world: tuple[PyrevmBackend, World], cache: BehaviourCache
) -> None:
    bench = Bench(*pyrevm_world)
    assert isinstance(bench.backend, PyrevmBackend)
    runner = CountingRunner(PyrevmRunner(bench.backend.evm))
    prober = CachedProber(TokenProber(runner), cache)
    order = clean(bench)
    first = await prober.behaviour(order, bench.block)
    assert await prober.behaviour(order, bench.block) == first
    assert runner.runs == 1
    bench.backend.number += LIFE.good - 1
    bench.tell(order.token, "mint(address,uint256)", bench.owner, 1)
    again = await prober.behaviour(order, bench.block)
    assert runner.runs == 2
    assert isinstance(first, TokenBehaviour)
    assert isinstance(again, TokenBehaviour)
    assert again == replace(first, block=bench.block, gas=again.gas)


async def test_what_could_not_be_probed_is_not_remembered(
    pyrevm_world: tuple[PyrevmBackend, World], cache: BehaviourCache
) -> None:
    bench = Bench(*pyrevm_world)
    assert isinstance(bench.backend, PyrevmBackend)
    prober = CachedProber(TokenProber(PyrevmRunner(bench.backend.evm)), cache)
    order = fee_token(bench, 1, 2, 3)
    impossible = await prober.behaviour(replace(order, amount_wei=0), bench.block)
    found = await prober.behaviour(order, bench.block)
    assert isinstance(impossible, Refusal)
    assert isinstance(found, TokenBehaviour)
    assert found.reason is Reason.FEE_ON_TRANSFER

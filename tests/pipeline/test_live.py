"""The live loop on a local chain: it earns what it says, keeps its secrets, and stops when told."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import pipeline.live_session
import pipeline.outlook
from chain.blocks import Address
from chain.providers import Provider
from core.database import open_database
from core.errors import ExecutionError, OmniArbError, SecretError
from core.reasons import Reason, Refusal
from core.seams import SystemClock
from execution.command import Bundle
from execution.journal import Journal
from execution.relays.client import BundleSender, Sent
from execution.relays.server import Method, RpcServer
from market.state import MarketState
from models.forecaster import Forecast, Window
from pipeline.live import LiveLoop
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE, LiveConfig
from pipeline.outlook import Outlook
from pipeline.own_bids import judge_own_bids
from pipeline.summary import execute_part, latency_part
from tests.live_stage import (
    AGENT,
    PASSWORD,
    Followed,
    devnet_of,
    first_failure,
    follow,
    key_of,
    live_config,
    meanwhile,
)

SEED = 7
BLOCKS = 25
SETTLED = {
    Reason.LANDED,
    Reason.OUTBID,
    Reason.REVERTED,
    Reason.STATE_MOVED,
    Reason.LATE,
    Reason.NEVER_SIMULATED,
}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYSTORE_PASSWORD_VARIABLE, PASSWORD)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """One run that several tests look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEYSTORE_PASSWORD_VARIABLE, PASSWORD)
        return asyncio.run(follow(tmp_path_factory.mktemp("live"), seed=SEED, blocks=BLOCKS))


def journal_of(config: LiveConfig) -> Journal:
    return Journal(open_database(config.journal_url), SystemClock())


def test_it_earns_and_balances_say_the_same_to_the_wei(followed: Followed) -> None:
    result = followed.result
    verdicts = Counter(bid.settlement.verdict for bid in result.bids)
    assert verdicts[Reason.LANDED] > 0
    assert verdicts.keys() <= SETTLED
    earned = sum(bid.settlement.profit for bid in result.bids)
    assert earned == result.balance_after - result.balance_before > 0
    assert result.last_block - result.first_block + 1 == BLOCKS
    part = execute_part(result)
    assert part["profit_wei"] == part["balance_change_wei"] == earned
    assert result.feed["blocks"] == BLOCKS


def test_what_it_says_of_a_landed_bundle_is_what_the_builder_saw(followed: Followed) -> None:
    identity = key_of(SEED, "identity").address
    auctions = {auction.block_number: auction for auction in followed.auctions}
    entries = {
        number: [entry for entry in auction.entries if entry.signer == identity]
        for number, auction in auctions.items()
    }
    assert sum(map(len, entries.values())) == followed.result.bundles_sent == len(followed.result.bids)
    for bid in followed.result.bids:
        (entry,) = entries[bid.settlement.block_number]
        assert entry.included == (bid.settlement.verdict is Reason.LANDED)
        if entry.included:
            assert entry.payment == bid.settlement.bid > 0
            assert bid.settlement.profit == bid.gross - bid.settlement.bid - bid.settlement.gas_cost


def test_every_claimed_bundle_is_settled_in_the_journal(followed: Followed) -> None:
    journal = journal_of(followed.config)
    assert journal.unsettled() == ()
    settled = {settlement.bundle_id: settlement for settlement in journal.settlements()}
    assert settled == {bid.settlement.bundle_id: bid.settlement for bid in followed.result.bids}
    decisions = {decision.decision_id: decision for decision in journal.decisions()}
    for settlement in settled.values():
        decision = decisions[settlement.decision_id]
        assert decision.approved
        assert decision.target_block == settlement.block_number
    assert len(decisions) == len(settled) == journal.id_counts()["bundle"]


def test_each_bid_is_in_the_journal_with_the_chances_it_was_drawn_with(followed: Followed) -> None:
    journal = journal_of(followed.config)
    decisions = {decision.decision_id: decision for decision in journal.decisions()}
    draws = journal.bid_draws()
    assert [draw.decision_id for draw in draws] == list(decisions)
    for draw in draws:
        decision = decisions[draw.decision_id]
        assert decision.bid == -(-decision.opportunity.gross_profit * draw.share_ppm // 10**6)
        assert draw.win_probabilities[draw.action] == decision.win_probability
        assert sum(draw.propensities) == pytest.approx(1)
        assert draw.propensity > 0.9 or draw.propensity < 0.05
        assert draw.action < draw.sendable
    judged = judge_own_bids(journal)
    assert judged.auctions + sum(judged.set_aside.values()) == len(followed.result.bids)
    assert judged.not_drawn == 0


def test_latencies_are_counted_once_a_bundle(followed: Followed) -> None:
    result = followed.result
    assert len(result.latencies_us) == len(result.bids)
    assert {stage: len(values) for stage, values in result.stages_us.items()} == {
        "score": BLOCKS,
        "decide": len(result.bids),
        "simulate": len(result.bids),
        "sign": len(result.bids),
    }
    assert all(0 < value < 60e6 for value in result.latencies_us)
    part = latency_part(result)
    assert 0 < part["event_to_signed_p50"] <= part["event_to_signed_p99"]


async def test_the_same_seed_gives_the_same_trades(followed: Followed, tmp_path: Path) -> None:
    again = await follow(tmp_path, seed=SEED, blocks=BLOCKS)
    assert [bid.settlement for bid in again.result.bids] == [bid.settlement for bid in followed.result.bids]
    assert again.result.bids == followed.result.bids
    assert again.result.refusals == followed.result.refusals
    assert again.result.opportunities == followed.result.opportunities
    assert again.result.balance_after == followed.result.balance_after
    assert again.auctions[-1].block_hash == followed.auctions[-1].block_hash


async def test_a_market_that_takes_long_to_load_misses_no_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock-step chain goes on as soon as we have registered."""
    load = pipeline.live_session.load_market

    async def slow(*arguments: Any) -> MarketState:
        await asyncio.sleep(1.0)
        return await load(*arguments)

    monkeypatch.setattr(pipeline.live_session, "load_market", slow)
    async with devnet_of(SEED) as service:
        config = live_config(service.description, tmp_path, seed=SEED, blocks=3)
        result = await first_failure(LiveLoop(config).run(), service.run(3, wait_for=[AGENT]))
        assert result.first_block == service.description.start_block + 1
        assert result.last_block == service.description.start_block + 3


async def test_blocks_that_have_been_overtaken_are_followed_and_not_traded_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that fell behind catches up; a bundle for a block that has passed would be nonsense."""
    async with devnet_of(SEED, interval=0.05) as service:
        config = live_config(service.description, tmp_path, seed=SEED, blocks=25)
        look = Outlook.look

        async def slow(outlook: Outlook, *arguments: Any) -> None:
            await asyncio.sleep(0.2)
            await look(outlook, *arguments)

        async def source(window: Window) -> Forecast | Refusal:
            return forecast(window)

        monkeypatch.setattr(Outlook, "look", slow)
        loop = LiveLoop(config, Outlook(source, 1))
        result = await meanwhile(loop.run(), service.run(None, wait_for=[AGENT]))
    assert result.refusals[Reason.STATE_STALE] > 0
    assert result.last_block - result.first_block + 1 >= 25
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before


async def test_a_forecast_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.outlook, "PATIENCE_SECONDS", 0.05)

    async def source(_window: Window) -> Forecast | Refusal:
        await asyncio.sleep(3600)
        raise AssertionError

    followed = await follow(tmp_path, seed=SEED, blocks=3, outlook=Outlook(source, 1))
    assert followed.loop.status()["forecast"]["reason"] == Reason.BUSY


def secrets_of(seed: int) -> list[str]:
    keys = [key_of(seed, name).reveal() for name in ("searcher", "identity")]
    shown = [
        form for key in keys for form in (key.hex(), key.hex().upper(), str(int(key.hex(), 16)), repr(key))
    ]
    return [*shown, PASSWORD]


async def test_no_key_and_no_password_is_ever_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    def look(loop: LiveLoop) -> None:
        shown.append(json.dumps(loop.status()) + json.dumps(loop.opportunities()) + repr(vars(loop)))

    followed = await follow(tmp_path, seed=SEED, blocks=5, on_block=look)
    shown += [repr(followed.config), repr(followed.result), str(followed.config)]
    (tmp_path / "broken").mkdir()
    error = await failure_with_everything_open(tmp_path / "broken")
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown += ["".join(told.format()), repr(error), repr(error.fields)]
    shown += [record.getMessage() + repr(record.args) for record in caplog.records]
    shown += [caplog.text, *capfd.readouterr()]
    shown += contents(tmp_path)
    text = "\n".join(shown)
    assert key_of(SEED).address in text
    for secret in secrets_of(SEED):
        assert secret not in text


def contents(folder: Path) -> list[str]:
    return [file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file()]


async def failure_with_everything_open(folder: Path) -> OmniArbError:
    """Return an error that was raised while keys, node and journal were in use."""
    async with devnet_of(SEED) as service:
        config = live_config(service.description, folder, seed=SEED, blocks=10)
        loop = LiveLoop(config)

        async def lose_the_journal() -> None:
            await service.run(2, wait_for=[AGENT])
            for table in ("bundles", "decisions", "plans", "settlements"):
                with open_database(config.journal_url).begin() as connection:
                    connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO lost_{table}")
            await service.run(8)

        with pytest.raises(ExecutionError) as caught:
            await first_failure(loop.run(), lose_the_journal())
        return caught.value


async def test_a_journal_that_cannot_be_written_stops_the_bundle_before_it_leaves(tmp_path: Path) -> None:
    error = await failure_with_everything_open(tmp_path)
    assert "journal" in error.message


async def test_the_kill_switch_stops_all_sending_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "STOP").touch()
    followed = await follow(tmp_path, seed=SEED, blocks=8)
    result = followed.result
    assert (result.bundles_sent, result.bids, result.latencies_us) == (0, (), ())
    assert result.refusals[Reason.KILL_SWITCH] > 0
    assert result.opportunities > 0
    assert result.balance_after == result.balance_before
    identity = key_of(SEED, "identity").address
    assert all(entry.signer != identity for auction in followed.auctions for entry in auction.entries)
    assert journal_of(followed.config).id_counts() == {"decision": 0, "bundle": 0}


async def test_the_kill_switch_works_in_the_middle_of_a_run(tmp_path: Path) -> None:
    sent_before: list[int] = []

    def pull_after_the_first_bundle(loop: LiveLoop) -> None:
        if loop.status()["bundles_sent"] > 0 and not sent_before:
            sent_before.append(loop.status()["bundles_sent"])
            (tmp_path / "STOP").touch()

    result = (await follow(tmp_path, seed=SEED, blocks=18, on_block=pull_after_the_first_bundle)).result
    assert 0 < result.bundles_sent <= sent_before[0] + 1
    assert result.refusals[Reason.KILL_SWITCH] > 0
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before


@asynccontextmanager
async def relay_before(relay_url: str, send_bundle: Method) -> AsyncIterator[str]:
    """Put a relay of our own before the real one: it answers for bundles and hands the rest on."""
    async with Provider(relay_url) as real:

        def handed_on(method: str) -> Method:
            async def hand_on(params: Any, _: Address) -> Any:
                return await real.call(method, params)

            return Method(hand_on)

        names = ("devnet_register", "devnet_answer", "devnet_status")
        server = RpcServer({name: handed_on(name) for name in names} | {"eth_sendBundle": send_bundle})
        async with server.running():
            yield server.url


async def refuse(_params: Any, _signer: Address) -> Any:
    raise OmniArbError("we take no bundles today", reason=Reason.BUNDLE_MALFORMED)


async def refuse_as_passed(_params: Any, _signer: Address) -> Any:
    raise OmniArbError("that block is mined", reason=Reason.BLOCK_PASSED)


async def another_bundle(_params: Any, _signer: Address) -> Any:
    return {"bundleHash": "0x" + "00" * 32}


async def nothing(_params: Any, _signer: Address) -> Any:
    return None


async def too_late(_params: Any, _signer: Address) -> Any:
    await asyncio.sleep(1.0)
    return {"bundleHash": "0x" + "00" * 32}


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (refuse, Reason.NEVER_SIMULATED),
        (refuse_as_passed, Reason.LATE),
        (another_bundle, Reason.NEVER_SIMULATED),
        (nothing, Reason.NEVER_SIMULATED),
        (too_late, Reason.NEVER_SIMULATED),
    ],
)
async def test_a_relay_that_takes_nothing_costs_nothing(tmp_path: Path, answer: Any, verdict: Reason) -> None:
    blocks = 8
    async with (
        devnet_of(SEED) as service,
        relay_before(service.description.relay_url, Method(answer)) as url,
    ):
        config = live_config(
            service.description, tmp_path, seed=SEED, blocks=blocks, relay_urls=(url,), relay_timeout_s=0.2
        )
        loop = LiveLoop(config)
        result = await first_failure(loop.run(), service.run(blocks, wait_for=[AGENT]))
    assert result.bundles_sent == 0
    assert result.refusals[Reason.RELAYS_REFUSED] == len(result.bids) > 0
    assert {bid.settlement.verdict for bid in result.bids} == {verdict}
    assert result.balance_after == result.balance_before
    assert execute_part(result)["profit_wei"] == 0
    assert journal_of(config).unsettled() == ()


async def test_one_relay_that_is_away_does_not_hold_up_the_other(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with devnet_of(SEED) as service:
            relays = (service.description.relay_url, dead)
            config = live_config(service.description, tmp_path, seed=SEED, blocks=8, relay_urls=relays)
            result = await first_failure(LiveLoop(config).run(), service.run(8, wait_for=[AGENT]))
    assert result.refusals[Reason.RELAYS_REFUSED] == 0
    assert result.bundles_sent == len(result.bids) > 0
    assert any(bid.settlement.verdict is Reason.LANDED for bid in result.bids)


def forecast(window: Window) -> Forecast:
    fee = window[-1]["base_fee_gwei"]
    return Forecast(
        "base_fee_gwei", window[-1].block_number, 2, fee, fee - 1, fee + 1, 0.9, "3", "persistence", fee
    )


async def test_status_and_opportunities_are_json_at_every_block(tmp_path: Path) -> None:
    seen: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    answers: list[Forecast | Refusal] = []

    async def source(window: Window) -> Forecast | Refusal:
        """Refuse every third time, as a predictor that is busy does."""
        busy = Refusal(Reason.BUSY, "all replicas are busy")
        answers.append(busy if len(answers) % 3 == 2 else forecast(window))
        return answers[-1]

    def look(loop: LiveLoop) -> None:
        seen.append(json.loads(json.dumps([loop.status(), loop.opportunities()])))

    followed = await follow(tmp_path, seed=SEED, blocks=12, outlook=Outlook(source, 4), on_block=look)
    final = followed.loop.status()
    json.dumps(final)
    followed_so_far = [status["blocks_followed"] for status, _ in seen]
    assert followed_so_far == sorted(followed_so_far)
    assert final["blocks_followed"] == final["blocks_asked"] == 12
    assert final["head"] == followed.result.last_block
    assert int(final["profit_wei"]) == sum(bid.settlement.profit for bid in followed.result.bids)
    assert sum(final["verdicts"].values()) == len(followed.result.bids)
    assert final["bundles_sent"] == followed.result.bundles_sent
    forecasts = [status["forecast"] for status, _ in seen]
    assert forecasts[0] is None
    assert any(shown and shown.get("model_version") == "3" for shown in forecasts)
    assert any(shown and shown.get("reason") == "busy" for shown in forecasts)
    assert followed.result.forecasts is not None
    assert len(followed.result.forecasts.blocks) > 3
    shown = [opportunity for _, opportunities in seen for opportunity in opportunities]
    assert shown
    for opportunity in shown:
        assert int(opportunity["gross_profit"]) == int(opportunity["amount_out"]) - int(
            opportunity["amount_in"]
        )
        assert int(opportunity["upper_bound"]) >= int(opportunity["gross_profit"]) > 0
        assert opportunity["hops"][0]["token_in"] == opportunity["hops"][-1]["token_out"]


async def test_a_forecast_that_never_comes_in_time_delays_no_bundle_of_its_block(tmp_path: Path) -> None:
    """The outlook is asked after the bundle has left."""
    order: list[str] = []

    async def source(window: Window) -> Forecast | Refusal:
        order.append(f"forecast {window[-1].block_number}")
        return forecast(window)

    async with devnet_of(SEED) as service, Provider(service.description.relay_url) as real:

        async def send(params: Any, _signer: Address) -> Any:
            order.append(f"bundle {int(params[0]['blockNumber'], 16) - 1}")
            raise OmniArbError("not taken")

        async with relay_before(real.url, Method(send)) as url:
            config = live_config(service.description, tmp_path, seed=SEED, blocks=8, relay_urls=(url,))
            loop = LiveLoop(config, Outlook(source, 1))
            await first_failure(loop.run(), service.run(8, wait_for=[AGENT]))
    heads = [int(entry.split()[1]) for entry in order]
    assert heads == sorted(heads)
    sent = [entry.split()[1] for entry in order if entry.startswith("bundle")]
    assert sent
    for head in sent:
        assert order.index(f"bundle {head}") < order.index(f"forecast {head}")


async def test_stop_ends_the_run_with_its_books_in_order(tmp_path: Path) -> None:
    async with devnet_of(SEED) as service:
        config = live_config(service.description, tmp_path, seed=SEED, blocks=1_000)
        loop = LiveLoop(config)

        async def mine() -> None:
            await service.run(10, wait_for=[AGENT])
            loop.stop()
            await service.run(None)

        result = await meanwhile(loop.run(), mine())
    assert 9 <= result.last_block - result.first_block + 1 <= 13
    assert journal_of(config).unsettled() == ()
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before > 0


def when_a_bundle_has_left(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Act as soon as a bundle has left, before anything else is done about it; once."""
    send = BundleSender.send

    async def sent(sender: BundleSender, bundle: Bundle) -> tuple[Sent, ...]:
        answers = await send(sender, bundle)
        monkeypatch.setattr(BundleSender, "send", send)
        act()
        await asyncio.sleep(0)
        return answers

    monkeypatch.setattr(BundleSender, "send", sent)


async def test_a_run_that_is_stopped_with_a_bundle_in_the_air_waits_for_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with devnet_of(SEED) as service:
        config = live_config(service.description, tmp_path, seed=SEED, blocks=1_000)
        loop = LiveLoop(config)
        when_a_bundle_has_left(monkeypatch, loop.stop)
        result = await meanwhile(loop.run(), service.run(None, wait_for=[AGENT]))
    assert result.bundles_sent == len(result.bids) == 1
    assert journal_of(config).unsettled() == ()
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before


async def answers_for_the_dead(relay_url: str) -> None:
    """Answer in the place of a loop that died, so that the chain goes on at once."""
    async with Provider(relay_url) as relay:
        while True:
            head = (await relay.call("devnet_status", []))["head"]
            await relay.call("devnet_answer", [{"name": AGENT, "blockNumber": head}])
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("missed", [0, 3])
async def test_a_bundle_that_was_in_the_air_when_a_run_died_is_settled_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missed: int
) -> None:
    async with devnet_of(SEED) as service:
        config = live_config(service.description, tmp_path, seed=SEED, blocks=12)
        mining = asyncio.create_task(service.run(None, wait_for=[AGENT]))
        dying = asyncio.create_task(LiveLoop(config).run())
        when_a_bundle_has_left(monkeypatch, lambda: (mining.cancel(), dying.cancel()))
        await asyncio.wait([dying, mining], timeout=30)
        assert dying.cancelled()
        (left,) = journal_of(config).unsettled()
        if missed:
            await meanwhile(service.run(missed), answers_for_the_dead(service.description.relay_url))
        result = await meanwhile(LiveLoop(config).run(), service.run(None))
    journal = journal_of(config)
    assert journal.unsettled() == ()
    settled = {settlement.bundle_id: settlement for settlement in journal.settlements()}
    assert settled[left.bundle_id].block_number == left.target_block
    counted = {bid.settlement.bundle_id for bid in result.bids}
    # what came before this run began is in its first balance already
    assert (left.bundle_id in counted) == (missed == 0)
    assert counted | {left.bundle_id} == settled.keys()
    assert len(counted) > 1
    assert execute_part(result)["profit_wei"] == result.balance_after - result.balance_before


async def test_a_wrong_password_and_one_key_for_both_purposes_are_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with devnet_of(SEED) as service:
        config = live_config(service.description, tmp_path, seed=SEED, blocks=1)
        same = live_config(
            service.description, tmp_path, seed=SEED, blocks=1, flashbots_keystore=config.wallet_keystore
        )
        with pytest.raises(SecretError):
            await LiveLoop(same).run()
        monkeypatch.setenv(KEYSTORE_PASSWORD_VARIABLE, "wrong" + PASSWORD)
        with pytest.raises(SecretError) as caught:
            await LiveLoop(config).run()
        assert PASSWORD not in repr(caught.value)
        monkeypatch.delenv(KEYSTORE_PASSWORD_VARIABLE)
        with pytest.raises(SecretError, match=KEYSTORE_PASSWORD_VARIABLE):
            await LiveLoop(config).run()
    assert not (tmp_path / "journal.db").exists()

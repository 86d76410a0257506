"""``omniarb score``: any snapshot file to the best cycles, and a reason where there is none."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import scoring.devices.choice
from chain.networks import load_network
from core.reasons import Reason, Refusal
from market.pools.pool import Pool
from market.pools.snapshot import pool_to_json
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from market.snapshots.own_format import write_snapshot
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token
from scoring.market_scan import scannable
from scoring.ranking import PricedMarket
from tests.cli.stage import omniarb, plain, refused
from tests.market.snapshots.auctions import auction, written
from tests.random_pools import DOLLARS, FAMILIES, TOKENS, random_pool
from tests.random_pools import USDC as RANDOM_USDC
from tests.random_pools import WETH as RANDOM_WETH
from tests.scoring.loops_one_by_one import best_loops

ETHEREUM = load_network("ethereum")
WETH = ETHEREUM.weth
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
ODD = "0x" + "0d" * 20
ISLAND = "0x" + "1e" * 20
ETHER, DOLLAR = 10**18, 10**6


def pair(number: int, tokens: tuple[str, str], reserves: tuple[int, int]) -> UniswapV2Pool:
    name = f"0x{number:040x}"
    return UniswapV2Pool(PoolSpec("uniswap_v2", name, name, tokens, 3000), *reserves)


def apart(*dollars: int) -> tuple[Pool, ...]:
    """Return pools of a thousand ether each, and so many dollars."""
    return tuple(
        pair(number, (USDC, WETH), (each * 1000 * DOLLAR, 1000 * ETHER))
        for number, each in enumerate(dollars, 1)
    )


def snapshot(pools: tuple[Pool, ...], **fields: Any) -> MarketSnapshot:
    tokens = {
        WETH: Token(WETH, "WETH", 18),
        USDC: Token(USDC, "USDC", 6),
        ODD: Token(ODD, "\x1b[31m[red]", 18),
    }
    return replace(MarketSnapshot("a small file", tokens, pools, {}, {WETH: 1.0}, {}), **fields)


def file_of(market: MarketSnapshot) -> Path:
    file = Path("market.json")
    write_snapshot(market, file)
    return file


def document(*arguments: str | Path) -> dict[str, Any]:
    result = omniarb("score", *arguments, "--json")
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def only(*arguments: str | Path) -> dict[str, Any]:
    (market,) = document(*arguments)["markets"]
    found: dict[str, Any] = market
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_best_of_every_family_are_those_of_scoring_every_cycle(seed: int) -> None:
    rng = random.Random(seed)
    families = [list(FAMILIES)[(seed * 12 + place) % len(FAMILIES)] for place in range(12)]
    pools = tuple(
        random_pool(family, rng, name=f"0x{place + 1:040x}", noise=0.02)
        for place, family in enumerate(families)
    )
    prices = {
        token: DOLLARS[token] / DOLLARS[RANDOM_WETH] * 10 ** (18 - TOKENS[token].decimals) for token in TOKENS
    }
    costs = {pool.pool_id: 10**14 for pool in pools[:8]}
    market = snapshot(pools, tokens=TOKENS, reference_prices=prices, swap_costs=costs)
    file, hubs = file_of(market), [RANDOM_WETH, RANDOM_USDC]
    given = scannable(market, WETH, [], hubs)
    priced = PricedMarket(
        {pool.pool_id: pool for pool in given.pools}, {hub: prices[hub] for hub in hubs}, costs
    )
    expected = best_loops(priced, max_gap=1.1)
    assert len(expected) > 3
    found = only("--pools", file, "--hub", hubs[0], "--hub", hubs[1], "--top", "7")
    assert [int(trade["net_wei"]) for trade in found["top"]] == [net for net, _ in expected[:7]]
    for trade, (_, best) in zip(found["top"], expected, strict=False):
        assert [(hop["pool"], int(hop["amount_in"]), int(hop["amount_out"])) for hop in trade["hops"]] == [
            (hop.pool_id, hop.amount_in, hop.amount_out) for hop in best.hops
        ]
        assert int(trade["certificate"]["upper_bound"]) == best.certificate.upper_bound


def test_a_device_that_is_named_gives_the_same_and_one_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = file_of(snapshot(apart(2000, 2040, 2030, 2010)))
    searched, scored = only("--pools", file), only("--pools", file, "--device", "cpu")
    assert scored["top"] == searched["top"]
    assert len(scored["top"]) > 2
    assert scored["cycles"]["device_why"] == "the processor was asked for"
    absent = Refusal(Reason.NO_GPU, "CUDA finds no graphics card")
    monkeypatch.setattr(scoring.devices.choice, "gpu_refusal", lambda: absent)
    assert "no graphics card" in refused("score", "--pools", file, "--device", "gpu")
    assert "abacus" in refused("score", "--pools", file, "--device", "abacus")


def test_a_person_sees_what_was_filtered_and_every_number_of_a_trade() -> None:
    file = file_of(
        snapshot(
            (*apart(2000, 2040), pair(9, (USDC, WETH), (20 * DOLLAR, ETHER // 100))),
            refused={"0xbad": Refusal(Reason.MALFORMED_ENTRY, "half an entry")},
        )
    )
    result = omniarb("score", "--pools", file, "--top", "1")
    assert result.exit_code == 0
    text = plain(result.output)
    for shown in ("malformed_entry -1 unread", "dust_pool -1 implausible", "pools scored 2 hubs: WETH, USDC"):
        assert shown in text
    assert "the file tells no costs: net is before gas" in text
    assert "WETH → USDC 0x00000000 uniswap_v2" in text
    assert "1 of all cycles, by exact net value" in text.replace("the best ", "")
    (trade,) = only("--pools", file, "--top", "1")["top"]
    assert f"{int(trade['net_wei']) / ETHER:.6f}" in text


def test_more_than_there_are_gives_all_and_says_so() -> None:
    file = file_of(snapshot(apart(2000, 2040)))
    found = only("--pools", file, "--top", "50")
    assert (len(found["top"]), found["all_given"]) == (1, True)
    assert (
        "1 of the 50 asked for: no other cycle nets anything"
        in omniarb("score", "--pools", file, "--top", "50").output
    )
    dear = {pool.pool_id: ETHER for pool in apart(2000, 2040)}
    costly = file_of(snapshot(apart(2000, 2040), swap_costs=dear))
    assert only("--pools", costly)["top"] == []
    assert "no cycle nets anything" in omniarb("score", "--pools", costly).output
    (before_gas,) = only("--pools", costly, "--before-gas")["top"]
    assert before_gas["cost_wei"] == "0"


def test_gaps_that_do_not_stand_are_withheld_counted_and_shown_on_demand() -> None:
    file = file_of(snapshot(apart(2000, 2040, 3000)))
    found = only("--pools", file)
    assert found["cycles"]["refused"] == {"gap_implausible": 2}
    (trade,) = found["top"]
    assert {hop["pool"][-1] for hop in trade["hops"]} == {"1", "2"}
    everything = only("--pools", file, "--max-gap", "inf")
    assert everything["cycles"]["refused"] == {}
    assert len(everything["top"]) == 3


def test_pools_that_no_hub_reaches_are_counted() -> None:
    far = pair(7, (ISLAND, ODD), (ETHER, ETHER))
    prices = {WETH: 1.0, ISLAND: 1.0, ODD: 1.0}
    file = file_of(snapshot((*apart(2000, 2040), far), reference_prices=prices))
    pools = only("--pools", file)["pools"]
    assert pools["unreached"] == {"no_hub_token": 1}
    assert (pools["in_file"], pools["scored"]) == (3, 2)


def test_a_strangers_symbol_is_no_markup_and_no_escape() -> None:
    pools = tuple(
        pair(number, (ODD, WETH), (each * ETHER, 1000 * ETHER)) for number, each in ((1, 1000), (2, 1020))
    )
    result = omniarb("score", "--pools", file_of(snapshot(pools)))
    assert "?[31m[red]" in result.output
    assert "\x1b[31m" not in result.output


def test_a_hub_is_named_by_symbol_or_address() -> None:
    file = file_of(snapshot(apart(2000, 2040)))
    by_symbol, by_address = (only("--pools", file, "--hub", hub) for hub in ("usdc", USDC.upper()))
    assert by_symbol["top"] == by_address["top"]
    assert by_symbol["top"][0]["token"] == USDC
    assert USDC in by_symbol["hubs"][0]["token"]
    twins = {ODD: Token(ODD, "USDC", 6), USDC: Token(USDC, "USDC", 6)}
    several = file_of(snapshot(apart(2000, 2040), tokens=twins))
    assert ODD in refused("score", "--pools", several, "--hub", "usdc")


@pytest.mark.parametrize("hub", ["NOPE", ODD, ""])
def test_a_hub_that_is_nowhere_is_refused(hub: str) -> None:
    file = file_of(snapshot(apart(2000, 2040)))
    assert "hub" in refused("score", "--pools", file, "--hub", hub)


def test_an_empty_market_and_one_of_dust_alone_have_no_cycle() -> None:
    empty = only("--pools", file_of(snapshot(())))
    assert (empty["top"], empty["all_given"], empty["pools"]["scored"]) == ([], True, 0)
    dust = only("--pools", file_of(snapshot((pair(1, (USDC, WETH), (1, 1)), pair(2, (USDC, WETH), (0, 0))))))
    assert dust["top"] == []
    assert dust["pools"]["implausible"] == {"dust_pool": 1, "zero_liquidity": 1}


def test_decimals_that_the_chain_contradicts_are_a_reason() -> None:
    wrong = {WETH: Token(WETH, "WETH", 18), USDC: Token(USDC, "USDC", 18)}
    pools = only("--pools", file_of(snapshot(apart(2000, 2040), tokens=wrong)))["pools"]
    assert pools["unsound"] == {"contradictory_decimals": 2}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"reference_prices": {WETH: 3.0}}, "--chain"),
        ({"reference_prices": {USDC: "nan"}}, USDC),
        ({"reference_prices": {USDC: "1e999"}}, USDC),
        ({"reference_prices": {USDC: -1.0}}, USDC),
        ({"swap_costs": {"0x1": "-5"}}, "0x1"),
        ({"pools": 7}, "market.json"),
        ({"version": 9}, "version"),
    ],
)
def test_a_file_of_impossible_numbers_is_refused(change: dict[str, Any], named: str) -> None:
    file = file_of(snapshot(apart(2000, 2040)))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert named in refused("score", "--pools", file)


@pytest.mark.parametrize("reserve", [0, 1, 2**112 - 1, 2**255, -1])
def test_extreme_reserves_give_a_reason_and_never_a_number_that_is_none(reserve: int) -> None:
    file = file_of(snapshot(apart(2000, 2040)))
    content = json.loads(file.read_text())
    extreme = pool_to_json(pair(5, (USDC, WETH), (7, 7)))
    extreme["state"]["reserve0"] = str(reserve)
    content["pools"].append(extreme)
    file.write_text(json.dumps(content))
    market = only("--pools", file)
    filters = (market["pools"][name] for name in ("unread", "unsound", "implausible"))
    assert sum(sum(counts.values()) for counts in filters) == 1
    assert len(market["top"]) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[1", b"\x28\xb5\x2f\xfd damaged"])
def test_a_damaged_file_is_refused(content: bytes) -> None:
    Path("market.json").write_bytes(content)
    assert "market.json" in refused("score", "--pools", "market.json")


def test_files_formats_and_chains_that_are_not_there_are_refused() -> None:
    assert "nowhere" in refused("score", "--pools", "nowhere")
    file = file_of(snapshot(apart(2000, 2040)))
    assert "cow-auction" in refused("score", "--pools", file, "--format", "csv")
    assert "market.json" in refused("score", "--pools", file, "--format", "cow-auction")
    assert "mars" in refused("score", "--pools", file, "--chain", "mars")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--top", "0"),
        ("--top", "-3"),
        ("--hops", "1"),
        ("--hops", "5"),
        ("--max-gap", "1"),
        ("--max-gap", "nan"),
    ],
)
def test_senseless_options_are_named(option: str, value: str) -> None:
    result = omniarb("score", "--pools", "market.json", option, value)
    assert result.exit_code == 2
    assert option in plain(result.output)


def test_an_auction_is_taken_as_it_is() -> None:
    found = document("--pools", written(Path(), auction()))
    assert found["format"] == "cow-auction"
    assert found["markets"][0]["gas"] == "what the file says of each pool, at 15 gwei"


@pytest.mark.data
def test_the_recorded_auctions_give_nothing_after_gas_and_believable_cycles_before(data_root: Path) -> None:
    file = data_root / "cow_auctions_2.json.zst"
    after = document("--pools", file)["markets"]
    before = document("--pools", file, "--before-gas")["markets"]
    listed = document("--pools", file, "--before-gas", "--device", "cpu")["markets"]
    assert [market["top"] for market in listed] == [market["top"] for market in before]
    assert [market["top"] for market in after] == [[], []]
    for market in before:
        nets = [int(trade["net_wei"]) for trade in market["top"]]
        assert nets == sorted(nets, reverse=True)
        assert 10**15 < nets[-1] <= nets[0] < 3 * 10**15
        assert market["cycles"]["represented"] > 1_000_000
        for trade in market["top"]:
            gap, profit = int(trade["certificate"]["gap"]), int(trade["gross_profit"])
            assert 0 <= gap < 1e-5 * profit + 3
    names = {hop["family"] for market in before for trade in market["top"] for hop in trade["hops"]}
    assert {"uniswap_v3", "weighted"} <= names

"""Router transactions of 26 recorded blocks: what is read from calldata is what the traces show."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from chain.pending_transactions import PendingTransaction
from core.reasons import Reason, Refusal
from market.pending.decode import decode_pending
from market.pending.effects import predict
from market.pending.intents import SwapIntent
from market.pending.known_routers import known_routers
from market.pending.targets import RouterKind, Targets
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.pools.uniswap_v2 import UniswapV2Pool
from tests.market.pending.routes import ETHEREUM

pytestmark = pytest.mark.data

PAIR_SWAP, POOL_SWAP, POOL_CALLBACK, GET_RESERVES = "0x022c0d9f", "0x128acb08", "0xfa461e33", "0x0902f1ac"
TAXED = {"5c11d795", "791ac947", "b6f9de95"}
"""Functions for tokens that take a fee of a transfer."""
TARGETS = Targets.of(known_routers(ETHEREUM), [])


@dataclass(frozen=True)
class Recorded:
    """A transaction to a known router, and the calls that it made."""

    transaction: PendingTransaction
    kind: RouterKind
    reverted: bool
    calls: tuple[dict[str, Any], ...]

    def own_swaps(self) -> list[tuple[str, int]]:
        """Return pools that the router called for this transaction, with what a pair was asked for.

        Some tokens call the router while they are transferred; their trades are their own.
        """
        others = [
            call["trace_address"]
            for call in self.calls
            if call["action"]["to"] == self.transaction.to != call["action"]["from"]
            and not call["action"]["input"].startswith(POOL_CALLBACK)
        ]
        found = []
        for call in self.calls:
            action, place = call["action"], call["trace_address"]
            within = any(place[: len(other)] == other for other in others)
            if action["from"] != self.transaction.to or within:
                continue
            if action["input"].startswith(PAIR_SWAP):
                found.append((action["to"], max(_word(action["input"], 0), _word(action["input"], 1))))
            elif action["input"].startswith(POOL_SWAP):
                found.append((action["to"], 0))
        return found

    def pairs(self, intent: SwapIntent) -> dict[str, Pool] | None:
        """Return the pairs as the router met them, from what they answered; ``None`` if one was not asked."""
        tokens = {hop.pool_id: sorted((hop.token_in, hop.token_out)) for hop in intent.hops}
        found: dict[str, Pool] = {}
        for call in self.calls:
            place, output = call["action"]["to"], (call.get("result") or {}).get("output") or ""
            asked = call["action"]["input"] == GET_RESERVES and place in tokens and len(output) >= 130
            if asked and place not in found:
                spec = PoolSpec("uniswap_v2", place, place, tuple(tokens[place]), 3000)
                reserves = int(output[2:66], 16), int(output[66:130], 16)
                found[place] = UniswapV2Pool(spec, *reserves)
        return found if len(found) == len(tokens) else None


def _word(data: str, index: int) -> int:
    return int(data[10 + 64 * index : 74 + 64 * index], 16)


@pytest.fixture(scope="module")
def recorded(data_root: Path) -> list[Recorded]:
    with pa.input_stream(str(data_root / "mev_inspect_27_blocks.jsonl.zst"), compression="zstd") as stream:
        lines = stream.read().splitlines()
    blocks = {block["block_number"]: block for block in map(json.loads, lines)}  # one is there twice
    return [found for block in blocks.values() for found in _of_block(block)]


def _of_block(block: dict[str, Any]) -> Iterator[Recorded]:
    calls = defaultdict(list)
    for trace in block["traces"]:
        if trace["type"] == "call":
            calls[trace["transaction_hash"]].append(trace)
    for name, made in calls.items():
        made.sort(key=lambda trace: trace["trace_address"])
        top = made[0]["action"]
        router = TARGETS.routers.get(top["to"])
        if made[0]["trace_address"] or router is None:
            continue
        transaction = PendingTransaction(
            hash=bytes.fromhex(name[2:]),
            sender=top["from"],
            to=top["to"],
            nonce=0,
            value=int(top["value"], 16),
            input=bytes.fromhex(top["input"][2:]),
            gas=0,
            max_fee_per_gas=0,
            max_priority_fee_per_gas=0,
            known_at_ns=0,
        )
        yield Recorded(transaction, router.kind, bool(made[0].get("error")), tuple(made[1:]))


def swaps_of(each: Recorded) -> list[SwapIntent]:
    steps = decode_pending(each.transaction, TARGETS)
    return [] if isinstance(steps, Refusal) else [step for step in steps if isinstance(step, SwapIntent)]


def test_every_swap_of_a_known_router_is_read_and_its_way_is_the_one_it_took(
    recorded: list[Recorded],
) -> None:
    understood: Counter[RouterKind] = Counter()
    for each in recorded:
        wanted = [place for place, _ in each.own_swaps()]
        found = []
        for intent in swaps_of(each):
            backwards = intent.exact_out and each.kind is not RouterKind.V2_ROUTER
            found += [hop.pool_id for hop in (intent.hops[::-1] if backwards else intent.hops)]
        if not each.reverted:
            assert found == wanted, each.transaction.hash.hex()
            understood[each.kind] += bool(wanted)
    assert understood[RouterKind.V2_ROUTER] == 238
    assert understood[RouterKind.V3_ROUTER] == 71
    assert understood[RouterKind.SWAP_ROUTER_02] == 3


def test_what_is_not_read_holds_no_swap_of_the_routers(recorded: list[Recorded]) -> None:
    passed_over = [each for each in recorded if not swaps_of(each)]
    assert len(passed_over) == 12
    for each in passed_over:
        refusal = decode_pending(each.transaction, TARGETS)
        assert isinstance(refusal, Refusal)
        assert refusal.reason is Reason.PENDING_UNKNOWN_CALL
        assert each.own_swaps() == []


def test_amounts_of_pairs_are_predicted_to_the_wei_but_for_taxed_tokens(recorded: list[Recorded]) -> None:
    equal: Counter[bool] = Counter()
    taxed: Counter[bool] = Counter()
    for each in recorded:
        for intent in swaps_of(each):
            pairs = each.pairs(intent) if each.kind is RouterKind.V2_ROUTER else None
            if pairs is None or each.reverted:
                continue
            found = predict([intent], pairs, 0)
            assert not isinstance(found, Refusal), found
            same = [(swap.pool_id, swap.amount_out) for swap in found.swaps] == each.own_swaps()
            (taxed if each.transaction.input[:4].hex() in TAXED else equal)[same] += 1
    assert equal == {True: 208}
    assert taxed == {True: 3, False: 27}


def test_most_transactions_that_reverted_are_seen_to_revert(recorded: list[Recorded]) -> None:
    """The others lacked tokens or an allowance, or came too late: calldata and pools do not tell."""
    seen: Counter[str] = Counter()
    for each in recorded:
        for intent in swaps_of(each):
            pairs = each.pairs(intent) if each.kind is RouterKind.V2_ROUTER else None
            if pairs is not None and each.reverted:
                found = predict([intent], pairs, 0)
                seen[found.reason if isinstance(found, Refusal) else "goes through"] += 1
    assert seen == {Reason.PENDING_SLIPPAGE: 59, "goes through": 8}

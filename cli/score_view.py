"""What ``omniarb score`` shows: the filters' counts, what was looked at, and the best cycles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from rich.table import Table

from chain.blocks import Address
from chain.networks import Network
from cli.output import printable
from cli.screen import Screen
from core.reasons import Refusal
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token
from scoring.market_ranking import Outcome
from scoring.market_scan import Scannable
from scoring.opportunity import Hop
from scoring.ranking import RankedTrade
from scoring.together import Together

_SHORT = 10
_SYMBOL = 12
"""Characters shown of a symbol, which is a stranger's text."""
_WEI = 10**18


@dataclass(frozen=True, slots=True)
class Scored:
    """One market of a file with all that was found in it."""

    snapshot: MarketSnapshot
    scanned: Scannable
    outcome: Outcome
    together: Together
    asked: int
    network: Network
    tokens: Mapping[Address, Token]
    gas: str
    seconds: float

    def name(self, token: Address) -> str:
        """Return a token's symbol, or the beginning of its address."""
        known = self.tokens.get(token)
        return known.symbol[:_SYMBOL] if known is not None and known.symbol else token[:_SHORT]

    def amount(self, token: Address, raw: int) -> str:
        """Return an amount as a person reads it; raw units where the decimals are not known."""
        known = self.tokens.get(token)
        return f"{raw:,} raw" if known is None else f"{raw / 10**known.decimals:,.6g}"

    def family(self, pool_id: str) -> str:
        """Return a pool's family."""
        return next(pool.family for pool in self.scanned.pools if pool.pool_id == pool_id)

    def hop(self, hop: Hop) -> str:
        """Return a swap's tokens, and the beginning of its pool's id with the family."""
        tokens = f"{self.name(hop.token_in)} → {self.name(hop.token_out)}"
        return f"{tokens}  {hop.pool_id[:_SHORT]} {self.family(hop.pool_id)}"


def show(screen: Screen, scored: Scored) -> None:
    """Print the filters' table, what was looked at, and the table of the best cycles."""
    screen.table(scored.snapshot.source, [*_filter_rows(scored), *_look_rows(scored)])
    if scored.outcome.ranking.best:
        screen.console.print(_table(scored))
    screen.console.print(f"{_verdict(scored)}\n", soft_wrap=True)


def document(scored: Scored) -> dict[str, Any]:
    """Return everything as JSON; amounts are exact, as decimal text."""
    snapshot, scanned, outcome = scored.snapshot, scored.scanned, scored.outcome
    ranking = outcome.ranking
    return {
        "source": snapshot.source,
        "chain": scored.network.name,
        "block_number": snapshot.block_number,
        "gas_price": None if snapshot.gas_price is None else str(snapshot.gas_price),
        "gas": scored.gas,
        "hubs": [{"token": hub, "symbol": scored.name(hub)} for hub in scanned.hubs],
        "pools": {
            "in_file": len(snapshot.pools) + len(scanned.unread),
            **{name: _by_reason(refused) for name, refused in _filters(scanned).items()},
            "scored": len(scanned.pools),
        },
        "cycles": {
            "represented": outcome.represented,
            "device": outcome.device,
            "device_why": outcome.why,
            "dead_edges": {reason.value: count for reason, count in sorted(outcome.dead.items())},
            "solved_exactly": ranking.solved,
            "refused": {reason.value: count for reason, count in sorted(ranking.refused.items())},
        },
        "seconds": scored.seconds,
        "asked": scored.asked,
        "all_given": ranking.complete,
        "together": _together(scored),
        "top": [_trade(scored, place, trade) for place, trade in enumerate(ranking.best, 1)],
    }


def _trade(scored: Scored, place: int, trade: RankedTrade) -> dict[str, Any]:
    found = trade.opportunity
    return {
        "rank": place,
        "cycle_id": found.cycle_id,
        "token": found.token,
        "symbol": scored.name(found.token),
        "amount_in": str(found.amount_in),
        "amount_out": str(found.amount_out),
        "gross_profit": str(found.gross_profit),
        "cost_wei": str(trade.cost),
        "net_wei": str(trade.net),
        "certificate": {
            "upper_bound": str(found.certificate.upper_bound),
            "gap": str(found.certificate.gap),
        },
        "hops": [
            {
                "pool": hop.pool_id,
                "family": scored.family(hop.pool_id),
                "token_in": hop.token_in,
                "token_out": hop.token_out,
                "amount_in": str(hop.amount_in),
                "amount_out": str(hop.amount_out),
            }
            for hop in found.hops
        ],
    }


def _together(scored: Scored) -> dict[str, Any]:
    portfolio, prices = scored.together.portfolio, scored.together.prices
    return {
        "considered": scored.together.considered,
        "cycles": [
            {
                "cycle_id": trade.cycle_id,
                "amount_in": str(trade.amount_in),
                "gross_profit": str(trade.gross_profit),
            }
            for trade in portfolio.opportunities
        ],
        "net_wei": portfolio.total_net,
        "upper_bound_wei": portfolio.upper_bound if isfinite(portfolio.upper_bound) else None,
        "dropped": {each.cycle_id: each.refusal.reason.value for each in portfolio.dropped},
        "no_arbitrage_residual_wei": prices.residual,
        "residual_upper_bound_wei": prices.upper_bound,
    }


def _filters(scanned: Scannable) -> dict[str, Mapping[str, Refusal]]:
    return {
        "unread": scanned.unread,
        "unsound": scanned.unsound,
        "implausible": scanned.implausible,
        "unreached": scanned.unreached,
    }


def _by_reason(refused: Mapping[str, Refusal]) -> dict[str, int]:
    counts = Counter(refusal.reason.value for refusal in refused.values())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _filter_rows(scored: Scored) -> list[tuple[str, str, str]]:
    scanned = scored.scanned
    rows = [("pools in the file", f"{len(scored.snapshot.pools) + len(scanned.unread):,}", "")]
    for name, refused in _filters(scanned).items():
        rows += [(f"  {reason}", f"-{count:,}", name) for reason, count in _by_reason(refused).items()]
    hubs = ", ".join(map(scored.name, scanned.hubs))
    rows.append(("pools scored", f"{len(scanned.pools):,}", f"hubs: {hubs}" if hubs else "no hub"))
    return rows


def _look_rows(scored: Scored) -> list[tuple[str, str, str]]:
    outcome, ranking = scored.outcome, scored.outcome.ranking
    rows = [
        ("cycles represented", f"{outcome.represented:,}", f"{outcome.device}: {outcome.why}"),
        ("solved in integers", f"{ranking.solved:,}", "bounds rule the others out"),
    ]
    rows += [(f"  {reason.value}", f"-{count:,}", "") for reason, count in sorted(ranking.refused.items())]
    rows += [
        (f"  {reason.value}", f"{count:,}", "edges without a curve")
        for reason, count in sorted(outcome.dead.items())
    ]
    rows.append(("gas", scored.gas, ""))
    return [
        *rows,
        *_together_rows(scored),
        ("time", f"{1000 * scored.seconds:,.1f} ms", "columns, search and integers"),
    ]


def _together_rows(scored: Scored) -> list[tuple[str, str, str]]:
    portfolio, native = scored.together.portfolio, scored.network.native_symbol
    rows = []
    if scored.together.considered:
        bound = portfolio.upper_bound
        proven = f"; no set that uses each pool at most once nets more than {bound / _WEI:.6f}"
        most = proven if isfinite(bound) else ""
        text = f"{portfolio.total_net / _WEI:.6f} {native} net"
        meaning = (
            f"{len(portfolio.opportunities)} of the best {scored.together.considered}, sized jointly{most}"
        )
        rows.append(("in one block", text, meaning))
    residual = scored.together.prices.residual
    return [
        *rows,
        (
            "no-arbitrage residual",
            f"{residual / _WEI:.6f} {native}",
            "no set of trades that uses each pool at most once earns more before gas",
        ),
    ]


def _table(scored: Scored) -> Table:
    table = Table(pad_edge=False)
    native = scored.network.native_symbol
    for heading in ("#", "hops", "amount in", "gross profit", f"net, {native}", "bound, gap"):
        is_text = heading == "hops"
        table.add_column(
            heading, overflow="fold", no_wrap=not is_text, justify="left" if is_text else "right"
        )
    for place, trade in enumerate(scored.outcome.ranking.best, 1):
        found, proof = trade.opportunity, trade.opportunity.certificate
        bounds = (scored.amount(found.token, raw) for raw in (proof.upper_bound, proof.gap))
        table.add_row(
            str(place),
            "\n".join(printable(scored.hop(hop)) for hop in found.hops),
            scored.amount(found.token, found.amount_in),
            scored.amount(found.token, found.gross_profit),
            f"{trade.net / _WEI:.6f}",
            "\n".join(bounds),
        )
    return table


def _verdict(scored: Scored) -> str:
    ranking, asked = scored.outcome.ranking, scored.asked
    given = len(ranking.best)
    if not ranking.complete:
        return f"the best {given:,} of all cycles, by exact net value"
    if not given:
        return "no cycle nets anything"
    return f"{given:,} of the {asked:,} asked for: no other cycle nets anything"

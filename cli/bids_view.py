"""How tables of bid policies look on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from core.reasons import Refusal
from models.bid_report import BidRow
from models.intervals import Estimate

BIDS = "bids"
"""What bid policies are called where targets are named."""

_INTRODUCTION = """\
Which share of its value should a bidder bid? Recorded first-price auctions, policies played in order of
time; what each kind of auction is and how a policy learns: [what to bid](../explanation/bidding.md). *Kept*
is the mean share of the value that is kept, *gain* is against the fixed share that is best in hindsight, on
the same auctions, with 95 % intervals from a moving-block bootstrap; **bold** means clear of zero. The last
columns are doubly robust estimates from one log of drawn bids, with every other outcome hidden, and what that
log is worth in rows of equal weight; where it cannot tell, the reason stands there."""


def kinds_of(rows: Sequence[BidRow]) -> tuple[str, ...]:
    """Return the kinds of auction in their order."""
    return tuple(dict.fromkeys(row.auctions for row in rows))


def bid_tables(rows: Sequence[BidRow]) -> Iterator[Table]:
    """Yield a table for a terminal for each kind of auction."""
    for kind in kinds_of(rows):
        some = [row for row in rows if row.auctions == kind]
        best = max(row.kept.value for row in some if not row.learned)
        title = f"{kind}, {some[0].judged:,} judged; the best fixed share keeps {best:.3f}"
        table = Table(title=title, title_justify="left", pad_edge=False)
        table.add_column("policy", no_wrap=True)
        for heading in ("gain, 95 %", "gain from a log, 95 %"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in some:
            told = row.gain_from_log
            from_log = told.reason.value if isinstance(told, Refusal) else signed(told)
            clear = row.learned and row.gain.lower > 0
            table.add_row(row.policy, signed(row.gain), from_log, style="bold" if clear else "")
        yield table


def bid_sentence(rows: Sequence[BidRow]) -> str:
    """Return what the tables come to."""
    kinds = kinds_of(rows)
    won = [kind for kind in kinds if any(r.learned and r.gain.lower > 0 for r in rows if r.auctions == kind)]
    names = f" ({', '.join(won)})" if won else ""
    return f"a learned bid beats every fixed share on {len(won)} of {len(kinds)} kinds of auction{names}"


def bid_section(rows: Sequence[BidRow]) -> Iterator[str]:
    """Yield the lines of a page, without its heading."""
    yield _INTRODUCTION
    yield ""
    yield f"{bid_sentence(rows).capitalize()}."
    for kind in kinds_of(rows):
        some = [row for row in rows if row.auctions == kind]
        yield ""
        yield f"### {kind}"
        yield ""
        yield "| policy | won | kept | gain | kept, from the log | gain, from the log | rows |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for row in some:
            yield f"| {' | '.join(_cells(row))} |"
        yield ""
        bound = f"who knows the best competing bid keeps {some[0].foresight:.3f}"
        yield f"{some[0].judged:,} auctions judged; {bound}."


def signed(estimate: Estimate, mark: str = "") -> str:
    """Return a difference with its interval, marked where that is clear of zero.

    Examples
    --------
    >>> signed(Estimate(0.02, 0.01, 0.03), "**"), signed(Estimate(0.02, -0.01, 0.03), "**")
    ('**+0.020** [+0.010, +0.030]', '+0.020 [-0.010, +0.030]')
    """
    clear = mark if estimate.lower > 0 or estimate.upper < 0 else ""
    return f"{clear}{estimate.value:+.3f}{clear} [{estimate.lower:+.3f}, {estimate.upper:+.3f}]"


def unsigned(estimate: Estimate) -> str:
    """Return a mean with its interval."""
    return f"{estimate.value:.3f} [{estimate.lower:.3f}, {estimate.upper:.3f}]"


def _cells(row: BidRow) -> tuple[str, ...]:
    kept, gain = row.kept_from_log, row.gain_from_log
    return (
        row.policy,
        f"{row.win_rate:.3f}",
        unsigned(row.kept),
        signed(row.gain, "**"),
        f"`{kept.reason.value}`" if isinstance(kept, Refusal) else unsigned(kept.doubly_robust),
        f"`{gain.reason.value}`" if isinstance(gain, Refusal) else signed(gain, "**"),
        "" if isinstance(kept, Refusal) else f"{kept.effective_rows:,.0f}",
    )

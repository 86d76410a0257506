"""What ``omniarb evaluate`` shows and writes: a table per target, and a page of everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from cli.bids_view import bid_section
from models.benchmark_tracks import TrackScore
from models.bid_report import BidRow
from models.coverage import AFTER_BREAKS, OFF
from models.scorecard import LOSSES, Line, Loss, Scorecard
from models.targets.registry import TARGETS
from models.targets.table import Kind

_LOSS_NAMES = {Loss.MAE: "MAE", Loss.MSE: "MSE", Loss.BRIER: "Brier", Loss.LOG: "log loss"}
_INTRODUCTION = """\
# Model results

Written by `omniarb evaluate --write PATH`, which repeats every figure. How to read it:
[evaluate models](../how-to/evaluate-models.md).

Models here learn on while they are judged, all but `frozen_lstm`, the LSTM as it stood when judging began.
The gate judges versions frozen as they serve: what is best here may serve only once it has passed there.

Skill is `1 - loss / loss of the hardest baseline on the judged rows`, with a 95 % interval from a
moving-block bootstrap. **Bold** means that the interval lies clear of zero. The first loss decides; a model
is the best only where its skill by that loss is clear, else the baseline is. Intervals of forecasts aim
at 90 %; *terciles* is their coverage where the typical error known at issue was low, middling and high.
*After breaks* is their coverage in the 150 judged rows after each break: ADWIN finds one where the hardest
baseline's error has risen, from past rows alone. Times belong to the machine.

At most 12,000 rows of a target are learned from before judging begins, and as many judged. After its fit the
LSTM learns from every eighth label. Skills are not corrected for the number of models and targets.
"""


def score_table(card: Scorecard) -> Table:
    """Return a target's table for a terminal: what decides, without what only the page has room for."""
    loss, second = LOSSES[card.kind]
    table = Table(pad_edge=False)
    table.add_column("forecaster", no_wrap=True)
    for heading in (_LOSS_NAMES[loss], "skill, 95 %", f"by {_LOSS_NAMES[second]}", "covers", "µs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in card.lines:
        style = "bold" if line.name == card.best else "dim" if line.baseline else ""
        table.add_row(
            line.name,
            f"{line.losses[loss]:.4g}",
            _skill_cell(line, card, loss),
            f"{line.skills[second].value:+.3f}",
            "" if line.coverage is None else f"{line.coverage:.3f}",
            "" if line.baseline else f"{line.predict_us + line.learn_us:,.0f}",
            style=style,
        )
    return table


def card_lines(card: Scorecard) -> Iterator[str]:
    """Yield what to say below a target's table."""
    rows = f"{card.judged:,} rows judged after {card.learned:,} to learn from"
    if card.censored:
        rows += f"; {card.censored:,} more whose label never came"
    yield f"{rows}; hardest baseline: {card.hardest[card.deciding]}"
    yield _verdict(card)
    if card.leader_changes is not None:
        times = "once" if card.leader_changes == 1 else f"{card.leader_changes} times"
        yield f"the mix changed its leader {times}"
    if card.kind is Kind.NUMBER:
        yield _after_breaks(card)


def sentence(cards: Sequence[Scorecard], seconds: float) -> str:
    """Return what the whole evaluation comes to."""
    won = [card.target for card in cards if card.won]
    names = f" ({', '.join(won)})" if won else ""
    return (
        f"a model beats the hardest baseline on {len(won)} of {len(cards)} targets{names}; {seconds:,.0f} s"
    )


def coverage_sentence(cards: Sequence[Scorecard]) -> str:
    """Return on how many targets the best one's intervals keep their promise, and where they do not."""
    judged = [card for card in cards if card.kind is Kind.NUMBER]
    short = [card for card in judged if card.coverage_short]
    broken = [card for card in judged if card.after_breaks]
    text = (
        f"intervals of the best one cover within {OFF} of what they aim at, and at least {AFTER_BREAKS} "
        f"after breaks, on {len(judged) - len(short)} of {len(judged)} targets with intervals, "
        f"{len(broken)} of which had breaks"
    )
    if not short:
        return text
    return f"{text}; short: {'; '.join(f'{card.target} ({_short(card)})' for card in short)}"


def tracks_table(scores: Sequence[TrackScore]) -> Table:
    """Return the public series for a terminal."""
    table = Table(title="public series, MAE over 1 to 3 steps", title_justify="left", pad_edge=False)
    for heading in ("series", "protocol", "forecaster"):
        table.add_column(heading)
    table.add_column("MAE", justify="right")
    for score in scores:
        table.add_row(score.track, score.protocol.value, score.forecaster, f"{score.mae:.4g}")
    return table


def page(
    document: dict[str, Any],
    cards: Sequence[Scorecard],
    bids: Sequence[BidRow],
    scores: Sequence[TrackScore],
) -> str:
    """Return everything as a page of Markdown."""
    extent = "some 2,000 rows of each target" if document["short"] else "all rows up to that many"
    lines = [
        _INTRODUCTION,
        f"{document['machine']}; commit {document['code_version']}; {document['measured_at']}; "
        f"seed {document['seed']}; {extent}; {document['seconds']:,.0f} s.",
    ]
    if cards:
        lines += ["", f"{sentence(cards, document['seconds']).partition(';')[0].capitalize()}."]
    if any(card.kind is Kind.NUMBER for card in cards):
        lines += ["", f"{_capital(coverage_sentence(cards))}."]
    for card in cards:
        lines += ["", f"## {card.target}", "", *_section(card)]
    if bids:
        lines += ["", "## Bids", "", *bid_section(bids)]
    if scores:
        lines += ["", "## Public series", "", *_tracks(scores)]
    return "\n".join(lines) + "\n"


def _section(card: Scorecard) -> Iterator[str]:
    yield f"{TARGETS.get(card.target, '')} In {card.unit}, {card.horizon} ahead; from {card.source}."
    yield ""
    headings = _headings(card)
    yield f"| {' | '.join(headings)} |"
    yield f"|---|{'---:|' * (len(headings) - 1)}"
    for line in card.lines:
        yield f"| {' | '.join(_cells(line, card))} |"
    yield ""
    yield "; ".join(card_lines(card)) + "."


def _tracks(scores: Sequence[TrackScore]) -> Iterator[str]:
    yield "Mean absolute error, averaged over 1, 2 and 3 steps ahead. `one_late` is river's own protocol: it"
    yield "compares a forecast with the step after the one it speaks about. Others' figures carry that shift."
    yield ""
    yield "| series | protocol | forecaster | MAE |"
    yield "|---|---|---|---:|"
    for score in scores:
        yield f"| {score.track} | {score.protocol.value} | {score.forecaster} | {score.mae:.4g} |"


def _headings(card: Scorecard) -> list[str]:
    skills = [
        heading for loss in LOSSES[card.kind] for heading in (_LOSS_NAMES[loss], f"skill {_LOSS_NAMES[loss]}")
    ]
    intervals = ["coverage", "after breaks", "terciles", "width"] if card.kind is Kind.NUMBER else []
    return ["forecaster", *skills, *intervals, "predict, µs", "learn, µs"]


def _cells(line: Line, card: Scorecard) -> list[str]:
    cells = [line.name]
    for loss in LOSSES[card.kind]:
        cells += [f"{line.losses[loss]:.4g}", _skill_cell(line, card, loss, bold="**")]
    if line.coverage is not None and line.coverage_by_tercile is not None:
        terciles = " ".join(f"{share:.2f}" for share in line.coverage_by_tercile)
        after = line.coverage_after_breaks
        cells += [
            f"{line.coverage:.3f}",
            "" if after is None else f"{after:.3f}",
            terciles,
            f"{line.width:.3g}",
        ]
    return [
        *cells,
        "" if line.baseline else f"{line.predict_us:,.0f}",
        "" if line.baseline else f"{line.learn_us:,.0f}",
    ]


def _skill_cell(line: Line, card: Scorecard, loss: Loss, bold: str = "") -> str:
    if card.hardest[loss] == line.name:
        return "hardest"
    skill = line.skills[loss]
    mark = bold if skill.clear else ""
    return f"{mark}{skill.value:+.3f}{mark} [{skill.lower:+.3f}, {skill.upper:+.3f}]"


def _verdict(card: Scorecard) -> str:
    if card.degenerate:
        return f"every label is the same, so there is nothing to forecast; best: {card.best}"
    if not card.won:
        return f"no model's skill is clear of zero; best: {card.best}"
    skill = card.line(card.best).skills[card.deciding]
    return f"best: {card.best}, skill {skill.value:+.3f} [{skill.lower:+.3f}, {skill.upper:+.3f}]"


def _after_breaks(card: Scorecard) -> str:
    after = card.line(card.best).coverage_after_breaks
    if after is None:
        said = "no break: the error of the hardest baseline never rose for good"
    else:
        breaks = "1 break" if card.breaks == 1 else f"{card.breaks} breaks"
        rows = f"{card.after_breaks:,} rows after"
        said = f"{breaks}; in the {rows}, {card.best}'s intervals cover {after:.3f}"
    return f"{said}; they fall short: {_short(card)}" if card.coverage_short else said


def _short(card: Scorecard) -> str:
    return ", ".join(card.coverage_short)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

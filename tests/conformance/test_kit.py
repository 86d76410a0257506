"""Runs the conformance kit over every family and shows the table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.families import STAGES
from tests.conformance.kit import SWAPS, Tally, check_marginal_rates, trade_at_random
from tests.conformance.stage import Stage


@pytest.fixture(scope="module")
def tallies(request: pytest.FixtureRequest) -> Iterator[dict[str, tuple[Stage, Tally]]]:
    """Collect what was checked, and print it when the module is done."""
    collected: dict[str, tuple[Stage, Tally]] = {}
    yield collected
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n" + table(collected))


def table(collected: dict[str, tuple[Stage, Tally]]) -> str:
    """Return one line a family: swaps with zero differences, and against what."""
    lines = [
        f"{'family':<22}{'swaps':>8}{'refused':>9}{'+1 refused':>12}{'states':>8}{'round trips':>13}"
        f"{'rates':>7}  against"
    ]
    for name, (stage, tally) in sorted(collected.items()):
        asked = f"{tally.one_more_refused}" if stage.exact_refusal else "not asked"
        code = stage.oracle.code + (
            "" if stage.oracle.published else f" (not published; {stage.oracle.vectors})"
        )
        lines.append(
            f"{name:<22}{tally.swaps:>8}{sum(tally.refused.values()):>9}{asked:>12}{tally.states:>8}"
            f"{tally.round_trips:>13}{tally.rates:>7}  {code}"
        )
    return "\n".join(lines)


@pytest.mark.parametrize("family", sorted(STAGES))
def test_the_family_does_what_its_contracts_do(family: str, tallies: dict[str, tuple[Stage, Tally]]) -> None:
    stage = STAGES[family]()
    tally = trade_at_random(stage)
    tallies[family] = (stage, tally)
    assert tally.swaps == SWAPS
    check_marginal_rates(stage, tally)
    assert stage.oracle.published or stage.oracle.vectors

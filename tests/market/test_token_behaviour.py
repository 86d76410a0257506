"""Which reason follows from what a probe saw."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reasons import Reason
from market.token_behaviour import Round, Stage, Step, judge

FINE = Step(True, 50_000, 10**18, 10**18, 10**17, "")
FAILED = Step(False, 50_000, 0, 0, 0, "no")
NOTHING = replace(FINE, received=0)


def probe(bought: Step = FINE, **steps: Step) -> Round:
    return Round({stage: steps.get(stage.name.lower(), FINE) for stage in Stage}, bought, 10)


def taxed(ppm: int) -> Step:
    return replace(FINE, received=10**18 - 10**12 * ppm)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (probe(), None),
        (probe(fund=FAILED), Reason.PROBE_IMPOSSIBLE),
        (probe(fund=NOTHING), Reason.PROBE_IMPOSSIBLE),
        (probe(buy=replace(FINE, sent=0, received=0)), Reason.PROBE_IMPOSSIBLE),
        (probe(buy=FAILED), Reason.CANNOT_BUY),
        (probe(buy=NOTHING), Reason.CANNOT_BUY),
        (probe(hold=FAILED), Reason.HONEYPOT),
        (probe(bought=FAILED), Reason.HONEYPOT),
        (probe(hold=replace(FINE, received=10**18 + 1)), Reason.REBASING),
        (probe(hold=replace(FINE, received=0), sell=FAILED), Reason.REBASING),
        (probe(sell=FAILED), Reason.HONEYPOT),
        (probe(sell=NOTHING), Reason.HONEYPOT),
        (probe(sell=replace(FINE, hub_amount=0)), Reason.HONEYPOT),
        (probe(sell=taxed(500_000)), Reason.HONEYPOT),
        (probe(sell=taxed(499_999)), Reason.FEE_ON_TRANSFER),
        (probe(send=FAILED), Reason.TRANSFER_BLOCKED),
        (probe(**{"return": FAILED}), Reason.TRANSFER_BLOCKED),
        (probe(send=FAILED, sell=FAILED), Reason.HONEYPOT),
        (probe(buy=taxed(1)), Reason.FEE_ON_TRANSFER),
        (probe(send=replace(FINE, received=10**18 - 3)), Reason.FEE_ON_TRANSFER),
        (probe(send=replace(FINE, received=10**18 - 2)), Reason.REBASING),
        (probe(send=replace(FINE, received=10**18 + 5)), Reason.REBASING),
        (probe(send=replace(FINE, received=10**18 - 2), buy=taxed(1)), Reason.FEE_ON_TRANSFER),
    ],
)
def test_the_first_reason_that_applies_is_given(seen: Round, reason: Reason | None) -> None:
    refusal = judge(seen)
    assert (refusal.reason if refusal else None) is reason


@given(sent=st.integers(1, 2**256 - 1), received=st.integers(0, 2**256 - 1))
def test_a_tax_is_the_least_whole_number_of_ppm_that_explains_the_loss(sent: int, received: int) -> None:
    step = Step(True, 0, sent, received, 0, "")
    lost = max(Fraction(sent - received, sent), Fraction(0))
    assert 0 <= step.tax_ppm <= 1_000_000
    assert Fraction(step.tax_ppm, 10**6) >= lost
    assert step.tax_ppm == 0 or Fraction(step.tax_ppm - 1, 10**6) < lost


amounts = st.one_of(st.integers(0, 5), st.integers(0, 2**256 - 1))
steps = st.builds(Step, st.booleans(), st.just(0), amounts, amounts, amounts, st.just("why"))


@given(steps=st.lists(steps, min_size=6, max_size=6), bought=steps)
def test_only_a_token_that_loses_nothing_behaves(steps: list[Step], bought: Step) -> None:
    seen = Round(dict(zip(Stage, steps, strict=True)), bought, 0)
    refusal = judge(seen)
    if refusal is None:
        assert all(step.ok for step in (*steps, bought))
        assert all(step.sent == step.received for step in steps if step not in (steps[Stage.FUND], steps[2]))
    else:
        assert refusal.detail

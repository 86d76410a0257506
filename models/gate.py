"""The gate: who asks to serve is put through recent blocks beside who serves, and must be proven better.

Checks go from cheap to dear, and the first that fails is the reason. Nothing here moves an alias.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.reasons import Reason, Refusal
from core.seams import Randomness
from models.bootstrap import Skill, block_length, bootstrap_skill
from models.champion import Champion
from models.evaluation import Series
from models.experts import GivenBaseline
from models.sequential_test import bet_on_losses, bet_on_values, enough_forecasts, needed
from models.shadow_replay import issue_places, places_learned, serve
from models.snapshot import Snapshot
from models.trial_data import TrialData
from models.verdict import Evidence, Verdict

NetValue = Callable[[Series], NDArray[np.float64]]
"""Wei that acting on each forecast would have brought, ``float64[forecast]``."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate asks for.

    Parameters
    ----------
    alpha
        Probability at most that a candidate that is no better is ever let through.
    last
        Forecasts that are replayed at most, the newest.
    fewest
        Forecasts below which nothing is decided.
    coverage_slack
        How far coverage may lie below the nominal one.
    """

    alpha: float = 0.05
    last: int = 2_000
    fewest: int = 200
    coverage_slack: float = 0.03


@dataclass(frozen=True, slots=True)
class _Opponent:
    """Who must be beaten: its name, its forecasts, rows it has learned from, why it is not the champion."""

    name: str
    said: Series
    learned: int = 0
    champion_failed: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides about versions on one trial.

    Parameters
    ----------
    trial
        Recent blocks, or the rows of a target.
    rules
        What is asked for.
    net_value
        If given, the candidate must also be proven to earn more.

    References
    ----------
    The test is that of :mod:`models.sequential_test`.
    """

    trial: TrialData
    rules: Rules = Rules()
    net_value: NetValue | None = None

    def fits(self, candidate: Champion) -> Refusal | None:
        """Return why a version could not serve at all, ``None`` if it could."""
        missing = self.trial.missing(candidate.snapshot)
        if missing:
            return Refusal(
                Reason.SCHEMA_DIFFERS,
                f"version {candidate.version} needs feature(s) not computed here: {', '.join(missing)}",
            )
        if candidate.snapshot.target != self.trial.target:
            return Refusal(
                Reason.TARGET_DIFFERS,
                f"version {candidate.version} forecasts {candidate.snapshot.target}, not {self.trial.target}",
            )
        return self.trial.skew_refusal()

    def judge(self, candidate: Champion, incumbent: Champion | None, attempt: int = 1) -> Verdict:
        """Compare a candidate with what serves.

        Parameters
        ----------
        candidate, incumbent
            Loaded versions; without an incumbent, or if it cannot be put through the trial, the hardest
            baseline stands in for it.
        attempt
            How often this incumbent's place was asked for, by the candidate or by anybody on the same data,
            this time included.

        Raises
        ------
        ModelError
            If a baseline cannot be put through the trial.
        """
        refusal = self.fits(candidate) or _other_target(candidate, incumbent)
        if refusal is not None:
            return Verdict(refusal)
        served_now = incumbent.snapshot if incumbent else None
        horizon = candidate.snapshot.horizon_blocks
        places = issue_places(self.trial, candidate.snapshot, served_now, horizon, self.rules.last)
        if len(places) < self.rules.fewest:
            return Verdict(self._too_few(len(places), candidate))
        try:
            served = serve(candidate.snapshot, self.trial, places)
        except Exception as error:  # a version is somebody's code: whatever it raises, it does not serve
            return Verdict(Refusal(Reason.MODEL_UNUSABLE, f"version {candidate.version} fails: {error}"))
        if len(served.blocks) < self.rules.fewest:
            return Verdict(self._too_few(len(served.blocks), candidate))
        return self._compare(candidate, incumbent, served, places, attempt)

    def _too_few(self, count: int, candidate: Champion) -> Refusal:
        return Refusal(
            Reason.TOO_FEW_FORECASTS,
            f"{count} forecasts can be judged above {self.trial.unit_of_time} "
            f"{candidate.snapshot.state_block}, up to which version {candidate.version} has learned; "
            f"{self.rules.fewest} are needed",
        )

    def _compare(
        self,
        candidate: Champion,
        incumbent: Champion | None,
        served: Series,
        places: range,
        attempt: int,
    ) -> Verdict:
        trial, labels = self.trial, self.trial.labels(candidate.snapshot.horizon_blocks)
        arrival = labels.arrivals(places)
        baselines = {
            name: labels.series(places, said) for name, said in trial.baseline_values(places).items()
        }
        name = min(baselines, key=lambda name: float(trial.loss(baselines[name]).mean()))
        hardest = _Opponent(name, baselines[name])
        opponent = self._opponent(incumbent, hardest, places)
        evidence = self._evidence(candidate.snapshot, served, opponent, hardest, arrival, attempt)
        if self.net_value is not None:
            evidence = self._with_value(evidence, served, opponent.said, arrival)
        is_baseline = candidate.snapshot.forecaster.name in {*baselines, GivenBaseline.name}
        refusal = self._shortfall(evidence, is_baseline=is_baseline)
        if refusal is not None and refusal.reason is Reason.NOT_PROVEN_BETTER:
            refusal = _too_few_to_prove(evidence, trial.loss(opponent.said), arrival) or refusal
        return Verdict(refusal, evidence)

    def _opponent(self, incumbent: Champion | None, hardest: _Opponent, places: range) -> _Opponent:
        """Return what serves, or the hardest baseline where nothing does or it cannot be run here."""
        if incumbent is None:
            return hardest
        version, snapshot = f"version {incumbent.version}", incumbent.snapshot
        try:
            said = serve(snapshot, self.trial, places)
        except Exception as error:  # it would fail where it serves, too, so it defends nothing
            return replace(hardest, champion_failed=f"{version} fails here: {error}")
        return _Opponent(version, said, places_learned(self.trial, snapshot, places))

    def _evidence(
        self,
        snapshot: Snapshot,
        served: Series,
        opponent: _Opponent,
        hardest: _Opponent,
        arrival: NDArray[np.int64],
        attempt: int,
    ) -> Evidence:
        trial = self.trial
        loss, against, baseline = (trial.loss(said) for said in (served, opponent.said, hardest.said))
        skill = _skill(loss, against, arrival)
        held = (served.lower <= served.truth) & (served.truth <= served.upper)
        return Evidence(
            source=trial.source,
            data_hash=trial.data_hash,
            first_block=int(served.blocks[0]),
            last_block=int(served.blocks[-1]),
            forecasts=len(loss),
            features=snapshot.schema.digest,
            features_checked=trial.checked,
            incumbent=opponent.name,
            incumbent_learned=opponent.learned,
            e_value=bet_on_losses(against, loss, arrival).e_value,
            needed=needed(self.rules.alpha, attempt),
            attempt=attempt,
            skill=skill.value,
            skill_lower=skill.lower,
            skill_upper=skill.upper,
            baseline=hardest.name,
            baseline_skill=_skill(loss, baseline, arrival).value,
            coverage=float(held.mean()) if trial.has_intervals else math.nan,
            nominal=snapshot.conformal.nominal if trial.has_intervals else math.nan,
            incumbent_failed=opponent.champion_failed,
        )

    def _with_value(
        self, evidence: Evidence, served: Series, against: Series, arrival: NDArray[np.int64]
    ) -> Evidence:
        assert self.net_value is not None
        ours, theirs = self.net_value(served), self.net_value(against)
        return replace(
            evidence,
            value_e_value=bet_on_values(theirs, ours, arrival).e_value,
            value_gain_wei=float((ours - theirs).mean()),
        )

    def _shortfall(self, evidence: Evidence, *, is_baseline: bool) -> Refusal | None:
        """Return the first thing that the evidence lacks."""
        if evidence.baseline_skill < 0 or (evidence.baseline_skill == 0 and not is_baseline):
            return Refusal(
                Reason.SKILL_NOT_POSITIVE,
                f"skill {evidence.baseline_skill:+.4f} against {evidence.baseline} is not above 0",
            )
        if evidence.coverage < evidence.nominal - self.rules.coverage_slack:
            return Refusal(
                Reason.COVERAGE_TOO_LOW,
                f"its intervals held {evidence.coverage:.3f} of their labels, nominal {evidence.nominal:g}",
            )
        if is_baseline and evidence.skill == 0 and evidence.incumbent == evidence.baseline:
            return None  # nothing serves, and this is what stands in for it: nobody loses by it
        if evidence.skill <= 0 or evidence.e_value < evidence.needed:
            return Refusal(
                Reason.NOT_PROVEN_BETTER,
                f"skill {evidence.skill:+.4f} against {evidence.incumbent}, evidence {evidence.e_value:.3g}; "
                f"attempt {evidence.attempt} needs {evidence.needed:g}",
            )
        if evidence.value_e_value is not None and evidence.value_e_value < evidence.needed:
            return Refusal(
                Reason.NOT_PROVEN_BETTER,
                f"that it earns more has evidence {evidence.value_e_value:.3g}; "
                f"attempt {evidence.attempt} needs {evidence.needed:g}",
            )
        return None


def _other_target(candidate: Champion, incumbent: Champion | None) -> Refusal | None:
    if incumbent is None:
        return None
    asked, served = ((one.snapshot.target, one.snapshot.horizon_blocks) for one in (candidate, incumbent))
    if asked == served:
        return None
    return Refusal(
        Reason.TARGET_DIFFERS,
        f"version {candidate.version} forecasts {asked[0]} {asked[1]} blocks ahead, "
        f"version {incumbent.version} {served[0]} {served[1]} blocks ahead",
    )


def _too_few_to_prove(
    evidence: Evidence, against: NDArray[np.float64], arrival: NDArray[np.int64]
) -> Refusal | None:
    """Return that not even a candidate that never errs could have proven it; nothing if it could have."""
    if evidence.skill <= 0:
        return None
    enough = enough_forecasts(against, arrival, evidence.needed)
    if enough is not None and enough <= evidence.forecasts:
        return None
    perfect = bet_on_losses(against, np.zeros_like(against), arrival).e_value
    return Refusal(
        Reason.TOO_FEW_FORECASTS,
        f"{evidence.forecasts} forecasts prove nothing: one that never errs had evidence {perfect:.3g}, "
        f"and attempt {evidence.attempt} needs {evidence.needed:g}"
        + (f"; even that one would take about {enough}" if enough else ""),
    )


def _skill(loss: NDArray[np.float64], against: NDArray[np.float64], arrival: NDArray[np.int64]) -> Skill:
    overlap = int((arrival - np.arange(len(arrival))).max())
    # always the same draws: the same trial gives the same evidence
    random = Randomness(0).stream("gate")
    return bootstrap_skill(loss, against, random, length=block_length(len(loss), overlap))

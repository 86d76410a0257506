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
from models.sequential_test import bet_on_losses, bet_on_values, needed
from models.shadow_replay import issue_places, places_learned, serve
from models.trial_data import TrialData

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
class Evidence:
    """The numbers a decision was made on, as the ledger keeps them.

    Parameters
    ----------
    source, data_hash, first_block, last_block, forecasts
        Recording, and the blocks that were forecast and judged.
    features
        Digest of the candidate's feature schema.
    features_checked
        Whether the rows were compared with the batch path.
    incumbent, incumbent_learned
        Version that serves, or the baseline that stands in for none; and from how many of the judged rows it
        has learned. Those speak for it more than they should, so its place is harder to take.
    e_value, needed, attempt
        Evidence that the candidate's errors are smaller, how much this attempt needs.
    skill, skill_lower, skill_upper
        Against the incumbent, with a 95 % interval by block bootstrap.
    baseline, baseline_skill
        Hardest baseline on these blocks, and the candidate's skill against it.
    coverage, nominal
        Share of the candidate's intervals that held their label, and the share aimed at; NaN for a
        probability, which has none: its loss judges how well it is calibrated.
    value_e_value, value_gain_wei
        Evidence that the candidate earns more, and by how much per forecast; ``None`` if not asked.
    """

    source: str
    data_hash: str
    first_block: int
    last_block: int
    forecasts: int
    features: str
    features_checked: bool
    incumbent: str
    incumbent_learned: int
    e_value: float
    needed: float
    attempt: int
    skill: float
    skill_lower: float
    skill_upper: float
    baseline: str
    baseline_skill: float
    coverage: float
    nominal: float
    value_e_value: float | None = None
    value_gain_wei: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may serve.

    Parameters
    ----------
    refusal
        Why not; ``None`` if it may.
    evidence
        What it was decided on; ``None`` if no forecast was compared.
    """

    refusal: Refusal | None
    evidence: Evidence | None = None


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
            Loaded versions; without an incumbent the hardest baseline stands in for it.
        attempt
            How often the candidate has asked to take this incumbent's place, this time included.

        Raises
        ------
        ModelError
            If the incumbent or a baseline cannot be put through the trial.
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
        snapshot, trial = candidate.snapshot, self.trial
        labels = trial.labels(snapshot.horizon_blocks)
        overlap, loss = labels.overlap(places), trial.loss(served)
        baselines = {
            name: labels.series(places, said) for name, said in trial.baseline_values(places).items()
        }
        hardest = min(baselines, key=lambda name: float(trial.loss(baselines[name]).mean()))
        against = baselines[hardest] if incumbent is None else serve(incumbent.snapshot, trial, places)
        skill = _skill(loss, trial.loss(against), overlap)
        held = (served.lower <= served.truth) & (served.truth <= served.upper)
        evidence = Evidence(
            source=trial.source,
            data_hash=trial.data_hash,
            first_block=int(served.blocks[0]),
            last_block=int(served.blocks[-1]),
            forecasts=len(loss),
            features=snapshot.schema.digest,
            features_checked=trial.checked,
            incumbent=hardest if incumbent is None else f"version {incumbent.version}",
            incumbent_learned=places_learned(trial, incumbent.snapshot, places) if incumbent else 0,
            e_value=bet_on_losses(trial.loss(against), loss, overlap).e_value,
            needed=needed(self.rules.alpha, attempt),
            attempt=attempt,
            skill=skill.value,
            skill_lower=skill.lower,
            skill_upper=skill.upper,
            baseline=hardest,
            baseline_skill=_skill(loss, trial.loss(baselines[hardest]), overlap).value,
            coverage=float(held.mean()) if trial.has_intervals else math.nan,
            nominal=snapshot.conformal.nominal if trial.has_intervals else math.nan,
        )
        if self.net_value is not None:
            evidence = self._with_value(evidence, served, against, overlap)
        is_baseline = snapshot.forecaster.name in {*baselines, GivenBaseline.name}
        return Verdict(self._shortfall(evidence, is_baseline=is_baseline), evidence)

    def _with_value(self, evidence: Evidence, served: Series, against: Series, overlap: int) -> Evidence:
        assert self.net_value is not None
        ours, theirs = self.net_value(served), self.net_value(against)
        return replace(
            evidence,
            value_e_value=bet_on_values(theirs, ours, overlap).e_value,
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


def _skill(loss: NDArray[np.float64], against: NDArray[np.float64], overlap: int) -> Skill:
    # always the same draws: the same trial gives the same evidence
    random = Randomness(0).stream("gate")
    return bootstrap_skill(loss, against, random, length=block_length(len(loss), overlap))

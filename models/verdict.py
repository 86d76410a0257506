"""What the gate decided about a version, and the numbers it was decided on."""

from __future__ import annotations

from dataclasses import dataclass

from core.reasons import Refusal


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
    incumbent_failed
        Why what serves could not be put through the trial, so that the baseline stands in; empty if it could.
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
    incumbent_failed: str = ""


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

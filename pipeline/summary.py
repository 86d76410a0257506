"""The summary of a run: one JSON document with everything that was counted."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ExecutionError
from core.reasons import Reason
from pipeline.live_config import LiveResult
from pipeline.live_findings import FeatureFindings, LearningFindings
from pipeline.quantiles import quantile
from pipeline.replay import Replay

if TYPE_CHECKING:  # torch and MLflow take seconds to import, and a replay needs neither
    from analysis.live_models import LiveComparison
    from models.evaluation import Study
    from models.promotion import PromotionOutcome


def history_part(replayed: Replay) -> dict[str, Any]:
    """Return what the replay counted."""
    return {
        "source": replayed.source,
        "blocks": replayed.blocks,
        "logs": replayed.logs,
        "swaps": replayed.swaps,
        "invariant_checked": replayed.invariant_checked,
        "invariant_ok": replayed.invariant_ok,
        "not_checkable": replayed.not_checkable,
        "opportunities": replayed.opportunities,
        "refusals": _counts(replayed.refusals),
        "digest": replayed.digest,
    }


def models_part(study: Study, outcome: PromotionOutcome) -> dict[str, Any]:
    """Return what the study and the promotion decided."""
    serving = study.score(outcome.model)
    return {
        "registered_name": outcome.name,
        "champion": outcome.model,
        "champion_version": outcome.version,
        "reason": outcome.reason.value if outcome.reason else None,
        "target": study.target,
        "horizon_blocks": study.horizon_blocks,
        "judged": serving.count,
        "skill": outcome.candidate_skill,
        "candidate": outcome.candidate,
        "baseline": outcome.baseline,
        "coverage": serving.coverage,
        "nominal": study.nominal,
        "mae_gwei": {score.name: score.mae for score in study.scores},
    }


def execute_part(result: LiveResult) -> dict[str, Any]:
    """Return what execution earned, counted from receipts and from balances.

    Raises
    ------
    ExecutionError
        If the two ways of counting differ by one wei.
    """
    verdicts = Counter(bid.settlement.verdict for bid in result.bids)
    landed = [bid.settlement for bid in result.bids if bid.settlement.verdict is Reason.LANDED]
    profit = sum(bid.settlement.profit for bid in result.bids)
    change = result.balance_after - result.balance_before
    if profit != change:
        raise ExecutionError(
            f"receipts say {profit} wei, balances say {change} wei; do not trade until this is understood",
            profit_wei=profit,
            balance_change_wei=change,
        )
    return {
        "blocks": result.last_block - result.first_block + 1,
        "opportunities": result.opportunities,
        "bundles_sent": result.bundles_sent,
        "landed": verdicts[Reason.LANDED],
        "outbid": verdicts[Reason.OUTBID],
        "reverted": verdicts[Reason.REVERTED],
        "state_moved": verdicts[Reason.STATE_MOVED],
        "late": verdicts[Reason.LATE],
        "never_simulated": verdicts[Reason.NEVER_SIMULATED],
        "profit_wei": profit,
        "balance_change_wei": change,
        "gas_used": sum(settlement.gas_used for settlement in landed),
        "bids_paid_wei": sum(settlement.bid for settlement in landed),
        "refusals": _counts(result.refusals),
        "pools_compared": result.pools_compared,
        "pools_suspended": _counts(result.pools_suspended),
    }


def features_part(found: FeatureFindings) -> dict[str, Any]:
    """Return what became of the feature rows of a run."""
    skew = found.skew
    return {
        "logged": dict(found.logged),
        "refused": {name: _counts(counts) for name, counts in sorted(found.refused.items())},
        "compared": found.compared,
        "skew_block": skew.block_number if skew else None,
        "skew_feature": skew.feature if skew else None,
        "skew_ulps": skew.ulps if skew else None,
        "drift_alarms": found.alarms,
        "drift": {
            name: {"block": alarm.block_number, "reason": alarm.reason.value, "detector": alarm.detector}
            for name, alarm in sorted(found.drift.items())
        },
        "ended": found.ended,
        "faults": found.faults,
        "online_missed": found.online_missed,
    }


def learning_part(found: LearningFindings, compared: LiveComparison) -> dict[str, Any]:
    """Return how the models that went on learning did beside the served champion."""
    return {
        "forecasts": len(compared.blocks),
        "mae_gwei": compared.mae,
        "coverage": compared.coverage,
        "refused": _counts(found.refused),
        "reorganisations": found.reorganisations,
        "ended": found.ended,
    }


def _counts(counts: Mapping[Reason, int]) -> dict[str, int]:
    return {reason.value: count for reason, count in sorted(counts.items())}


def latency_part(result: LiveResult) -> dict[str, float]:
    """Return microseconds from a complete block to signed bytes, and by stage."""
    part = {
        "event_to_signed_p50": quantile(result.latencies_us, 0.5),
        "event_to_signed_p99": quantile(result.latencies_us, 0.99),
    }
    for stage, values in result.stages_us.items():
        part[f"{stage}_p50"] = quantile(values, 0.5)
    return {name: round(value, 1) for name, value in part.items()}


def write_summary(summary: Mapping[str, Any], folder: Path) -> Path:
    """Write ``summary.json`` whole or not at all, and let ``latest`` point to the folder.

    Parameters
    ----------
    summary
        Plain types.
    folder
        ``runs/<id>``; exists.
    """
    path = folder / "summary.json"
    text = json.dumps(summary, indent=2) + "\n"
    whole = folder / ".summary.json.tmp"
    try:
        whole.write_text(text)
        os.replace(whole, path)
    finally:
        whole.unlink(missing_ok=True)
    latest = folder.parent / "latest"
    link = folder.parent / f".latest-{folder.name}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    os.replace(link, latest)
    return path

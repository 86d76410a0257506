"""What a search over bid policies leaves in MLflow: runs like any search's, and the winner's policy."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from core.reasons import Refusal
from pipeline.evolution.bids import BidWinner
from pipeline.evolution.tracking import WINNER, RunLog

POLICY = "policy.json"
"""Setting of the winner, and what its forecast has learned."""


class BidRunLog(RunLog):
    """Writes each step of each trial of a bid policy as it comes."""

    followed = ("quantile", "shrinkage", "exploration")

    def won_bids(self, winner: BidWinner) -> str:
        """Log the winner with its policy and close the search; return the id of the winner's run."""
        setting = asdict(winner.tried.setting)
        numbers = {
            "gain": winner.gain.value,
            "gain_lower": winner.gain.lower,
            "gain_upper": winner.gain.upper,
            "kept": winner.kept.value,
            "kept.fixed": winner.fixed_kept,
            "gain_in_search": winner.tried.skill,
        }
        told = winner.gain_from_log
        tags = {"trial": winner.tried.trial}
        if isinstance(told, Refusal):
            tags["gain_from_log"] = told.reason.value
        else:
            numbers |= {
                "log.gain": told.value,
                "log.gain_lower": told.lower,
                "log.gain_upper": told.upper,
            }
        with self._store.writing():
            run = self._start(WINNER, {"mlflow.parentRunId": self.parent, **tags})
            self._params(run, {**setting, "fixed_ppm": winner.fixed_ppm, "judged": winner.judged})
            self._metrics(run, numbers, winner.judged)
            self._metrics(self.parent, numbers, winner.judged)
            self._client.log_dict(run, {"setting": setting, "learned": _plain(winner.learned)}, POLICY)
            self._end(run, "FINISHED")
            self._end(self.parent, "FINISHED")
        return run


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value

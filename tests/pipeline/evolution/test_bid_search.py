"""The same search over bid policies: every trial logged, the winner judged on auctions that no trial saw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.bid_trials import BidTrial, part_of
from models.tracking_store import TrackingStore
from models.trials import CHUNKS
from pipeline.evolution.bid_tracking import POLICY, BidRunLog
from pipeline.evolution.bids import evolve_bids
from pipeline.evolution.evolve import EvolveOptions
from pipeline.evolution.search import GRACE
from tests.models.test_bid_report import make_auctions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("local_ray"),
    # Ray's own threads and files, ended with it
    pytest.mark.filterwarnings("default"),
]


def test_asha_logs_every_trial_and_the_winning_policy(tmp_path: Path, store: TrackingStore) -> None:
    auctions = make_auctions(600)
    log = BidRunLog(store, {"seed": 7}, {"code_version": "x"})
    evolved = evolve_bids("bids", auctions, EvolveOptions(trials=3), folder=tmp_path, observer=log)
    winner, run = evolved.winner, log.won_bids(evolved.winner)
    assert all(one.error == "" and GRACE <= one.chunks <= CHUNKS for one in evolved.tried)
    assert winner.judged == 300
    assert winner.gain.lower <= winner.gain.value <= winner.gain.upper
    assert winner.gain.value == pytest.approx(winner.kept.value - winner.fixed_kept)
    # what Ray ran is what runs without it
    alone = BidTrial(part_of(auctions, 0, 300, 150), winner.tried.setting, 7)
    assert [alone.step()["skill"] for _ in range(winner.tried.chunks)][-1] == winner.tried.skill
    client = store.client()
    runs = client.search_runs([client.get_run(run).info.experiment_id])
    assert len(runs) == 3 + 2
    assert {one.info.status for one in runs} == {"FINISHED"}
    policy = json.loads(Path(client.download_artifacts(run, POLICY, str(tmp_path))).read_text())
    assert policy["setting"]["rule"] == winner.tried.setting.rule
    assert client.get_run(run).data.metrics["gain"] == winner.gain.value

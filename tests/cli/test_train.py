"""``omniarb train`` learns, registers a challenger, keeps the last blocks unseen, and leaves the champion."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cli.train
from chain.blocks import BlockHeader
from features.feature import FeatureRow
from features.registry import SCHEMA
from models.registration import alias_version
from models.registry_view import find_version
from models.tracking_store import TrackingStore
from pipeline.replay import Replay
from tests.cli.stage import omniarb, plain, refused
from tests.registry_fixtures import migrated_home

__all__ = ["migrated_home"]

BLOCKS, HELD = 290, 60


def replayed(*_: object) -> Replay:
    """Return a walk of base fees as a replay of a recording would, which takes seconds and data."""
    random = np.random.default_rng(3)
    fees = 20 + np.cumsum(random.normal(0, 0.1, BLOCKS + 1))
    rows, headers = [], []
    for number in range(BLOCKS):
        known = {"base_fee_gwei": fees[number], "next_base_fee_gwei": fees[number + 1]}
        values = tuple(float(known.get(name, 0.0)) for name in SCHEMA.names)
        rows.append(FeatureRow(1_000 + number, 12 * number, 0, SCHEMA.names, values))
        headers.append(
            BlockHeader(
                number=1_000 + number,
                hash=number.to_bytes(32, "big"),
                parent_hash=bytes(32),
                timestamp=12 * number,
                base_fee=round(fees[number] * 10**9),
                gas_used=15_000_000,
                gas_limit=30_000_000,
            )
        )
    counts = dict.fromkeys(
        ("logs", "swaps", "invariant_checked", "invariant_ok", "not_checkable", "opportunities"), 0
    )
    return Replay(
        source="a walk",
        blocks=BLOCKS,
        refusals={},
        rows=tuple(rows),
        headers=tuple(headers),
        warm_rows=(),
        warm_headers=(),
        prices={},
        gaps=(),
        digest="ab" * 32,
        **counts,
    )


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch, migrated_home: Path, tmp_path: Path) -> TrackingStore:
    monkeypatch.setattr(cli.train, "_replayed", replayed)
    shutil.copytree(migrated_home, tmp_path / "mlruns")
    return TrackingStore(tmp_path / "mlruns")


def test_what_was_trained_is_challenger_and_has_not_seen_the_last_blocks(walk: TrackingStore) -> None:
    result = omniarb("train", "--hold-back", str(HELD), "--json")
    assert result.exit_code == 0, result.output
    trained = json.loads(result.stdout)
    assert (trained["name"], trained["version"], trained["horizon_blocks"]) == ("base-fee-h2", "1", 2)
    assert trained["held_back"] == [1_000 + BLOCKS - HELD, 1_000 + BLOCKS - 1]
    assert {score["name"] for score in trained["scores"]} >= {
        trained["model"],
        "exact_formula",
        "persistence",
    }
    view = find_version(walk, "base-fee-h2", "1")
    assert (view.aliases, view.state_block) == (("challenger",), 1_000 + BLOCKS - HELD - 1)
    assert alias_version(walk.client(), "base-fee-h2", "champion") is None
    # the same again is the same version
    again = omniarb("train", "--hold-back", str(HELD))
    assert "is version 1 of base-fee-h2, challenger: has the alias already" in plain(again.stdout)


def test_another_horizon_is_another_registered_model(walk: TrackingStore) -> None:
    result = omniarb("train", "--target", "base_fee_3", "--hold-back", str(HELD), "--json")
    assert json.loads(result.stdout)["name"] == "base-fee-h3"


@pytest.mark.parametrize(
    ("target", "said"),
    [("moon", "no target 'moon'"), ("base_fee_1", "is arithmetic"), ("base_fee_0", "no target")],
)
def test_a_target_that_is_none_is_named(target: str, said: str) -> None:
    assert said in refused("train", "--target", target)


def test_too_few_blocks_are_refused(walk: TrackingStore) -> None:
    assert "leave fewer than 200" in refused("train", "--hold-back", "100", "--json")


def test_without_a_recording_one_line_says_how_to_get_one() -> None:
    assert "omniarb devnet --record" in refused("train", "--json")


def test_too_few_blocks_kept_back_are_told_with_what_the_gate_needs(walk: TrackingStore) -> None:
    said = plain(omniarb("train", "--hold-back", str(HELD)).stdout)
    # the label of the last two blocks never comes
    assert f"{HELD - 2} forecasts to judge it on, and the gate needs 200" in said
    assert f"--hold-back {HELD + 142} or more" in said
    assert "omniarb models promote" not in said


def test_the_advice_names_the_recording_that_was_learned_from(
    walk: TrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.train, "FEWEST", 80)
    said = plain(omniarb("train", "--hold-back", "202", "--tape", "my tapes/one").stdout)
    assert "`omniarb models promote 1 --name base-fee-h2 --tape 'my tapes/one'` judges it on them" in said
    said = plain(omniarb("train", "--hold-back", "202", "--day", "2024-01-05").stdout)
    assert "--name base-fee-h2 --day 2024-01-05` judges" in said


def test_a_base_fee_that_never_moves_is_refused(walk: TrackingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    moving = replayed()
    still = tuple(replace(header, base_fee=0) for header in moving.headers)
    monkeypatch.setattr(cli.train, "_replayed", lambda *_: replace(moving, headers=still))
    said = refused("train", "--hold-back", str(HELD), "--json")
    assert "have the base fee 0 wei, so there is nothing to learn" in said
    assert not (walk.home / "promotions.jsonl").exists()

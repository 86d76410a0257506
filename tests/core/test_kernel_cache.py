import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from core.kernel_cache import VARIABLE, use_kernel_cache


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    root = tmp_path / "rooms"
    for room in ("market", "scoring"):
        (root / room).mkdir(parents=True)
    (root / "scoring" / "one.py").write_text("a = 1\n")
    return root


def test_the_same_sources_share_a_folder_and_others_begin_a_new_one(rooms: Path, tmp_path: Path) -> None:
    first, again, after = {}, {}, {}
    use_kernel_cache(first, rooms, tmp_path)
    use_kernel_cache(again, rooms, tmp_path)
    (rooms / "scoring" / "one.py").write_text("a = 2\n")
    use_kernel_cache(after, rooms, tmp_path)
    assert first == again
    assert first != after
    assert all(Path(environ[VARIABLE]).is_dir() for environ in (first, after))


def test_a_named_folder_stays(rooms: Path, tmp_path: Path) -> None:
    environ = {VARIABLE: "/elsewhere"}
    assert use_kernel_cache(environ, rooms, tmp_path) == Path("/elsewhere")
    assert environ == {VARIABLE: "/elsewhere"}


def test_a_folder_that_cannot_be_written_leaves_kernels_in_memory(rooms: Path, tmp_path: Path) -> None:
    file = tmp_path / "no-folder"
    file.write_text("")
    environ: dict[str, str] = {}
    assert use_kernel_cache(environ, rooms, file) is None
    assert environ == {}


def test_only_the_newest_versions_are_kept(rooms: Path, tmp_path: Path) -> None:
    kept = []
    for version in range(7):
        (rooms / "market" / "two.py").write_text(f"a = {version}\n")
        folder = use_kernel_cache({}, rooms, tmp_path)
        assert folder is not None
        os.utime(folder, (version, version + 1))
        kept.append(folder)
    assert len(list(kept[-1].parent.iterdir())) <= 5
    assert kept[-1].is_dir()
    assert not kept[0].exists()


@pytest.mark.parametrize("name", ["one.nbi", "one.1.nbc"])
def test_kernels_that_were_cut_off_are_removed(rooms: Path, tmp_path: Path, name: str) -> None:
    folder = use_kernel_cache({}, rooms, tmp_path)
    assert folder is not None
    whole = folder / "kernels" / "whole.nbi"
    whole.parent.mkdir()
    whole.write_bytes(pickle.dumps("0.68"))
    use_kernel_cache({}, rooms, tmp_path)
    assert whole.exists()
    (whole.parent / name).write_bytes(pickle.dumps("0.68")[:-3])
    assert use_kernel_cache({}, rooms, tmp_path) == folder
    assert list(folder.iterdir()) == []


def test_a_kernel_is_read_back_by_the_next_process(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from core.compiled import compiled\n"
        "from scoring.kernels.curves import evaluate\n"
        "from scoring.columns import moebius_columns\n"
        "one = np.ones(1, np.int32)\n"
        "print(evaluate(*moebius_columns(np.ones(1), np.ones(1), one, one, one, np.zeros(1)), 0, 1.0)[0])\n"
        "print(sum(evaluate.stats.cache_hits.values()))"
    )
    environ = {**os.environ, VARIABLE: str(tmp_path)}
    run = [sys.executable, "-c", code]
    first, second = (
        subprocess.run(run, env=environ, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    )
    assert first == ["0.5", "0"]
    assert second == ["0.5", "1"]

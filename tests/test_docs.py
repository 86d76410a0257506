"""The documentation says what the code does: codes, settings, fields, commands, links."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from analysis.records import Calibration, DriftAlarm
from chain.follower import FeedCounters
from cli.main import app
from core.config_loader import ROOT, load_settings
from core.reasons import Reason
from core.settings import Settings, TokenSettings
from models.evaluation import Study, make_study
from pipeline.live_config import LiveResult
from pipeline.live_findings import FeatureFindings, LearningFindings
from pipeline.replay import Replay

NOT_OURS = {"node_modules", "runs", "build", "data", "tapes", "artifacts"}
ROOMS = ("chain", "market", "features", "scoring", "models", "execution", "pipeline", "serving", "cli")
MACHINE_PATH = re.compile(r"/(?:work|root|home)/")
IMAGE_BYTES_AT_MOST = 300_000
# an anchor keeps letters, digits, hyphens and underscores of its title
NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


def ours(pattern: str) -> list[Path]:
    paths = [path.relative_to(ROOT) for path in ROOT.rglob(pattern)]
    return sorted(
        path
        for path in paths
        if not NOT_OURS & set(path.parts) and not any(part.startswith(".") for part in path.parts)
    )


PAGES = ours("*.md")


def name_of(path: Path) -> str:
    return path.as_posix()


def read(page: Path | str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def table_rows(page: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is code."""
    rows = [line for line in read(page).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def code_lines(text: str) -> list[str]:
    """Return the lines of code blocks, and code within sentences."""
    blocks = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + codes(prose(text))


# --- reason codes


def reason_rows() -> dict[str, list[str]]:
    rows = table_rows("docs/reference/reason-codes.md")
    assert all(len(row) == 4 and all(row) for row in rows)
    explained = [codes(row[0])[0] for row in rows]
    assert len(explained) == len(set(explained)), "a code is explained twice"
    return dict(zip(explained, rows, strict=True))


def test_every_reason_code_is_explained_and_nothing_else() -> None:
    assert set(reason_rows()) == {reason.value for reason in Reason}


@cache
def attributes_read() -> frozenset[str]:
    """Return ``owner.attribute`` of every attribute that code reads, but for the loading of settings."""
    found = set()
    paths = {path for room in ("core", *ROOMS) for path in (ROOT / room).rglob("*.py")}
    for path in paths - {ROOT / "core" / "settings.py", ROOT / "core" / "config_loader.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                found.add(f"{owner}.{node.attr}")
    return frozenset(found)


def test_every_reason_code_is_given_by_some_code() -> None:
    assert {f"Reason.{reason.name}" for reason in Reason} <= attributes_read()


# --- settings


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from leaves(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field
    if model is Settings:
        yield from leaves(TokenSettings, "tokens[].")


SETTINGS = dict(leaves(Settings))


def default_of(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    return "`[]`" if field.default == () else f"`{field.default}`"


def variable_of(path: str) -> str:
    return "in the list" if "[]" in path else f"`OMNIARB_{path.upper().replace('.', '__')}`"


def read_as(path: str) -> str:
    """Return how code names a setting: its section and its name."""
    parts = ["settings", *path.partition("[]")[0].split(".")]
    return ".".join(parts[-2:])


def setting_rows() -> dict[str, list[str]]:
    rows = [row for row in table_rows("docs/reference/configuration.md") if len(row) == 6]
    return {codes(row[0])[0]: row for row in rows}


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(setting_rows()) == set(SETTINGS)


@pytest.mark.parametrize("path", SETTINGS)
def test_a_setting_is_documented_with_its_default_and_its_variable(path: str) -> None:
    field = SETTINGS[path]
    _, kind, default, used, meaning, variable = setting_rows()[path]
    assert (default, variable) == (default_of(field), variable_of(path))
    assert kind
    assert meaning
    assert used == ("yes" if read_as(path) in attributes_read() else "validated only")


@pytest.mark.parametrize("path", [path for path in SETTINGS if "tokens" not in path])
def test_a_documented_variable_reaches_its_setting(path: str) -> None:
    _, _, default, _, _, variable = setting_rows()[path]
    given = default.strip("`") if default != "none" else "elsewhere"
    given = {"mode": "replay", "storage.redis_url": "redis://elsewhere:6379/0"}.get(path, given)
    value: Any = load_settings("replay", {variable.strip("`"): given})
    for name in path.split("."):
        value = getattr(value, name)
    said = str(list(value)) if isinstance(value, tuple) else str(value)
    assert said.replace(f"{ROOT}/", "") == given


# --- summary


def sample_summary() -> dict[str, Any]:
    """Return a summary made by the code that makes a run's, of things that hold one of each."""
    from cli.run import RunOptions, _summary, _Timer
    from models.promotion import PromotionOutcome

    timer = _Timer()
    for step in re.findall(r'timer\.time\("(\w+)"\)', read("cli/run.py")):
        with timer.time(step):
            pass
    told = [(number, 20.0, 20.5, 19.0, 21.0) for number in range(3)]
    study = make_study("base_fee_gwei", 2, 0.9, {"a_model": told}, {"persistence": told})
    outcome = PromotionOutcome("name", "1", "champion", "a_model", 0.1, "persistence", "a_model", 0.1, None)
    nothing: dict[str, Any] = {
        "refusals": {Reason.DUST_PROFIT: 1},
        "rows": (),
        "headers": (),
        "prices": {},
        "gaps": (),
    }
    counted = {name.name: 1 for name in fields(Replay) if name.name not in nothing}
    return _summary(
        RunOptions("replay", 7, 2, False, 0.0, True),
        Path("run"),
        timer,
        Replay(**{**nothing, **counted}),
        SimpleNamespace(study=study, outcome=outcome),  # type: ignore[arg-type]
        SimpleNamespace(specs=()),  # type: ignore[arg-type]
        sample_result(study),
    )


def sample_result(study: Study) -> LiveResult:
    """Return what a live run counts, with one of each thing."""
    return LiveResult(
        first_block=1,
        last_block=2,
        opportunities=1,
        bundles_sent=0,
        bids=(),
        refusals=dict.fromkeys(Reason, 1),
        balance_before=0,
        balance_after=0,
        latencies_us=(1.0,),
        stages_us=dict.fromkeys(("score", "decide", "simulate", "sign"), (1.0,)),
        prices={},
        gaps=(),
        forecasts=Calibration("champion", "gwei", (0.9,), (1.0,), (1,), (20.0,), (20.5,), (19.0,), (21.0,)),
        features=FeatureFindings(
            logged={"block": 1, "market": 1},
            refused={"block": {Reason.FEATURE_NOT_FINITE: 1}},
            drift={"trend": DriftAlarm(1, "adwin", "it is 3")},
        ),
        learning=LearningFindings(study, {Reason.LABEL_MISSING: 1}),
        feed={counter.name: 1 for counter in fields(FeedCounters)},
        pools_suspended=dict.fromkeys(Reason, 1),
    )


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_field_of_a_summary_is_documented_and_nothing_else() -> None:
    documented = {field for row in table_rows("docs/reference/summary.md") for field in codes(row[0])}
    starred = {field.removesuffix("*") for field in documented if field.endswith(".*")}

    def shown(field: str) -> str:
        return next((f"{start}*" for start in starred if field.startswith(start)), field)

    assert {shown(field) for field in flat(sample_summary())} == documented


# --- commands


def command_lines(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Return each ``omniarb`` command a page shows, with its options; ``make run ARGS`` is one."""
    for line in code_lines(read(page)):
        for name, rest in re.findall(r"\bomniarb ([a-z]+)\b([^#|]*)", line):
            yield name, re.findall(r"(?<!\S)(--[a-z-]+)", rest)
        for rest in re.findall(r'make run ARGS="([^"]*)"', line):
            yield "run", re.findall(r"--[a-z-]+", rest)


def options_of(command: Any) -> set[str]:
    """Return the options of a command and of the commands below it."""
    own = {option for parameter in command.params for option in parameter.opts}
    return own.union({"--help"}, *map(options_of, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_shown_exist(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    for name, options in command_lines(page):
        assert name in group.commands, f"omniarb {name}"
        assert set(options) <= options_of(group.commands[name]), f"omniarb {name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_shown_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
    shown = {name for line in code_lines(read(page)) for name in re.findall(r"\bmake ([a-z-]+)\b", line)}
    assert shown <= targets


def test_the_readme_names_both_targets() -> None:
    lines = code_lines(read("README.md"))
    assert any(line.startswith("make run") for line in lines)
    assert any(line.startswith("make test") for line in lines)


# --- pages


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(read(page)), flags=re.MULTILINE)
    return {NOT_IN_ANCHORS.sub("", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
        place, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        target = (ROOT / page).parent / place if place else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.resolve().relative_to(ROOT))):
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("page", [*PAGES, *ours("notebooks/*.ipynb")], ids=name_of)
def test_no_page_names_a_path_of_one_machine(page: Path) -> None:
    assert not MACHINE_PATH.findall(read(page))


def test_every_decision_is_listed_and_has_its_parts() -> None:
    listed = read("docs/decisions/README.md")
    decisions = [page for page in PAGES if re.match(r"docs/decisions/\d{4}-", page.as_posix())]
    assert decisions
    for page in decisions:
        assert f"({page.name})" in listed
        text = read(page)
        assert text.startswith(f"# {page.name[:4]} ")
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Rejected")), page.name


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert pictures
    assert all(picture.stat().st_size < IMAGE_BYTES_AT_MOST for picture in pictures)

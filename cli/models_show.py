"""``omniarb models list | show | explain``: what the registry and the ledger know."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table

from cli.output import print_json, printable
from cli.screen import Screen
from cli.tracking import check_store
from core.config_loader import load_settings
from models.alias_requests import Request, open_requests
from models.ledger import LEDGER, damaged_lines
from models.registry_view import Explanation, VersionView, explain, find_by_run, find_version, list_versions
from models.tracking_store import TrackingStore


def open_registry(config: str, name: str) -> tuple[TrackingStore, str, str]:
    """Return the store of a configuration, the registered model meant, and the alias that serves.

    Raises
    ------
    ConfigError
        If the configuration is wrong.
    InputError
        If there is no registry, and none could be made where it should be.
    """
    # its notes about tables and examples are of no use on this screen
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    settings = load_settings(config, os.environ)
    store = TrackingStore(settings.storage.mlflow_home)
    if not store.exists:
        check_store(store.home)
    return store, name or settings.models.registered_name, settings.models.alias


def list_models(config: str, name: str, *, as_json: bool) -> None:
    """Print every version.

    Raises
    ------
    InputError
        If there is no registry, no such model, or the database cannot be used.
    """
    store, name, _ = open_registry(config, name)
    views = list_versions(store, name)
    requests, damaged = open_requests(store, name), damaged_lines(store)
    if as_json:
        print_json(
            plain(
                {
                    "name": name,
                    "versions": [asdict(view) for view in views],
                    "open_requests": [asdict(request) for request in requests],
                    "damaged_ledger_lines": damaged,
                }
            )
        )
        return
    screen = Screen(quiet=False, steps=1)
    _show_list(screen, name, views)
    _show_open(screen, requests)
    if damaged:
        lines = ", ".join(map(str, damaged))
        screen.console.print(f"line(s) {lines} of {store.home / LEDGER} cannot be read; the others count")


def _show_list(screen: Screen, name: str, views: tuple[VersionView, ...]) -> None:
    table = Table(title=printable(name), title_justify="left", pad_edge=False)
    for heading in ("version", "model", "alias", "skill", "coverage", "decided"):
        right = heading in ("version", "skill", "coverage")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for view in views:
        cells = (
            view.version,
            view.model,
            ", ".join(view.aliases) or "-",
            f"{view.skill:+.4f}",
            _share(view.coverage),
            _decided_in_short(view),
        )
        table.add_row(*map(printable, cells))
    screen.console.print(table)


def _decided_in_short(view: VersionView) -> str:
    """Return the reason code of the last decision, or what it was; ``explain`` tells the whole."""
    decided, reason = (view.gate, view.gate_reason) if view.gate else (view.why, view.reason)
    return reason or decided.partition(":")[0]


def _show_open(screen: Screen, requests: tuple[Request, ...]) -> None:
    for request in requests:
        screen.console.print(
            f"{request.alias} was moved to version {request.asked} and nothing was decided yet (before: "
            f"{request.before or 'nothing'}); `omniarb models promote` decides",
            soft_wrap=True,
        )


def show_model(config: str, name: str, version: str, *, as_json: bool) -> None:
    """Print one version in full.

    Raises
    ------
    InputError
        If there is no registry, model or version, or the database cannot be used.
    """
    store, name, _ = open_registry(config, name)
    view = find_version(store, name, version)
    if as_json:
        print_json(plain(asdict(view)))
        return
    screen = Screen(quiet=False, steps=1)
    screen.table(f"{name} version {version}", _in_full(view))


def _in_full(view: VersionView) -> list[tuple[str, str, str]]:
    return [
        ("model", view.model, ""),
        ("aliases", ", ".join(view.aliases) or "-", ""),
        ("skill", f"{view.skill:+.4f}", f"against {view.baseline}, in its study"),
        _loss(view),
        ("coverage", _share(view.coverage), "" if math.isnan(view.nominal) else f"nominal {view.nominal:g}"),
        ("last block", f"{view.state_block:,}", "the last one it has learned from"),
        ("study", view.why or "-", view.reason),
        ("gate", view.gate or "never asked", view.gate_reason),
        ("registered", view.created, ""),
        ("run", view.run_id or "-", ""),
        ("snapshot", view.snapshot or "-", "SHA-256"),
    ]


def _loss(view: VersionView) -> tuple[str, str, str]:
    if math.isfinite(view.brier):
        return "Brier score", f"{view.brier:.4g}", "mean squared error of a probability"
    return "mean error", f"{view.mae:.4g}" if math.isfinite(view.mae) else "-", "in the target's unit"


def _share(number: float) -> str:
    return f"{number:.3f}" if math.isfinite(number) else "-"


def explain_model(config: str, name: str, what: str, *, as_json: bool) -> None:
    """Print why a version serves or does not.

    Parameters
    ----------
    config, name
        Configuration and registered model.
    what
        A version's number, or the id of a run or the id's beginning.
    as_json
        Print a document.

    Raises
    ------
    InputError
        If there is no registry, model, version or run, or the database cannot be used.
    """
    store, name, _ = open_registry(config, name)
    # ids of runs are long; a short number can only be meant as a version
    is_version = what.isdecimal() and len(what) < 8
    view = find_version(store, name, what) if is_version else find_by_run(store, name, what)
    told = explain(store, view)
    if as_json:
        print_json(plain(asdict(told)))
        return
    _show_explanation(Screen(quiet=False, steps=1), told)


def _show_explanation(screen: Screen, told: Explanation) -> None:
    view = told.view
    screen.console.print(printable(f"version {view.version} of {view.name} {told.verdict}"), soft_wrap=True)
    screen.table("Trained on", [(key, value, "") for key, value in told.trained_on.items()])
    for entry in told.decisions:
        screen.table(
            f"{entry['when'][:19]} {entry.get('kind', 'study')} by {entry.get('who', 'study')}",
            _decided(entry),
        )


def _decided(entry: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = [
        ("alias", f"{entry['alias']}", f"from {entry['from'] or 'nothing'} to {entry['to'] or 'nothing'}"),
        ("asked", f"version {entry.get('asked') or entry['to']}", entry.get("reason") or ""),
        ("why", entry.get("why") or "-", ""),
    ]
    evidence = entry.get("evidence") or {}
    return rows + [(key, f"{value}", "") for key, value in evidence.items() if not isinstance(value, dict)]


def plain(value: Any) -> Any:
    """Return a tree for JSON, with ``None`` for numbers that JSON has no word for."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

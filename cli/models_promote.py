"""``omniarb models promote | rollback``: the gate's decisions, carried out and said in one sentence each."""

from __future__ import annotations

import getpass
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.models_show import open_registry, plain
from cli.models_trial import record_trial, target_gate
from cli.output import print_json
from cli.screen import Screen
from core.config_loader import load_settings
from core.errors import InputError
from core.seams import SystemClock
from core.settings import Settings
from models.alias_requests import ALIASES, Registrar, open_requests
from models.gate import Gate
from models.ledger import Decision
from models.registry_view import find_version, list_versions
from models.target_versions import target_of


@dataclass(frozen=True, slots=True)
class PromoteOptions:
    """What to decide, and on which recording; empty texts mean the configuration's."""

    version: str | None
    alias: str
    config: str
    name: str
    tape: Path | None
    day: str
    as_json: bool


def promote_model(options: PromoteOptions) -> bool:
    """Decide and say so; return whether nothing was refused.

    Raises
    ------
    InputError
        If there is no registry, model or version, nothing to replay, or the database cannot be used.
    ModelError
        If another process decides just now, or the store cannot be written.
    """
    store, name, serving = open_registry(options.config, options.name)
    alias = _known_alias(options.alias or serving, serving)
    if target_of(name) and (options.tape is not None or options.day):
        raise InputError(
            f"{name} is judged on the rows of {target_of(name)} kept back for it; leave out --tape and --day"
        )
    # refused now what would otherwise be refused after the replay
    if options.version is not None:
        find_version(store, name, options.version)
    else:
        list_versions(store, name)
        if not open_requests(store, name, _aliases(serving)):
            _say(options, (), "no alias was moved, so there is nothing to decide; name a version to promote")
            return True
    screen = Screen(quiet=options.as_json, steps=1)
    settings = load_settings(options.config, os.environ)
    gate = _gate(screen, settings, name, options)
    registrar = Registrar(store, name, SystemClock(), champion=serving)
    if options.version is not None:
        decisions: tuple[Decision, ...] = (registrar.request(gate, options.version, alias, who=user()),)
    else:
        decisions = registrar.settle_requests(gate, who=user(), aliases=_aliases(serving))
    _say(options, decisions, "")
    return all(decision.reason is None for decision in decisions)


def _gate(screen: Screen, settings: Settings, name: str, options: PromoteOptions) -> Gate:
    target = target_of(name)
    if target:
        return target_gate(screen, settings, target)
    return Gate(record_trial(screen, settings, options.tape, options.day))


def roll_back(config: str, name: str, alias: str, *, as_json: bool) -> None:
    """Give an alias back to the version before, and say so.

    Raises
    ------
    InputError
        If there is no registry or model, no version had the alias before, or the database cannot be used.
    ModelError
        If another process decides just now, or no earlier version loads.
    """
    store, name, serving = open_registry(config, name)
    registrar = Registrar(store, name, SystemClock(), champion=serving)
    decision = registrar.rollback(_known_alias(alias or serving, serving), who=user())
    if as_json:
        print_json(plain(asdict(decision)))
        return
    screen = Screen(quiet=False, steps=1)
    screen.figure(_sentence(decision))
    for version, why in decision.evidence["passed_over"].items():
        screen.figure(f"passed over version {version}: {why}")


def user() -> str:
    """Return who asks, as the ledger writes it down."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _aliases(serving: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((serving, *ALIASES)))


def _known_alias(alias: str, serving: str) -> str:
    if alias not in _aliases(serving):
        raise InputError(f"there is no alias {alias}; there are {', '.join(_aliases(serving))}", alias=alias)
    return alias


def _say(options: PromoteOptions, decisions: tuple[Decision, ...], otherwise: str) -> None:
    if options.as_json:
        print_json(plain({"decisions": [asdict(decision) for decision in decisions], "note": otherwise}))
        return
    screen = Screen(quiet=False, steps=1)
    for decision in decisions:
        screen.figure(_sentence(decision))
    if otherwise:
        screen.figure(otherwise)


def _sentence(decision: Decision) -> str:
    asked = f"version {decision.asked} of {decision.name}"
    if decision.reason is None:
        return f"{asked} is {decision.alias} (before: {decision.before or 'nothing'}): {decision.why}"
    stays = f"version {decision.after} stays" if decision.after else "nothing has the alias"
    return f"{asked} is not {decision.alias}, {stays}: {decision.reason.value}: {decision.why}"

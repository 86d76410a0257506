"""The way back: an alias goes to the version that had it before, at once and without a test."""

from __future__ import annotations

from core.errors import InputError, ModelError
from core.seams import Clock
from models.champion import load_version
from models.ledger import PATIENCE_S, ROLLBACK, Decision, append, deciding, settled
from models.registration import alias_version
from models.registry_view import list_versions
from models.tracking_store import TrackingStore


def roll_back(store: TrackingStore, name: str, alias: str, *, who: str, clock: Clock) -> Decision:
    """Give an alias back to the version that had it before, without a test: going back must be instant.

    A trial that is under way is not waited for, and decides nothing about this alias any more. A version that
    does not load any more, or was deleted, is passed over.

    Parameters
    ----------
    store, name, alias
        Registry, registered model and alias.
    who
        Who decides, for the ledger.
    clock
        Time in the ledger.

    Raises
    ------
    ModelError
        If no earlier version loads, another process goes on moving aliases, or the store cannot be written.
    InputError
        If no version had the alias before, or the database cannot be used.
    """
    list_versions(store, name)
    with store.writing(), deciding(store, PATIENCE_S):
        client = store.client()
        now = alias_version(client, name, alias)
        earlier = settled(store, name, alias)
        while earlier and earlier[-1] == now:
            earlier.pop()
        if not earlier:
            now_first = f" version {now}, the first" if now else ""
            raise InputError(
                f"the ledger knows no version that was {alias} of {name} before{now_first}; promote another "
                "one with `omniarb models promote`",
                alias=alias,
            )
        version, passed_over = _newest_that_loads(store, name, earlier)
        decision = Decision(
            kind=ROLLBACK,
            who=who,
            name=name,
            alias=alias,
            before=now,
            asked=version,
            after=version,
            reason=None,
            why=f"rolled back from version {now}" if now else "rolled back",
            evidence={"passed_over": passed_over},
        )
        client.set_registered_model_alias(name, alias, version)
        append(store, decision, clock)
        return decision


def _newest_that_loads(store: TrackingStore, name: str, versions: list[str]) -> tuple[str, dict[str, str]]:
    passed_over: dict[str, str] = {}
    for version in reversed(versions):
        try:
            load_version(store, name, version)
        except (ModelError, InputError) as error:
            passed_over[version] = error.message
        else:
            return version, passed_over
    raise ModelError(
        f"none of the earlier versions {', '.join(passed_over)} of {name} loads; promote another one with "
        "`omniarb models promote`",
        versions=list(passed_over),
    )

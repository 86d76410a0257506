"""Who has an alias, and whom it asks for: the ledger says the first, the alias itself the second.

Anybody can move an alias, and delete a version. What serves is what was decided, so a move changes nothing
by itself; where what was decided is gone, what was decided before it serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from core.reasons import Reason, Refusal
from models.ledger import held_versions, read_ledger
from models.registration import alias_version
from models.tracking_store import TrackingStore


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one alias stands.

    Parameters
    ----------
    decided
        Version that has it by decision, the newest that is still registered; ``None`` if there is none.
    asked
        Version it points to; ``None`` if it was taken away, or never given.
    latest
        The last entry of the ledger about any alias of the model; ``None`` if there is none.
    ruled
        Whether the ledger holds a decision about this alias, a refusal included.
    gone
        Version that was decided after ``decided`` and deleted in MLflow since; ``None`` if there is none.
    """

    decided: str | None
    asked: str | None
    latest: Mapping[str, Any] | None = None
    ruled: bool = False
    gone: str | None = None

    @property
    def holder(self) -> str | None:
        """The version that has the alias: by decision, or, where none was ever taken, as it points.

        Examples
        --------
        >>> Standing("1", "2").holder, Standing(None, "2").holder, Standing(None, None).holder
        ('1', '2', None)
        >>> Standing(None, "2", ruled=True).holder is None
        True
        """
        return self.asked if self.decided is None and not self.ruled else self.decided

    @property
    def waits(self) -> bool:
        """Whether the alias points to a version that was not decided to have it.

        Examples
        --------
        >>> Standing("1", "2").waits, Standing("1", "1").waits, Standing("1", None).waits
        (True, False, False)
        """
        return self.asked is not None and self.asked != self.decided

    @property
    def refusal(self) -> Refusal | None:
        """Why what serves is not what the alias or the ledger says; ``None`` if it is.

        Examples
        --------
        >>> Standing("1", "2").refusal.detail
        'version 2 waits for the gate; version 1 serves until it is decided'
        """
        if self.asked is not None and self.asked != self.holder:
            until = (
                f"version {self.holder} serves until it is decided"
                if self.holder
                else "none that was accepted before is there"
            )
            return Refusal(Reason.AWAITING_GATE, f"version {self.asked} waits for the gate; {until}")
        if self.gone is not None:
            back = (
                f"version {self.decided}, which had it before, serves; `omniarb models rollback` decides so"
                if self.decided is not None
                else "no earlier one is left; promote one with `omniarb models promote`"
            )
            return Refusal(
                Reason.NO_CHAMPION,
                f"version {self.gone} has the alias by decision and was deleted in MLflow; {back}",
            )
        if self.holder is None:
            return Refusal(Reason.NO_CHAMPION, "no version has the alias; train and promote one")
        if self.asked is None:
            return Refusal(
                Reason.NO_CHAMPION,
                f"the alias was taken away; version {self.decided} serves on, and "
                "`omniarb models rollback` gives it the alias back",
            )
        return None


def find_standing(store: TrackingStore, name: str, alias: str) -> Standing:
    """Return where an alias of a registered model stands; nothing is made if there is no store.

    Raises
    ------
    InputError
        If the database cannot be used.
    """
    entries = read_ledger(store)
    held = held_versions(entries, name, alias)
    newest = held[-1] if held else None
    decided, asked = newest, None
    if store.exists:
        with store.reading():
            client = store.client()
            asked = alias_version(client, name, alias)
            decided = next((version for version in reversed(held) if _exists(client, name, version)), None)
    return Standing(
        decided=decided,
        asked=asked,
        latest=next((entry for entry in reversed(entries) if entry["name"] == name), None),
        ruled=any((entry["name"], entry["alias"]) == (name, alias) for entry in entries),
        gone=newest if newest != decided else None,
    )


def _exists(client: MlflowClient, name: str, version: str) -> bool:
    try:
        client.get_model_version(name, version)
    except MlflowException as error:
        # a version that was deleted "does not exist"; what is no number at all is an "invalid parameter"
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return False
        raise
    return True

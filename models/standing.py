"""Who has an alias, and whom it asks for: the ledger says the first, the alias itself the second.

Anybody can move an alias. What serves is what was decided, so a move changes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.ledger import held_versions, read_ledger
from models.registration import alias_version
from models.tracking_store import TrackingStore


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one alias stands.

    Parameters
    ----------
    decided
        Version that has it by decision; ``None`` if nothing was ever decided.
    asked
        Version it points to; ``None`` if it was taken away, or never given.
    latest
        The last entry of the ledger about any alias of the model; ``None`` if there is none.
    """

    decided: str | None
    asked: str | None
    latest: Mapping[str, Any] | None = None

    @property
    def holder(self) -> str | None:
        """The version that has the alias: by decision, or, where nothing was decided, as it points.

        Examples
        --------
        >>> Standing("1", "2").holder, Standing(None, "2").holder, Standing(None, None).holder
        ('1', '2', None)
        """
        return self.decided if self.decided is not None else self.asked

    @property
    def waits(self) -> bool:
        """Whether the alias points to a version that was not decided to have it.

        Examples
        --------
        >>> Standing("1", "2").waits, Standing("1", "1").waits, Standing("1", None).waits
        (True, False, False)
        """
        return self.asked is not None and self.asked != self.decided


def find_standing(store: TrackingStore, name: str, alias: str) -> Standing:
    """Return where an alias of a registered model stands; nothing is made if there is no store.

    Raises
    ------
    InputError
        If the database cannot be used.
    """
    entries = read_ledger(store)
    held = held_versions(entries, name, alias)
    asked = None
    if store.exists:
        with store.reading():
            asked = alias_version(store.client(), name, alias)
    latest = next((entry for entry in reversed(entries) if entry["name"] == name), None)
    return Standing(held[-1] if held else None, asked, latest)

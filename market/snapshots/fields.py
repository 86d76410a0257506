"""Fields of a JSON record, each taken as exactly what it has to be or refused.

Integers stay integers and decimals stay decimals: a number never passes through a float on its way
to a pool.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NoReturn

from chain.blocks import Address
from core.errors import MarketError
from core.reasons import Reason, Refusal

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WHOLE = re.compile(r"-?[0-9]{1,78}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DECIMAL = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
_SHOWN = 60


class Unusable(MarketError):
    """One entry of a file cannot be used; ``fields['reason']`` says why. The others still can."""

    code = "ENTRY_UNUSABLE"

    @property
    def refusal(self) -> Refusal:
        """The reason and the sentence, as a value."""
        return Refusal(self.fields["reason"], self.message)


class Record(dict[str, Any]):
    """A JSON object that remembers which of its keys came more than once."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs) if len(self) < len(pairs) else Counter[str]()
        self.repeated = frozenset(key for key, count in counts.items() if count > 1)


def malformed(detail: str) -> NoReturn:
    """Refuse an entry whose field is missing or not what it has to be."""
    raise Unusable(detail, reason=Reason.MALFORMED_ENTRY)


def need(record: Record, name: str) -> Any:
    """Return a field that must be there, once."""
    if name not in record:
        malformed(f"{name} is missing")
    if name in record.repeated:
        malformed(f"{name} is there twice")
    return record[name]


def child(record: Record, name: str) -> Record:
    """Return a field that must be an object without repeated keys."""
    value = as_record(need(record, name), name)
    if value.repeated:
        malformed(f"{name} names {min(value.repeated)[:_SHOWN]!r} twice")
    return value


def as_record(value: Any, name: str) -> Record:
    """Return a value that must be an object."""
    if not isinstance(value, Record):
        malformed(f"{name} is no object")
    return value


def as_list(value: Any, name: str) -> list[Any]:
    """Return a value that must be a list."""
    if not isinstance(value, list):
        malformed(f"{name} is no list")
    return value


def as_address(value: Any, name: str) -> Address:
    """Return a value that must be an address, in lower case."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        malformed(f"{name} is no address: {_show(value)}")
    return value.lower()


def as_whole(value: Any, name: str) -> int:
    """Return a value that must be an integer, or one in decimal or ``0x`` text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, str) and _HEX.fullmatch(value):
        return int(value, 16)
    malformed(f"{name} is no integer: {_show(value)}")


def as_fixed(value: Any, places: int, name: str) -> int:
    """Return decimal text as an integer of ``places`` decimals, exactly.

    Raises
    ------
    Unusable
        ``PRECISION_LOST`` if the text has more decimals than that.

    Examples
    --------
    >>> as_fixed("0.003", 6, "fee"), as_fixed("0.000001", 6, "fee")
    (3000, 1)
    """
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        malformed(f"{name} is no decimal text: {_show(value)}")
    units, _, decimals = value.partition(".")
    decimals = decimals.rstrip("0")
    if len(decimals) > places:
        raise Unusable(
            f"{name} {value} has more than {places} decimals, which the pool's arithmetic here cannot hold",
            reason=Reason.PRECISION_LOST,
        )
    return int(units + decimals.ljust(places, "0"))


def as_price(value: Any) -> float | None:
    """Return a positive finite number; ``None`` for anything else, which is no price."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        price = float(value)
    except OverflowError:
        return None
    return price if 0 < price < float("inf") else None


def by_address(record: Record, name: str) -> dict[Address, Any]:
    """Return an object whose keys are addresses, ordered by address as contracts do."""
    found = {as_address(key, f"a key of {name}"): value for key, value in record.items()}
    if len(found) < len(record):
        malformed(f"{name} names an address twice")
    return dict(sorted(found.items()))


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"

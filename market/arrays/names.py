"""Which row a log means: contracts and ids of pools as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chain.blocks import Address, RawLog
from market.advance import listens_to, speaking_names
from market.arrays.follow import LogColumns, NameColumns
from market.arrays.limbs import to_limbs
from market.bulk.decoder import DecodedLogs
from market.pools.spec import PoolSpec

_ID_DIGITS = 66
_STRANGER = -1


@dataclass(frozen=True, slots=True)
class PlacedLogs:
    """Decoded logs, with the pools they mean looked up in one market; see :meth:`MarketArrays.placed`."""

    decoded: DecodedLogs
    columns: LogColumns

    def log(self, place: int) -> RawLog:
        """Return one of the logs."""
        return self.decoded.raw.log(place)


class Names:
    """Names of all pools.

    Parameters
    ----------
    specs
        Of each row, in order, and whether its events are followed in columns.
    """

    def __init__(self, specs: Iterable[tuple[PoolSpec, bool]]) -> None:
        self._contracts: dict[Address, int] = {}
        self._rows: dict[str, int] = {}
        targets: list[int] = []
        for row, (spec, in_columns) in enumerate(specs):
            names = (*speaking_names(spec), spec.pool_id)
            for contract in (*listens_to(spec), *names):
                self._contracts.setdefault(contract, len(self._contracts))
            targets.append(self._contracts[spec.address])
            if in_columns:
                self._rows.update(dict.fromkeys(names, row))
        own_row = np.full(len(self._contracts), _STRANGER, np.int32)
        for name, row in self._rows.items():
            own_row[self._contracts[name]] = row
        ids = sorted(name for name in self._rows if len(name) == _ID_DIGITS)
        self.columns = NameColumns(
            own_row,
            np.array(targets, dtype=np.int32),
            to_limbs((int(name, 16) for name in ids), 4).copy(),
            np.array([self._rows[name] for name in ids], dtype=np.int32),
        )

    def row_of(self, name: str) -> int | None:
        """Return the row that a name in an event means; ``None`` if it is none in columns."""
        return self._rows.get(name)

    def placed(self, decoded: DecodedLogs) -> PlacedLogs:
        """Return decoded logs with the contracts as numbers of ours."""
        raw = decoded.raw
        contract = self._numbers(raw.addresses)[raw.address] if len(raw) else np.zeros(0, np.int32)
        columns = LogColumns(
            raw.block_number, raw.log_index, contract, decoded.kind, decoded.words, decoded.ticks
        )
        return PlacedLogs(decoded, columns)

    def _numbers(self, addresses: Sequence[Address]) -> NDArray[np.int32]:
        return np.array([self._contracts.get(address, _STRANGER) for address in addresses], dtype=np.int32)

"""Columns made longer when pools are added, and cut to size when all are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from market.arrays.balances import BalanceColumns, balance_columns
from market.arrays.concentrated import ConcentratedColumns
from market.arrays.journal import BALANCES, CONCENTRATED, PAIR, RowColumns, Tables
from market.arrays.pairs import PairColumns
from market.arrays.ticks import TickColumns

T = TypeVar("T", bound=np.generic)


def with_slots(tables: Tables, rows: int, used: Mapping[int, int], most_tokens: int) -> Tables:
    """Return columns with room for at least so many rows, slots of each shape, and tokens of a pool."""
    if rows > len(tables.rows.lane):
        tables = tables._replace(rows=_rows(tables.rows, 2 * rows))
    if used[PAIR] > len(tables.pairs.reserves):
        tables = tables._replace(pairs=PairColumns._make(_longer(a, 2 * used[PAIR]) for a in tables.pairs))
    if used[CONCENTRATED] > len(tables.concentrated.tick):
        tables = _concentrated(tables, 2 * used[CONCENTRATED])
    if used[BALANCES] > len(tables.balances.length):
        tables = tables._replace(balances=_balances(tables.balances, 2 * used[BALANCES], 0))
    if most_tokens > tables.balances.tokens.shape[1]:
        slots = len(tables.balances.length)
        tables = tables._replace(balances=_balances(tables.balances, slots, most_tokens))
    return tables


def cut(tables: Tables, rows: int, used: Mapping[int, int]) -> Tables:
    """Return columns with exactly so many rows and slots of each shape."""
    tables = _concentrated(tables, used[CONCENTRATED])
    return tables._replace(
        rows=_rows(tables.rows, rows),
        pairs=PairColumns._make(_longer(array, used[PAIR]) for array in tables.pairs),
        balances=_balances(tables.balances, used[BALANCES], 0),
    )


def _rows(columns: RowColumns, count: int) -> RowColumns:
    return RowColumns._make(_longer(array, count) for array in columns)


def _concentrated(tables: Tables, count: int) -> Tables:
    pools = ConcentratedColumns._make(_longer(array, count) for array in tables.concentrated)
    slices: TickColumns = tables.ticks._replace(
        start=_longer(tables.ticks.start, count),
        length=_longer(tables.ticks.length, count),
        room=_longer(tables.ticks.room, count),
    )
    return tables._replace(concentrated=pools, ticks=slices)


def _balances(columns: BalanceColumns, count: int, most: int) -> BalanceColumns:
    places = columns.tokens.shape[1]
    fresh = balance_columns(count, max(places, most))
    kept = min(count, len(columns.length))
    fresh.length[:kept] = columns.length[:kept]
    fresh.tokens[:kept, :places] = columns.tokens[:kept]
    fresh.balances[:kept, :places] = columns.balances[:kept]
    fresh.balance_floats[:kept, :places] = columns.balance_floats[:kept]
    return fresh


def _longer(array: NDArray[T], count: int) -> NDArray[T]:
    """Return an array of so many rows, with zeros at the end or without its end."""
    fresh = np.zeros((count, *array.shape[1:]), array.dtype)
    kept = min(count, len(array))
    fresh[:kept] = array[:kept]
    return fresh

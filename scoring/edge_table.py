"""The curves of a whole market in columns, kept up with its pools.

Rows are edges in the order of pool id, token in and token out, so a row number is an order too. A pool that
moved changes its rows in place. The pieces of concentrated liquidity lie in one arena, each edge's with room
to spare; an edge that has outgrown its room makes the arena anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from chain.blocks import Address
from core.errors import InputError, MarketError
from core.reasons import Reason
from market.pools.concentrated import ConcentratedPool
from market.pools.pool import Pool
from scoring.columns import MOEBIUS, SEGMENTED, TERMS, EdgeColumns, PieceColumns
from scoring.cycles import Edge
from scoring.devices.device import Change
from scoring.edge_pieces import TickRanges, pieces_of, tradable
from scoring.edge_terms import edge_terms, is_market_rate, why_dead
from scoring.majorants import set_majorants

_SLACK = 16
"""Pieces of room to spare, and one in four of those that are there."""


class EdgeTable:
    """Columns of a market's edges; see :mod:`scoring.columns`.

    Parameters
    ----------
    pools
        Of any family; their order does not matter.
    tokens
        Addresses of the market's tokens; a mapping by address will do.
    costs
        What a swap costs, in wei of the native token: of every pool, or by pool id.
    suspended
        Ids of pools in which nothing is traded for now.

    Attributes
    ----------
    edges
        Changes in place.
    pieces
        Changes in place, and is another value when the arena was made anew: take it after each update.

    Raises
    ------
    InputError
        If a pool comes twice, its token is not among ``tokens``, or its cost is missing.

    Examples
    --------
    >>> from market.pools.spec import PoolSpec
    >>> from market.pools.uniswap_v2 import UniswapV2Pool
    >>> pool = UniswapV2Pool(PoolSpec("uniswap_v2", "0xp", "0xp", ("0xa", "0xb"), 0), 1000, 500)
    >>> table = EdgeTable([pool], ("0xa", "0xb"), costs=7.0)
    >>> table.edge(1), table.row("0xp", "0xb", "0xa")
    (Edge(pool_id='0xp', token_in='0xb', token_out='0xa'), 1)
    >>> table.edges.rate.round(6), table.edges.cost
    (array([0.5, 2. , 1. ]), array([7., 7., 0.]))
    """

    def __init__(
        self,
        pools: Iterable[Pool],
        tokens: Iterable[Address],
        costs: Mapping[str, float] | float = 0.0,
        suspended: Iterable[str] = (),
    ) -> None:
        ordered = sorted(pools, key=lambda pool: pool.pool_id)
        self.pool_ids: tuple[str, ...] = tuple(pool.pool_id for pool in ordered)
        self.tokens: tuple[Address, ...] = tuple(sorted(set(tokens)))
        self.pool_numbers: Mapping[str, int] = {name: at for at, name in enumerate(self.pool_ids)}
        self.token_numbers: Mapping[Address, int] = {name: at for at, name in enumerate(self.tokens)}
        if len(self.pool_numbers) != len(self.pool_ids):
            raise InputError("a pool comes twice; list each once")
        self._edges: list[Edge] = []
        self._rows: dict[str, range] = {}
        for pool in ordered:
            first = len(self._edges)
            self._edges += self._edges_of(pool)
            self._rows[pool.pool_id] = range(first, len(self._edges))
        self._row: dict[Edge, int] = {edge: row for row, edge in enumerate(self._edges)}
        self._dead: dict[int, Reason] = {}
        self._ranges: dict[str, TickRanges] = {}
        self._room: dict[int, tuple[int, int]] = {}
        self.edges: EdgeColumns = self._columns(costs)
        self.pieces: PieceColumns = PieceColumns(*(np.zeros(0) for _ in PieceColumns._fields))
        self._fill(ordered, set(suspended))

    def __len__(self) -> int:
        return len(self._edges)

    def edge(self, row: int) -> Edge:
        """Return the edge of a row."""
        return self._edges[row]

    def row(self, pool_id: str, token_in: Address, token_out: Address) -> int:
        """Return the row of an edge.

        Raises
        ------
        MarketError
            If the table has no such edge.
        """
        try:
            return self._row[Edge(pool_id, token_in, token_out)]
        except KeyError:
            raise MarketError(
                "the table has no such edge; make it from the same pools",
                pool_id=pool_id,
                token_in=token_in,
                token_out=token_out,
            ) from None

    def rows_of(self, pool_id: str) -> range:
        """Return the rows of a pool, which follow each other.

        Raises
        ------
        MarketError
            If the table was made without the pool.
        """
        try:
            return self._rows[pool_id]
        except KeyError:
            raise MarketError(
                "the table has no such pool; make it from the same pools", pool_id=pool_id
            ) from None

    def why_dead(self, row: int) -> Reason | None:
        """Return why an edge gives nothing, ``None`` if it gives something."""
        return self._dead.get(row)

    def update(self, pool: Pool, suspended: bool = False) -> Change:
        """Take over a pool that moved, and return its rows and what their majorants are now.

        Parameters
        ----------
        pool
            The new value.
        suspended
            Whether nothing is traded in it for now.

        Raises
        ------
        MarketError
            If the table was made without the pool, or its family has no formula.
        """
        rows = self.rows_of(pool.pool_id)
        for row, pieces in self._set(pool, suspended).items():
            first, stop = self._room[row]
            if first + len(pieces.a) > stop:
                self._make_room({row: pieces})
            else:
                self._write(row, pieces)
        return self._changed(rows)

    def _edges_of(self, pool: Pool) -> list[Edge]:
        unknown = sorted(set(pool.tokens) - set(self.token_numbers))
        if unknown:
            raise InputError(
                "a pool's token is not among the market's; add it",
                pool_id=pool.pool_id,
                token=unknown[0],
            )
        names = sorted(pool.tokens)
        return [Edge(pool.pool_id, given, taken) for given in names for taken in names if given != taken]

    def _columns(self, costs: Mapping[str, float] | float) -> EdgeColumns:
        """Return columns in which no edge gives anything, and the padding row."""
        count = len(self._edges)
        terms = np.zeros((count + 1, TERMS))
        terms[:count, 1], terms[count, 0] = 1.0, 1.0
        try:
            paid = [costs[name] if isinstance(costs, Mapping) else costs for name in self.pool_ids]
        except KeyError as error:
            raise InputError("the cost of a swap is missing; add the pool", pool_id=error.args[0]) from None
        pool = _with_none([self.pool_numbers[edge.pool_id] for edge in self._edges])
        return EdgeColumns(
            rate=np.append(np.zeros(count), 1.0),
            bend=np.append(np.ones(count), 0.0),
            kind=np.full(count + 1, MOEBIUS, np.uint8),
            terms=terms,
            first=np.zeros(count + 1, np.int64),
            stop=np.zeros(count + 1, np.int64),
            excess=np.zeros(count + 1),
            pool=pool,
            token_in=_with_none([self.token_numbers[edge.token_in] for edge in self._edges]),
            token_out=_with_none([self.token_numbers[edge.token_out] for edge in self._edges]),
            cost=np.append(np.array(paid, dtype=np.float64), 0.0)[pool],
        )

    def _fill(self, pools: Iterable[Pool], suspended: set[str]) -> None:
        pieces: dict[int, PieceColumns] = {}
        for pool in pools:
            pieces |= self._set(pool, pool.pool_id in suspended)
        self._make_room(pieces)
        self._changed(range(len(self)))

    def _set(self, pool: Pool, suspended: bool) -> dict[int, PieceColumns]:
        """Write all of a pool's rows but the pieces, which are returned."""
        found: dict[int, PieceColumns] = {}
        for row in self.rows_of(pool.pool_id):
            self._bury(row, Reason.POOL_QUARANTINED)
            if suspended:
                continue
            edge = self._edges[row]
            if isinstance(pool, ConcentratedPool):
                pieces = self._pieces_of(pool, edge)
                if pieces is None:
                    self._dead[row] = why_dead(pool, edge.token_in, edge.token_out)
                    continue
                found[row] = pieces
                self.edges.kind[row] = SEGMENTED
                self._room.setdefault(row, (0, 0))
            else:
                terms = edge_terms(pool, edge.token_in, edge.token_out)
                if isinstance(terms, Reason):
                    self._dead[row] = terms
                    continue
                self.edges.kind[row], self.edges.excess[row] = terms.kind, terms.excess
                self.edges.terms[row, : len(terms.terms)] = terms.terms
            del self._dead[row]
        return found

    def _bury(self, row: int, reason: Reason) -> None:
        """Make an edge give nothing."""
        self.edges.kind[row], self.edges.excess[row] = MOEBIUS, 0.0
        self.edges.terms[row], self.edges.terms[row, 1] = 0.0, 1.0
        self.edges.first[row] = self.edges.stop[row] = 0
        self._dead[row] = reason

    def _pieces_of(self, pool: ConcentratedPool, edge: Edge) -> PieceColumns | None:
        """Return the pieces of one direction, ``None`` if there are none."""
        if not tradable(pool):
            return None
        ranges = self._ranges.get(pool.pool_id)
        if ranges is None or not ranges.hold(pool):
            ranges = self._ranges[pool.pool_id] = TickRanges.of(pool)
        pieces = pieces_of(pool, ranges, zero_for_one=edge.token_in == pool.tokens[0])
        return pieces if len(pieces.a) else None

    def _write(self, row: int, pieces: PieceColumns) -> None:
        first = self._room[row][0]
        stop = first + len(pieces.a)
        for column, values in zip(self.pieces, pieces, strict=True):
            column[first:stop] = values
        self.edges.first[row], self.edges.stop[row] = first, stop

    def _make_room(self, grown: Mapping[int, PieceColumns]) -> None:
        """Make an arena with room for all edges, of which some have grown."""
        here = {
            row: PieceColumns(*(each[self.edges.first[row] : self.edges.stop[row]] for each in self.pieces))
            for row in self._room
        } | dict(grown)
        at = 0
        for row in sorted(here):
            size = len(here[row].a)
            self._room[row] = at, at + size + size // 4 + _SLACK
            at = self._room[row][1]
        self.pieces = PieceColumns(*(np.zeros(at) for _ in PieceColumns._fields))
        for row, pieces in here.items():
            self._write(row, pieces)

    def _changed(self, rows: range) -> Change:
        """Set the majorants of rows, bury those that are no market's, and return all of them."""
        places = np.arange(rows.start, rows.stop, dtype=np.int64)
        set_majorants(self.edges, self.pieces, places)
        for row in rows:
            if row not in self._dead and not self._sound(row):
                self._bury(row, Reason.IMPOSSIBLE_STATE)
                self.edges.rate[row], self.edges.bend[row] = 0.0, 1.0
        return Change(places, self.edges.rate[places], self.edges.bend[places])

    def _sound(self, row: int) -> bool:
        bend = float(self.edges.bend[row])
        return is_market_rate(float(self.edges.rate[row])) and is_market_rate(bend)


def _with_none(numbers: list[int]) -> NDArray[np.int32]:
    return np.array([*numbers, -1], np.int32)

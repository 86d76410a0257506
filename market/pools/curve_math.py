"""StableSwap's integer solvers, rounded as Curve's contracts round.

``A * n * sum(x) + D = A * n * D + D**(n + 1) / (n**n * product(x))``, solved for D or for one
balance by Newton's method. Every product is one that the contract forms in 256 bits; where it
would not fit, :class:`OverflowError` is raised, and where the contract divides by zero, goes
below zero or gives up, another :class:`ArithmeticError`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = 2**256
_ROUNDS = 255
_ONE = 10**18
_ORACLE_PRECISION = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """Where generations of contracts differ.

    Parameters
    ----------
    precision
        Units of A: 1 or 100.
    rounds_late
        Whether the invariant's product is divided by ``n**n`` at its end, not by ``n`` at each coin.
    gives_up
        Whether a solver that has not settled after 255 rounds reverts, or its last number counts.
    """

    precision: int
    rounds_late: bool
    gives_up: bool


def word(value: int) -> int:
    """Return a number that the contract can hold.

    Raises
    ------
    OverflowError
        If it has more than 256 bits.
    """
    if value >= _WORD:
        raise OverflowError("more than 256 bits")
    return value


def invariant(balances: Sequence[int], ann: int, rules: Rules) -> int:
    """Return D of scaled balances; ``ann`` is A in the contract's unit times the number of coins.

    Examples
    --------
    >>> invariant((10**24, 10**24), 200, Rules(1, rounds_late=False, gives_up=False)) == 2 * 10**24
    True
    """
    count, total = len(balances), sum(balances)
    if ann < rules.precision:
        raise ArithmeticError("A is too small")
    found = total
    for _ in range(_ROUNDS):
        product = _product_term(balances, found, rules)
        before = found
        above = word((word(ann * total) // rules.precision + product * count) * found)
        below = word((ann - rules.precision) * found) // rules.precision + word((count + 1) * product)
        found = above // below
        if abs(found - before) <= 1:
            return found
    return _unsettled(found, rules)


def balance_at(
    sold: int, bought: int, balance_in: int, balances: Sequence[int], ann: int, total: int, rules: Rules
) -> int:
    """Return the scaled balance of coin ``bought`` when coin ``sold`` has ``balance_in``, at D ``total``."""
    count = len(balances)
    others, term = 0, total
    for index, balance in enumerate(balances):
        if index != bought:
            present = balance_in if index == sold else balance
            others += present
            term = word(term * total) // word(present * count)
    term = word(word(term * total) * rules.precision) // (ann * count)
    base = others + word(total * rules.precision) // ann
    found = total
    for _ in range(_ROUNDS):
        before = found
        below = 2 * found + base - total
        if below < 0:
            raise ArithmeticError("the solver leaves the numbers")
        found = word(word(found * found) + term) // below
        if abs(found - before) <= 1:
            return found
    return _unsettled(found, rules)


def slope(sold: int, bought: int, balances: Sequence[int], ann: int, rules: Rules) -> float:
    """Return how much of coin ``bought`` leaves per coin ``sold`` at size zero, scaled and before fees.

    The derivative of the invariant by a balance x is ``A * n + D**(n + 1) / (n**n * product) / x``.
    """
    total = invariant(balances, ann, rules)
    count = len(balances)
    term = float(total) * math.prod(total / (balance * count) for balance in balances)
    amplified = ann / rules.precision
    return (amplified + term / balances[sold]) / (amplified + term / balances[bought])


def check_prices(balances: Sequence[int], ann: int, total: int) -> None:
    """Do the arithmetic of the newest generation's price record, which a trade must survive."""
    count = len(balances)
    if total >> 128:
        raise OverflowError("the record keeps D in 128 bits")
    term = total // count**count
    for balance in balances:
        term = word(term * total) // balance
    first = word(ann * balances[0]) // _ORACLE_PRECISION
    for balance in balances[1:]:
        word(_ONE * (first + word(term * balances[0]) // balance))
    if first + term == 0:
        raise ArithmeticError("no price to record")


def _unsettled(found: int, rules: Rules) -> int:
    if rules.gives_up:
        raise ArithmeticError("255 rounds are not enough")
    return found


def _product_term(balances: Sequence[int], total: int, rules: Rules) -> int:
    """Return ``D**(n + 1) / (n**n * product)`` with the contract's roundings."""
    count, term = len(balances), total
    divisor = 1 if rules.rounds_late else count
    for balance in balances:
        term = word(term * total) // word(balance * divisor)
    return term // count**count if rules.rounds_late else term

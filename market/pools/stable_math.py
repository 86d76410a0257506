"""Balancer's stable maths to the last digit: one invariant, and what V2 and V3 each make of it.

Balances are integers scaled to 18 decimals, amplification is ``A * n**(n - 1)`` times 1000. Both
versions find the invariant D by the same steps. The balance that belongs to D they round
differently, so there are two functions for it. A product that does not fit 256 bits, or a search
that does not settle, is an :class:`ArithmeticError`: there the contract reverts.

References
----------
Balancer V2 and V3, library StableMath.
"""

from __future__ import annotations

from collections.abc import Sequence

AMPLIFICATION_PRECISION = 1_000
_MOST_STEPS = 255


def invariant(amplification: int, balances: Sequence[int]) -> int:
    """Return D, rounded as the search leaves it.

    Raises
    ------
    ArithmeticError
        If a balance is zero and another is not, or a product does not fit 256 bits.

    Examples
    --------
    >>> invariant(100_000, [10**24, 10**24])
    2000000000000000000000000
    """
    count = len(balances)
    total = sum(balances)
    if total == 0:
        return 0
    times_total = amplification * count
    weighted_sum = word(times_total * total) // AMPLIFICATION_PRECISION
    found = total
    for _ in range(_MOST_STEPS):
        product = found
        for balance in balances:
            product = word(product * found) // (balance * count)
        before = found
        found = word((weighted_sum + product * count) * found) // (
            (times_total - AMPLIFICATION_PRECISION) * found // AMPLIFICATION_PRECISION + (count + 1) * product
        )
        if abs(found - before) <= 1:
            return found
    raise ArithmeticError("the invariant does not settle")


def balance_v2(amplification: int, balances: Sequence[int], level: int, index: int) -> int:
    """Return the balance of one token at invariant ``level``, rounded up, as Balancer V2 does.

    Raises
    ------
    ArithmeticError
        Where the contract reverts.

    Examples
    --------
    >>> balance_v2(100_000, [10**24, 10**24], 2 * 10**24, 1)
    1000000000000000000000001
    """
    times_total = amplification * len(balances)
    product = _product(balances, level)
    ratio = _divide_up(word(level * level), word(times_total * product)) * AMPLIFICATION_PRECISION
    others = sum(balances) - balances[index] + level // times_total * AMPLIFICATION_PRECISION
    return _settle(word(word(ratio) * balances[index]), others, level)


def balance_v3(amplification: int, balances: Sequence[int], level: int, index: int) -> int:
    """Return the balance of one token at invariant ``level``, rounded up, as Balancer V3 does.

    Raises
    ------
    ArithmeticError
        Where the contract reverts.

    Examples
    --------
    >>> balance_v3(100_000, [10**24, 10**24], 2 * 10**24, 1)
    1000000000000000000000001
    """
    times_total = amplification * len(balances)
    product = _product(balances, level)
    ratio = _divide_up(word(level * level * AMPLIFICATION_PRECISION), word(times_total * product))
    others = sum(balances) - balances[index] + word(level * AMPLIFICATION_PRECISION) // times_total
    return _settle(word(ratio * balances[index]), others, level)


def rate_at_size_zero(amplification: int, balances: Sequence[int], index_in: int, index_out: int) -> float:
    """Return how much output balance one unit of input balance is worth, without fees.

    It is the ratio of the invariant's derivatives by the two balances: with ``P`` the product term
    ``D**(n + 1) / (n**n * x_1 * ... * x_n)``, each is ``A + P / x``.

    Raises
    ------
    ArithmeticError
        If there is no invariant.

    Examples
    --------
    >>> rate_at_size_zero(100_000, [10**24, 10**24], 0, 1)
    1.0
    """
    level = invariant(amplification, balances)
    count = len(balances)
    product = 1.0
    for balance in balances:
        product *= level / (balance * count)
    per_unit = amplification * count / AMPLIFICATION_PRECISION
    derivative_in = per_unit + product * (level / balances[index_in])
    derivative_out = per_unit + product * (level / balances[index_out])
    return derivative_in / derivative_out


def word(value: int) -> int:
    """Return the value if a word of the EVM can hold it.

    Raises
    ------
    OverflowError
        If it is negative or exceeds 256 bits.
    """
    if value >> 256:
        raise OverflowError("the contract's arithmetic overflows")
    return value


def _product(balances: Sequence[int], level: int) -> int:
    count = len(balances)
    product = balances[0] * count
    for balance in balances[1:]:
        product = word(word(product * balance) * count) // level
    return product


def _settle(constant: int, others: int, level: int) -> int:
    """Return the y of ``y**2 + (others - level) * y = constant``, rounded up at every step."""
    found = _divide_up(word(level * level + constant), level + others)
    for _ in range(_MOST_STEPS):
        before = found
        found = _divide_up(word(found * found + constant), word(2 * found + others - level))
        if abs(found - before) <= 1:
            return found
    raise ArithmeticError("the balance does not settle")


def _divide_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)

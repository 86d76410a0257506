"""Fixed-point powers as Balancer V2 computes them, to the last digit.

Numbers are integers with 18 decimals. ``power`` goes through a natural logarithm and an
exponential, each a product of tabulated powers of e and a short series; the tables and
the truncations decide the last digits, so both are reproduced.

References
----------
Balancer V2, libraries LogExpMath and FixedPoint.
"""

from __future__ import annotations

ONE = 10**18
_ONE_20 = 10**20
_ONE_36 = 10**36
_MAX_EXPONENT = 130 * ONE
_MIN_EXPONENT = -41 * ONE
_LN_36_LOWER = ONE - 10**17
_LN_36_UPPER = ONE + 10**17
_MILD_EXPONENT = 2**254 // _ONE_20
_POW_RELATIVE_ERROR = 10_000

# exponent (18 decimals) and e**exponent (no decimals): too large for the second table
_LARGE = (
    (128 * ONE, 38877084059945950922200000000000000000000000000000000000),
    (64 * ONE, 6235149080811616882910000000),
)
# exponent and e**exponent, both with 20 decimals: 32, 16, 8 ... 1/16
_SMALL = (
    (32 * _ONE_20, 7896296018268069516100000000000000),
    (16 * _ONE_20, 888611052050787263676000000),
    (8 * _ONE_20, 298095798704172827474000),
    (4 * _ONE_20, 5459815003314423907810),
    (2 * _ONE_20, 738905609893065022723),
    (_ONE_20, 271828182845904523536),
    (_ONE_20 // 2, 164872127070012814685),
    (_ONE_20 // 4, 128402541668774148407),
    (_ONE_20 // 8, 113314845306682631683),
    (_ONE_20 // 16, 106449445891785942956),
)
_EXP_TABLE = _SMALL[:8]
_EXP_TERMS = 12


def _div(numerator: int, denominator: int) -> int:
    """Divide as the EVM does: toward zero."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


def mul_down(a: int, b: int) -> int:
    """Return ``a * b`` in 18 decimals, rounded down."""
    return a * b // ONE


def mul_up(a: int, b: int) -> int:
    """Return ``a * b`` in 18 decimals, rounded up."""
    return -(-a * b // ONE)


def div_down(a: int, b: int) -> int:
    """Return ``a / b`` in 18 decimals, rounded down."""
    return a * ONE // b


def div_up(a: int, b: int) -> int:
    """Return ``a / b`` in 18 decimals, rounded up."""
    return -(-a * ONE // b)


def complement(x: int) -> int:
    """Return ``1 - x`` in 18 decimals, zero if ``x`` is more than one."""
    return max(ONE - x, 0)


def exp(x: int) -> int:
    """Return ``e**x`` in 18 decimals.

    Raises
    ------
    ValueError
        If ``x`` is outside -41 .. 130 (the contract reverts).

    Examples
    --------
    >>> exp(ONE)
    2718281828459045235
    """
    if not _MIN_EXPONENT <= x <= _MAX_EXPONENT:
        raise ValueError("exponent is outside -41..130")
    if x < 0:
        return _div(ONE * ONE, exp(-x))
    first = 1
    for exponent, value in _LARGE:
        if x >= exponent:
            x -= exponent
            first = value
            break
    x *= 100
    product = _ONE_20
    for exponent, value in _EXP_TABLE:
        if x >= exponent:
            x -= exponent
            product = product * value // _ONE_20
    series = _ONE_20 + x
    term = x
    for n in range(2, _EXP_TERMS + 1):
        term = term * x // _ONE_20 // n
        series += term
    return product * series // _ONE_20 * first // 100


def ln(a: int) -> int:
    """Return the natural logarithm of ``a`` (18 decimals) in 18 decimals.

    Raises
    ------
    ValueError
        If ``a`` is not positive.
    """
    if a <= 0:
        raise ValueError("the logarithm needs a positive number")
    return _div(_ln_36(a), ONE) if _LN_36_LOWER < a < _LN_36_UPPER else _ln(a)


def _ln(a: int) -> int:
    if a < ONE:
        return -_ln(ONE * ONE // a)
    total = 0
    for exponent, value in _LARGE:
        if a >= value * ONE:
            a //= value
            total += exponent
    total *= 100
    a *= 100
    for exponent, value in _SMALL:
        if a >= value:
            a = a * _ONE_20 // value
            total += exponent
    z = (a - _ONE_20) * _ONE_20 // (a + _ONE_20)
    return (total + _atanh_series(z, _ONE_20, last=11)) // 100


def _ln_36(x: int) -> int:
    """Return the logarithm with 36 decimals, for ``x`` (18 decimals) near one."""
    x *= ONE
    z = _div((x - _ONE_36) * _ONE_36, x + _ONE_36)
    return _atanh_series(z, _ONE_36, last=15)


def _atanh_series(z: int, one: int, *, last: int) -> int:
    """Return ``2 * (z + z**3 / 3 + ... + z**last / last)``."""
    squared = _div(z * z, one)
    term = total = z
    for n in range(3, last + 1, 2):
        term = _div(term * squared, one)
        total += _div(term, n)
    return total * 2


def power(x: int, y: int) -> int:
    """Return ``x**y``, all in 18 decimals.

    Raises
    ------
    ValueError
        Where the contract reverts: ``x`` or ``y`` out of bounds, or the result is.

    Examples
    --------
    >>> power(4 * ONE, ONE // 2)
    1999999999999999998
    """
    if y == 0:
        return ONE
    if x == 0:
        return 0
    if not 0 < x < 2**255:
        raise ValueError("base is out of bounds")
    if not 0 < y < _MILD_EXPONENT:
        raise ValueError("exponent is out of bounds")
    if _LN_36_LOWER < x < _LN_36_UPPER:
        log = _ln_36(x)
        whole = _div(log, ONE)
        rest = log - whole * ONE
        scaled = whole * y + _div(rest * y, ONE)
    else:
        scaled = _ln(x) * y
    scaled = _div(scaled, ONE)
    if not _MIN_EXPONENT <= scaled <= _MAX_EXPONENT:
        raise ValueError("result is out of bounds")
    return exp(scaled)


def power_up(x: int, y: int) -> int:
    """Return ``x**y`` rounded up by the library's error bound; exact paths for y = 1, 2, 4."""
    if y == ONE:
        return x
    if y == 2 * ONE:
        return mul_up(x, x)
    if y == 4 * ONE:
        square = mul_up(x, x)
        return mul_up(square, square)
    raw = power(x, y)
    return raw + mul_up(raw, _POW_RELATIVE_ERROR) + 1

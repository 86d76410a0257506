"""How much to put into a cycle whose pools may have moved when the trade is carried out.

The input is fixed when the trade is signed. What it earns is decided by the state that it then meets, and
it lands only where it earns what it must; elsewhere it reverts. A size that is best for the state of now may
so be too large for most states to come.

Each state's profit is concave in the input, so the inputs that land there are one interval. Between the
ends of all these intervals the same states land, and the expectation is a sum of concave functions, which
has one summit. The best of the pieces' summits and ends is the best of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import floor, isfinite

from core.errors import InputError
from core.reasons import Reason
from scoring.curves import Curve
from scoring.sizing import Size, size_cycle

_STEPS = 100
_WIDTH_RELATIVE = 2.0**-50
_WHOLE = 1.0 + 1e-9


@dataclass(frozen=True, slots=True)
class Scenario:
    """A state that the trade may meet.

    Parameters
    ----------
    probability
        That it is carried out, and in this state.
    curves
        The cycle's hops there.
    """

    probability: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class Stakes:
    """What landing and reverting are worth.

    Parameters
    ----------
    worth
        Wei of the native token per raw unit of profit.
    minimum_profit
        Raw units; the trade reverts if it earns less.
    cost
        Wei paid where it lands.
    revert_cost
        Wei paid where it reverts; zero in a bundle that is then left out.
    """

    worth: float = 1.0
    minimum_profit: int = 0
    cost: float = 0.0
    revert_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class RiskSize:
    """The input that earns most on average.

    Parameters
    ----------
    amount_in
        Raw units of the start token.
    expected_net
        Wei.
    landing_probability
        That the trade is carried out and does not revert.
    profits
        Raw units that it earns in each scenario, had it no minimum.
    plain_amount_in, plain_expected_net
        The same of the size that is best in the state of now; zeros if there is none.
    """

    amount_in: int
    expected_net: float
    landing_probability: float
    profits: tuple[float, ...]
    plain_amount_in: int
    plain_expected_net: float


def size_under_risk(now: Sequence[Curve], scenarios: Sequence[Scenario], stakes: Stakes) -> RiskSize | Reason:
    """Return the input of a cycle that earns most on average over the states that it may meet.

    Parameters
    ----------
    now
        The cycle's curves in the present state; the plain size is theirs.
    scenarios
        Their probabilities add up to one at most; with the rest the trade is not carried out.
    stakes
        What landing and reverting are worth.

    Returns
    -------
    RiskSize or Reason
        ``EXPECTATION_NOT_POSITIVE`` if no size earns anything on average.

    Raises
    ------
    InputError
        If probabilities or stakes are not such numbers.

    Examples
    --------
    >>> from scoring.curves import MoebiusCurve
    >>> now, moved = ((MoebiusCurve(rate, 1e-6),) for rate in (4.0, 2.0))
    >>> alone = size_under_risk(now, [Scenario(1.0, now)], Stakes())
    >>> alone.amount_in, alone.plain_amount_in, alone.expected_net
    (1000000, 1000000, 1000000.0)
    >>> both = size_under_risk(now, [Scenario(0.5, now), Scenario(0.5, moved)], Stakes())
    >>> both.amount_in, round(both.expected_net / both.plain_expected_net, 3)
    (732051, 1.072)
    """
    _check(scenarios, stakes)
    outlook = _Outlook(scenarios, stakes)
    plain = size_cycle(now)
    plain_amounts = _integers(plain.amount_in) if isinstance(plain, Size) else ()
    plain_amount = max(plain_amounts, key=outlook.expectation, default=0)
    amount = max((*plain_amounts, *outlook.candidates()), key=outlook.expectation, default=0)
    expected = outlook.expectation(amount)
    if not expected > 0.0:
        return Reason.EXPECTATION_NOT_POSITIVE
    return RiskSize(
        amount_in=amount,
        expected_net=expected,
        landing_probability=outlook.landing_probability(amount),
        profits=tuple(_profit(each.curves, amount)[0] for each in scenarios),
        plain_amount_in=plain_amount,
        plain_expected_net=outlook.expectation(plain_amount),
    )


def _check(scenarios: Sequence[Scenario], stakes: Stakes) -> None:
    """Refuse what is no distribution, or no stakes."""
    probabilities = [each.probability for each in scenarios]
    if not all(isfinite(each) and each >= 0.0 for each in probabilities) or sum(probabilities) > _WHOLE:
        raise InputError(
            "probabilities must not be negative and must add up to one at most", probabilities=probabilities
        )
    amounts = stakes.cost, stakes.revert_cost, float(stakes.minimum_profit)
    if not (isfinite(stakes.worth) and stakes.worth > 0.0 and all(isfinite(a) and a >= 0.0 for a in amounts)):
        raise InputError("worth must be positive, and costs and the minimum not negative", **asdict(stakes))


@dataclass(frozen=True, slots=True)
class _Landing:
    """A scenario in which some inputs land, from ``low`` to ``high``; ``outside`` are those next to them.

    Where landing costs more than it must earn, an input may be best because it just does not land.
    """

    probability: float
    curves: tuple[Curve, ...]
    low: float
    high: float
    outside: tuple[float, float]


class _Outlook:
    """The expectation over all scenarios, as a function of the input."""

    def __init__(self, scenarios: Sequence[Scenario], stakes: Stakes) -> None:
        self._scenarios = scenarios
        self._stakes = stakes
        self._landings = [
            landing for each in scenarios if (landing := _landing(each, float(stakes.minimum_profit)))
        ]

    def expectation(self, amount_in: float) -> float:
        """Return the expected net value of an input, in wei; zero is not to trade."""
        if amount_in <= 0:
            return 0.0
        stakes, total = self._stakes, 0.0
        for each in self._scenarios:
            profit, _ = _profit(each.curves, amount_in)
            lands = profit >= stakes.minimum_profit
            net = stakes.worth * profit - stakes.cost if lands else -stakes.revert_cost
            total += each.probability * net
        return total

    def landing_probability(self, amount_in: float) -> float:
        """Return with which probability an input is carried out and does not revert."""
        least = self._stakes.minimum_profit
        return sum(
            each.probability for each in self._scenarios if _profit(each.curves, amount_in)[0] >= least
        )

    def candidates(self) -> list[int]:
        """Return inputs of which one is the best: ends of all pieces, and the summit in each."""
        ends = sorted({end for each in self._landings for end in (each.low, each.high, *each.outside)})
        found = [amount for end in ends for amount in _integers(end)]
        for low, high in pairwise(ends):
            inside = [each for each in self._landings if each.low <= low and high <= each.high]
            if inside:
                found += _integers(_summit(inside, low, high))
        return list(dict.fromkeys(found))


def _landing(scenario: Scenario, minimum: float) -> _Landing | None:
    """Return the inputs that land in a scenario, or ``None`` if none does."""
    size = size_cycle(scenario.curves)
    if not isinstance(size, Size) or size.profit < minimum:
        return None

    def earns_enough(amount_in: float) -> bool:
        return _profit(scenario.curves, amount_in)[0] >= minimum

    beyond = 2.0 * size.amount_in
    while earns_enough(beyond):
        beyond *= 2.0
    below = low = 0.0
    if minimum > 0.0:
        below, low = _change(lambda amount: not earns_enough(amount), 0.0, size.amount_in)
    high, above = _change(earns_enough, size.amount_in, beyond)
    return _Landing(scenario.probability, scenario.curves, low, high, (below, above))


def _summit(landings: Sequence[_Landing], low: float, high: float) -> float:
    """Return the best input between two while these scenarios land; an end where the slope keeps its sign."""

    def rises(amount_in: float) -> bool:
        return sum(each.probability * _profit(each.curves, amount_in)[1] for each in landings) > 0.0

    return _change(rises, low, high)[0]


def _profit(curves: Sequence[Curve], amount_in: float) -> tuple[float, float]:
    """Return what an input earns, in raw units, and how that grows with it."""
    amount, rate = float(amount_in), 1.0
    for curve in curves:
        amount, marginal = curve.evaluate(amount)
        rate *= marginal
    return amount - amount_in, rate - 1.0


def _change(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Return two inputs next to each other, of which something holds at the first only."""
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
        if high - low <= _WIDTH_RELATIVE * high:
            break
    return low, high


def _integers(amount_in: float) -> tuple[int, ...]:
    """Return the whole units around an input."""
    below = floor(amount_in)
    return (below, below + 1) if below > 0 else (1,)

"""``omniarb score``: the best cycles of any snapshot file, with what the filters took out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chain.networks import Network, load_network
from cli.output import print_json
from cli.score_options import ScoreOptions, token_named
from cli.score_view import Scored, document, show
from cli.screen import Screen
from core.seams import Clock, SystemClock
from market.snapshots.detection import detect_format
from market.snapshots.formats import read_snapshots
from market.snapshots.snapshot import MarketSnapshot
from market.tokens import Token
from scoring.devices.choice import Chosen, choose_device
from scoring.market_ranking import Wish, best_cycles, warm_up
from scoring.market_scan import Scannable, scannable
from scoring.together import together

_STEPS = 2
"""Before the markets are scored: filters, and compiling."""


def score_file(options: ScoreOptions) -> None:
    """Score every market of a file and print what was found.

    Raises
    ------
    InputError
        If the file cannot be read, contradicts the chain, or a hub, chain or device is not there.
    InvariantBroken
        If an exact profit exceeds its proven bound.
    """
    network = load_network(options.chain)
    device = choose_device(options.device) if options.device else None
    times = Times(SystemClock())
    with times.of("reading"):
        name = options.format or detect_format(options.file)
        snapshots = read_snapshots(options.file, name)
    screen = Screen(quiet=options.as_json, steps=_STEPS + len(snapshots))
    with screen.step(f"{options.file.name}: filters", len(snapshots)) as advance, times.of("filters"):
        scanned = []
        for snapshot in snapshots:
            scanned.append(_scan(snapshot, network, options))
            advance(len(scanned))
    with screen.step("compiling") as advance, times.of("compiling"):
        warm_up(device)
        advance(1)
    found = []
    for snapshot, scan in zip(snapshots, scanned, strict=True):
        scored = _score(screen, snapshot, scan, network, options, device)
        show(screen, scored)
        found.append(document(scored))
    screen.figure("; ".join(f"{step} {seconds:,.2f} s" for step, seconds in times.seconds.items()))
    if options.as_json:
        print_json({"file": options.file.name, "format": name, "seconds": times.seconds, "markets": found})


def _scan(snapshot: MarketSnapshot, network: Network, options: ScoreOptions) -> Scannable:
    tokens = _tokens(snapshot, network)
    hubs = [token_named(hub, tokens) for hub in options.hubs]
    return scannable(snapshot, network.weth, _known(network), hubs)


def _score(
    screen: Screen,
    snapshot: MarketSnapshot,
    scanned: Scannable,
    network: Network,
    options: ScoreOptions,
    device: Chosen | None,
) -> Scored:
    times = Times(SystemClock())
    wish = Wish(options.count, options.hops, options.max_gap)
    costs = {} if options.before_gas else snapshot.swap_costs
    title = f"{snapshot.source}: cycles of up to {options.hops} hops"
    with screen.step(title) as advance, times.of("cycles"):
        outcome = best_cycles(scanned, costs, snapshot.block_number or 0, wish, device)
        advance(1)
    worth = {hub: scanned.prices[hub] for hub in scanned.hubs}
    with times.of("together"):
        all_together = together(scanned.pools, worth, outcome.ranking.best)
    return Scored(
        snapshot,
        scanned,
        outcome,
        all_together,
        asked=options.count,
        network=network,
        tokens=_tokens(snapshot, network),
        gas=_gas(snapshot, options),
        seconds=times.seconds["cycles"],
    )


def _gas(snapshot: MarketSnapshot, options: ScoreOptions) -> str:
    """Return in words what a swap is taken to cost."""
    if options.before_gas:
        return "left out: net is before gas"
    if not snapshot.swap_costs:
        return "the file tells no costs: net is before gas"
    price = "" if snapshot.gas_price is None else f", at {snapshot.gas_price / 1e9:.4g} gwei"
    return f"what the file says of each pool{price}"


def _tokens(snapshot: MarketSnapshot, network: Network) -> dict[str, Token]:
    return {token.address: token for token in _known(network)} | dict(snapshot.tokens)


def _known(network: Network) -> tuple[Token, ...]:
    facts = (network.wrapped_native, *network.tokens)
    return tuple(Token(fact.address, fact.symbol, fact.decimals) for fact in facts)


@dataclass(slots=True)
class Times:
    """How long each step took, in seconds to the microsecond."""

    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Measure a step."""
        begun = self.clock.monotonic_ns()
        yield
        self.seconds[name] = round((self.clock.monotonic_ns() - begun) / 1e9, 6)

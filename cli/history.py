"""Step 1: replay a recorded day, or, where there is none, a tape that the local chain records first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from chain.blocks import Address
from chain.devnet.accounts import dev_account
from chain.networks import load_network
from cli.screen import Advance, Screen
from core.config_loader import DATA_VARIABLE
from core.data_root import find_data_root
from core.errors import InputError
from core.reasons import Reason
from core.seams import SystemClock
from core.settings import Settings
from market.history import load_before, load_day, load_polygon_day
from market.recorded import Recorded
from market.tape import TapeReader
from pipeline.devnet.recorder import record_tape
from pipeline.devnet.service import DevnetService
from pipeline.replay import Replay, replay

TAPE_BLOCKS = 400
"""Blocks recorded where there is no history: enough for the models to be judged on."""
_TAPE = "tape"


def replay_history(screen: Screen, settings: Settings, seed: int, folder: Path) -> Replay:
    """Replay with a progress bar and say what was found."""
    if find_data_root(settings) is None:
        screen.figure(
            f"no recorded history here ({Reason.NO_DATA_ROOT.value}: {DATA_VARIABLE} is not set and "
            "there is no data/): the local chain records a tape first, and that is replayed"
        )
        _record(screen, seed, folder / _TAPE)
    recorded, before = open_history(settings, folder)
    wrapped_native = load_network(settings.web3.chain).weth
    total = recorded.block_count + (before.block_count if before else 0)
    with screen.step(f"History: {recorded.source}", total) as advance:
        replayed = replay(recorded, wrapped_native, before=before, advance=advance)
    if before is not None:
        screen.figure(f"the first {before.block_count:,} are {before.source}, for the models to warm up on")
    screen.figure(
        f"{replayed.swaps:,} swaps, {replayed.invariant_ok:,} of {replayed.invariant_checked:,} "
        "checkable ones reproduced to the wei"
    )
    return replayed


def open_history(settings: Settings, folder: Path) -> tuple[Recorded, Recorded | None]:
    """Return what a run replays, and the history before it: the recorded day, or the tape in its folder.

    Raises
    ------
    InputError
        If there is neither.
    """
    root = find_data_root(settings)
    if root is None:
        return TapeReader(folder / _TAPE).recorded(), None
    recorded = load_day(root)
    return recorded, load_before(root, next(recorded.blocks())[0].number)


RECORDED_DAYS: dict[str, Callable[[Path], Recorded]] = {
    "ethereum-2024-01-05": load_day,
    "polygon-2022-01-05": load_polygon_day,
}
"""Days in the data root, the usual one first."""
_ETHER = "WETH"


def open_recording(tape: Path | None, day: str, settings: Settings) -> Recorded:
    """Return a tape, or a recorded day of the data root.

    Parameters
    ----------
    tape
        Folder of a tape.
    day
        One of :data:`RECORDED_DAYS`; empty for the usual one.
    settings
        They say where the data root is.

    Raises
    ------
    InputError
        If there is neither, no such day, or both are named.
    """
    if day and tape is not None:
        raise InputError("--tape and --day are two recordings; name one of them")
    if day and day not in RECORDED_DAYS:
        raise InputError(f"there is no recorded day {day!r}; there are {', '.join(RECORDED_DAYS)}", day=day)
    if tape is not None:
        return TapeReader(tape).recorded()
    root = find_data_root(settings)
    if root is None:
        raise InputError(
            f"there is no recorded history: set {DATA_VARIABLE} to its folder, or give --tape "
            "(make one with `omniarb devnet --record`)",
            reason=Reason.NO_DATA_ROOT,
        )
    return RECORDED_DAYS[day or next(iter(RECORDED_DAYS))](root)


def profit_token(recorded: Recorded, wrapped_native: Address) -> Address:
    """Return the token that cycles of a recording are scored in.

    That is the configured chain's wrapped native token, or, in a recording of another chain, its ether.

    Raises
    ------
    InputError
        If the recording has neither.
    """
    if wrapped_native in recorded.tokens:
        return wrapped_native
    for token in recorded.tokens.values():
        if token.symbol == _ETHER:
            return token.address
    raise InputError(
        f"the recording has neither {wrapped_native} nor a token {_ETHER} to score cycles in; "
        "choose a configuration of its chain"
    )


def _record(screen: Screen, seed: int, folder: Path) -> None:
    searcher = dev_account(f"omniarb-{seed}", "searcher").address
    clock = SystemClock()

    async def record(advance: Advance) -> None:
        async with DevnetService.start(seed, owner=searcher, operator=searcher, clock=clock) as service:
            await record_tape(service, TAPE_BLOCKS, folder, clock, advance)

    with screen.bar("Recording a tape on the local chain", TAPE_BLOCKS) as advance:
        asyncio.run(record(advance))

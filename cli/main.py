"""The ``omniarb`` command: one verb per job, ``--json`` for machines, exit codes that mean something.

0 done; 1 a figure fell short or something failed while running; 2 bad input; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import one_line_errors
from cli.learning import app as learning_app
from cli.models import app as models_app
from cli.options import DEFAULT_SEED, Config, Day, Json, Keys, Realtime, Record, Seed, Tape, Write, named_path
from cli.pools import app as pools_app
from cli.score_options import (
    DEFAULT_GAP,
    BeforeGas,
    Chain,
    Device,
    Format,
    Hops,
    Hubs,
    MaxGap,
    Pools,
    ScoreOptions,
    Top,
)
from cli.screen import waiting
from core.config_loader import ROOT
from core.kernel_cache import cache_home, use_kernel_cache
from core.logs import set_up_logs
from serving.environment import quiet_libraries

app = typer.Typer(
    name="omniarb",
    help="Research-to-production platform for atomic on-chain arbitrage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Start with [bold]omniarb run[/bold]; docs/tutorial/first-run.md walks through what it shows.",
)


@app.command(epilog="Example: omniarb run --seed 7 --blocks 150 --stay")
def run(
    config: Config = "replay",
    seed: Seed = DEFAULT_SEED,
    blocks: Annotated[int, typer.Option("--blocks", min=1, help="Blocks to follow live.")] = 120,
    stay: Annotated[bool, typer.Option("--stay", help="Keep the servers up at the end.")] = False,
    realtime: Realtime = 0.0,
    as_json: Json = False,
) -> None:
    """Do the main job: history, models, local chain, serving, execution, report."""
    with one_line_errors():
        with waiting("loading PyTorch, MLflow and Ray", quiet=as_json):
            from cli.run import RunOptions, run_all
        run_all(RunOptions(config, seed, blocks, stay, realtime, as_json))


@app.command(epilog="Example: omniarb replay --json | jq .invariant_ok")
def replay(tape: Tape = None, day: Day = "", as_json: Json = False) -> None:
    """Replay recorded blocks through state, invariants, scoring and features."""
    from cli.replay import show_replay

    with one_line_errors():
        show_replay(tape, day, as_json=as_json)


@app.command(epilog="Example: omniarb devnet --blocks 300 --record tapes/devnet-7 --seed 7")
def devnet(
    seed: Seed = DEFAULT_SEED,
    blocks: Annotated[int, typer.Option("--blocks", min=1, help="Blocks to mine.")] = 300,
    realtime: Realtime = 0.0,
    record: Record = None,
    wait_for: Annotated[
        str, typer.Option("--wait-for", help="Start when this agent has registered at the relay.")
    ] = "",
    keys: Keys = None,
) -> None:
    """Run the local chain with real protocol bytecode, order flow, competitors and a relay.

    Prints one JSON line with its URLs and contracts, then mines. It stays up until it is stopped.
    """
    from cli.devnet import DevnetOptions, run_devnet

    with one_line_errors():
        run_devnet(DevnetOptions(seed, blocks, realtime, record, wait_for, keys))


@app.command(epilog="Example: omniarb record --rpc ws://127.0.0.1:8546 --pools pools.json --out tapes/base")
def record(
    rpc: Annotated[
        list[str], typer.Option("--rpc", help="The node: a ws(s):// or http(s):// address, or one of each.")
    ],
    pools: Annotated[
        Path,
        typer.Option("--pools", parser=named_path, metavar="<path>", help="A JSON file of pools and tokens."),
    ],
    out: Annotated[
        Path, typer.Option("--out", parser=named_path, metavar="<path>", help="The tape; a new folder.")
    ],
    chain: Annotated[str, typer.Option("--chain", help="The node's chain.")] = "ethereum",
    blocks: Annotated[
        int | None, typer.Option("--blocks", min=1, help="Blocks to record; no limit by default.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until-time", help="Record blocks before this time (ISO 8601, UTC).")
    ] = None,
    confirmations: Annotated[
        int | None,
        typer.Option("--confirmations", min=0, max=64, help="How deep a block must be; a minute by default."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a chain's blocks to a tape that [bold]omniarb replay[/bold] reads back.

    Ctrl-C ends the tape where it is. After a crash the same command goes on.
    """
    from cli.record import RecordOptions, run_record, until_time

    with one_line_errors():
        run_record(RecordOptions(rpc, chain, pools, out, blocks, until_time(until), confirmations, as_json))


@app.command(epilog="Example: omniarb config development --json")
def config(
    name: Annotated[str, typer.Argument(help="A name in configs/ or a path.")], as_json: Json = False
) -> None:
    """Check a configuration file and show what is in force (secrets never)."""
    from cli.config import show_config

    with one_line_errors():
        show_config(name, as_json=as_json)


@app.command(epilog="Example: omniarb chains base --json | jq .base.capabilities")
def chains(
    name: Annotated[str | None, typer.Argument(help="One chain in full; all of them by default.")] = None,
    as_json: Json = False,
) -> None:
    """Show what works on which chain: bundles, flash loans, mempool, factories, each with its source."""
    from cli.chains import show_chains

    with one_line_errors():
        show_chains(name, as_json=as_json)


@app.command(epilog="Example: omniarb score --pools market.json.zst --top 5 --json")
def score(
    pools: Pools,
    top: Top = 10,
    hops: Hops = 4,
    hub: Hubs = None,
    max_gap: MaxGap = DEFAULT_GAP,
    before_gas: BeforeGas = False,
    device: Device = "",
    file_format: Format = "",
    chain: Chain = "ethereum",
    as_json: Json = False,
) -> None:
    """Find the best cycles in a snapshot file, exactly, and say what the filters took out.

    A file with several markets gives each of them. Nothing is asked of a node.
    """
    options = ScoreOptions(
        pools, file_format, chain, top, hops, tuple(hub or ()), max_gap, before_gas, device, as_json
    )
    with one_line_errors():
        with waiting("loading compiled code", quiet=as_json):
            from cli.score import score_file
        score_file(options)


@app.command(epilog="Example: omniarb doctor --json | jq .healthy")
def doctor(as_json: Json = False) -> None:
    """Show what this machine has and which device scores, and why; exit code 1 when something is missing."""
    from cli.doctor import examine

    with one_line_errors():
        if not examine(as_json=as_json):
            raise typer.Exit(1)


@app.command(epilog="Example: omniarb bench loop --json")
def bench(
    name: Annotated[str, typer.Argument(help="A benchmark's name, or all.")],
    as_json: Json = False,
    write: Write = None,
) -> None:
    """Measure published figures; exit code 1 when one falls short of its reach."""
    from cli.bench import run_bench

    with one_line_errors():
        if not run_bench(name, as_json=as_json, write=write):
            raise typer.Exit(1)


app.add_typer(learning_app)
app.add_typer(pools_app, name="pools")
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line."""
    # Ray and MLflow read their environment when they are imported, which no command does before this
    quiet_libraries(os.environ)
    use_kernel_cache(os.environ, ROOT, cache_home(os.environ))
    set_up_logs("warning", form="console" if sys.stderr.isatty() else "json")
    app()


if __name__ == "__main__":
    main()

"""Commands about models on recorded data: judge them, judge bids, train one, search for a better one."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import one_line_errors
from cli.options import DEFAULT_SEED, Config, Day, Json, Seed, Tape, Write
from cli.screen import waiting

app = typer.Typer()


@app.command(epilog="Example: omniarb evaluate --target base_fee_2 --short --json")
def evaluate(
    target: Annotated[
        list[str] | None, typer.Option("--target", help="A target; may be repeated. All of them by default.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="Some 2,000 rows of each target.")] = False,
    as_json: Json = False,
    write: Write = None,
    track: Annotated[bool, typer.Option("--track/--no-track", help="Log to MLflow.")] = True,
) -> None:
    """Judge every model on every target of the recorded data, against the hardest baseline."""
    with one_line_errors():
        with waiting("loading PyTorch, river and MLflow", quiet=as_json):
            from cli.evaluate import EvaluateOptions, run_evaluation
        run_evaluation(EvaluateOptions(tuple(target or ()), short, DEFAULT_SEED, as_json, write, track))


@app.command(epilog="Example: omniarb bids latest --json | jq .rows")
def bids(
    run: Annotated[str, typer.Argument(help="A run's name in the folder of runs, or its folder.")] = "latest",
    as_json: Json = False,
) -> None:
    """Judge other bid policies on a run's own trades, from the bids in its journal."""
    from cli.bids import show_bids

    with one_line_errors():
        show_bids(run, as_json=as_json)


@app.command(epilog="Example: omniarb train --target base_fee_2 --seed 8 --hold-back 2000")
def train(
    target: Annotated[
        str,
        typer.Option(
            "--target",
            help="base_fee_2, base_fee_3 …, or a target of [bold]omniarb evaluate[/bold]; default is the "
            "configuration's.",
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A model of the recorded target; the best on its learning rows by default."
        ),
    ] = "",
    config: Config = "replay",
    seed: Seed = DEFAULT_SEED,
    hold_back: Annotated[
        int | None,
        typer.Option("--hold-back", min=0, help="Last blocks that are kept for the gate to judge on; 2,000."),
    ] = None,
    tape: Tape = None,
    day: Day = "",
    as_json: Json = False,
) -> None:
    """Train on recorded blocks, log and register; the best model becomes challenger, the champion stays."""
    with one_line_errors():
        with waiting("loading PyTorch and MLflow", quiet=as_json):
            from cli.train import TrainOptions, train
        train(TrainOptions(target, model, config, seed, hold_back, tape, day, as_json))


@app.command(epilog="Example: omniarb evolve --target base_fee_2 --trials 5 --short")
def evolve(
    target: Annotated[
        list[str],
        typer.Option(
            "--target", help="A target, several of them, or bids; several make the horizon part of it."
        ),
    ],
    trials: Annotated[int, typer.Option("--trials", min=1, max=1000, help="Settings to try.")] = 8,
    scheduler: Annotated[
        str, typer.Option("--scheduler", help="asha stops the hopeless early; pbt evolves a population.")
    ] = "asha",
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Only this model; may be repeated. All by default.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Processes that train the winner.")
    ] = 1,
    address: Annotated[str, typer.Option("--address", help="A Ray cluster; this machine by default.")] = "",
    seed: Seed = DEFAULT_SEED,
    short: Annotated[bool, typer.Option("--short", help="Some 2,000 rows of each target.")] = False,
    as_json: Json = False,
) -> None:
    """Search over models, features, rates or bids with Ray Tune; judge the winner on rows kept back."""
    with one_line_errors():
        with waiting("loading PyTorch, MLflow and Ray", quiet=as_json):
            from cli.evolve import run_evolve
        run_evolve(target, trials, scheduler, model or (), workers, address, seed, short, as_json)

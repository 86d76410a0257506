"""``omniarb models``: registered versions, who serves and why, promotion through the gate, the way back."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import one_line_errors
from cli.options import Config, Day, Json, Tape
from cli.screen import waiting

app = typer.Typer(
    name="models",
    help="Registered versions: list, show, promote, roll back, and why one serves or not.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Option("--name", help="The registered model; default is models.registered_name.")]
Alias = Annotated[
    str, typer.Option("--alias", help="champion, challenger or shadow; default is the one that serves.")
]
_LOADING = "loading MLflow"


@app.command("list", epilog="Example: omniarb models list --json | jq '.versions[0]'")
def list_all(config: Config = "replay", name: Name = "", as_json: Json = False) -> None:
    """Show every version of a registered model, newest first, and aliases that wait for a decision."""
    with one_line_errors():
        with waiting(_LOADING, quiet=as_json):
            from cli.models_show import list_models
        list_models(config, name, as_json=as_json)


@app.command(epilog="Example: omniarb models show 3 --json")
def show(
    version: Annotated[str, typer.Argument(help="A version's number.")],
    config: Config = "replay",
    name: Name = "",
    as_json: Json = False,
) -> None:
    """Show one version in full."""
    with one_line_errors():
        with waiting(_LOADING, quiet=as_json):
            from cli.models_show import show_model
        show_model(config, name, version, as_json=as_json)


@app.command(epilog="Example: omniarb models explain 3")
def explain(
    version: Annotated[
        str, typer.Argument(metavar="<version|run>", help="A version, or the id of the run it comes from.")
    ],
    config: Config = "replay",
    name: Name = "",
    as_json: Json = False,
) -> None:
    """Say why a version serves or does not: what it was trained on, and every decision about it."""
    with one_line_errors():
        with waiting(_LOADING, quiet=as_json):
            from cli.models_show import explain_model
        explain_model(config, name, version, as_json=as_json)


@app.command(epilog="Example: omniarb models register 0f3c5d0c0a1b4c7e8d9fa0b1c2d3e4f5")
def register(
    run: Annotated[
        str, typer.Argument(metavar="<run>", help="The id of a run of omniarb evolve, or of its winner.")
    ],
    config: Config = "replay",
    as_json: Json = False,
) -> None:
    """Register the winner of a search as a version of its target; the gate decides if it serves."""
    with one_line_errors():
        with waiting(_LOADING, quiet=as_json):
            from cli.models_register import register_winner
        register_winner(config, run, as_json=as_json)


@app.command(epilog="Example: omniarb models promote 3 --alias champion")
def promote(
    version: Annotated[
        str | None,
        typer.Argument(
            help="The version; without one, whatever was asked for by moving an alias is decided."
        ),
    ] = None,
    alias: Alias = "",
    config: Config = "replay",
    name: Name = "",
    tape: Tape = None,
    day: Day = "",
    as_json: Json = False,
) -> None:
    """Put a version through the gate on recorded blocks, and give it the alias if it is proven better.

    Exit code 1 if a version was refused; the alias stays with, or goes back to, the one before.
    """
    with one_line_errors():
        with waiting(_LOADING, quiet=as_json):
            from cli.models_promote import PromoteOptions, promote_model
        options = PromoteOptions(version, alias, config, name, tape, day, as_json)
        if not promote_model(options):
            raise typer.Exit(1)


@app.command(epilog="Example: omniarb models rollback")
def rollback(alias: Alias = "", config: Config = "replay", name: Name = "", as_json: Json = False) -> None:
    """Give the alias back to the version that had it before; again goes back one more."""
    with one_line_errors():
        with waiting(_LOADING, quiet=as_json):
            from cli.models_promote import roll_back
        roll_back(config, name, alias, as_json=as_json)

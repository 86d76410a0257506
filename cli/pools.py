"""``omniarb pools``: discover a chain's pools, verify them, and show those that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import one_line_errors
from cli.options import Config, Json, named_path

app = typer.Typer(
    name="pools",
    help="Discover a chain's pools, verify them, and show those that are known.",
    no_args_is_help=True,
)

_LAST_BLOCK = 2**63 - 1
"""What the store can hold."""

Nodes = Annotated[
    list[str] | None,
    typer.Option(
        "--rpc",
        help="HTTP address of a node; give it again for one that stands in. Default is web3.http_url.",
    ),
]
Database = Annotated[
    Path | None,
    typer.Option(
        "--db",
        parser=named_path,
        metavar="<path>",
        help="SQLite file of the pools; default is storage.database_url.",
    ),
]


@app.command(
    epilog="Example: omniarb pools discover --chain base --rpc http://127.0.0.1:8545 --factory uniswap_v3"
)
def discover(
    chain: Annotated[str, typer.Option("--chain", help="A chain's name; default is web3.chain.")] = "",
    rpc: Nodes = None,
    factory: Annotated[
        list[str] | None,
        typer.Option("--factory", help="A source of pools by name; give it again for another. Default: all."),
    ] = None,
    from_block: Annotated[
        int | None,
        typer.Option(
            "--from-block",
            min=0,
            max=_LAST_BLOCK,
            help="Where to begin; default is each factory's deployment.",
        ),
    ] = None,
    to_block: Annotated[
        int | None, typer.Option("--to-block", min=0, max=_LAST_BLOCK, help="Where to end at the latest.")
    ] = None,
    confirmations: Annotated[
        int | None,
        typer.Option(
            "--confirmations",
            min=0,
            max=_LAST_BLOCK,
            help="Blocks left out below the head; default is a minute's.",
        ),
    ] = None,
    least: Annotated[
        list[str] | None,
        typer.Option(
            "--least",
            metavar="<token>=<amount>",
            help="A pool that holds less of every such token is dust; give it again for another token.",
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Look once more at pools that were dust or could not be read.")
    ] = False,
    config: Config = "development",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Read factories and registries for pools, and keep those worth trading.

    It can be stopped at any moment and goes on where it was.
    """
    from cli.pools_discover import DiscoverOptions, discover_pools

    options = DiscoverOptions(
        chain=chain,
        rpc=tuple(rpc or ()),
        factories=tuple(factory or ()),
        from_block=from_block,
        to_block=to_block,
        confirmations=confirmations,
        least=tuple(least or ()),
        again=again,
        config=config,
        database=database,
        as_json=as_json,
    )
    with one_line_errors():
        discover_pools(options)


@app.command(epilog="Example: omniarb pools verify --chain base --rpc http://127.0.0.1:8545")
def verify(
    pool: Annotated[
        str | None, typer.Argument(help="One pool, by its id or the id's beginning; all by default.")
    ] = None,
    chain: Annotated[str, typer.Option("--chain", help="A chain's name; default is web3.chain.")] = "",
    rpc: Nodes = None,
    depth: Annotated[
        int,
        typer.Option("--depth", min=0, max=64, help="Blocks that pools are followed for before the head."),
    ] = 16,
    config: Config = "development",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Read pools some blocks back, follow their logs, and compare them with the chain.

    Exit code 1 if a pool differs. What is found is recorded in the store.
    """
    from cli.pools_verify import VerifyOptions, verify_stored

    with one_line_errors():
        if not verify_stored(VerifyOptions(pool, chain, tuple(rpc or ()), depth, config, database, as_json)):
            raise typer.Exit(1)


@app.command(epilog="Example: omniarb pools show --chain base --token USDC --status quarantined --limit 20")
def show(
    pool: Annotated[
        str | None, typer.Argument(help="One pool in full, by its id or the id's beginning.")
    ] = None,
    chain: Annotated[str, typer.Option("--chain", help="Only of this chain.")] = "",
    family: Annotated[str, typer.Option("--family", help="Only of this family.")] = "",
    token: Annotated[str, typer.Option("--token", help="Only with this token: symbol or address.")] = "",
    status: Annotated[
        str, typer.Option("--status", help="Only of this status: quarantined, verified or refused.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="Pools shown at most.")] = 50,
    config: Config = "development",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the pools that are known; nothing is asked of a node."""
    from cli.pools_show import ShowOptions, show_pools

    with one_line_errors():
        show_pools(ShowOptions(pool, chain, family, token, status, limit, config, database, as_json))

"""``omniarb chains``: what works on which chain, and why not where it does not."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from chain.capabilities import Capability, capabilities
from chain.networks import Network, load_network, network_names
from cli.output import print_json
from cli.screen import Screen


def show_chains(name: str | None, *, as_json: bool) -> None:
    """Print every chain's facts, or one chain's in full.

    Raises
    ------
    ConfigError
        If there is no such chain, or a file of facts has problems.
    """
    networks = [load_network(each) for each in ((name,) if name else network_names())]
    if as_json:
        print_json({network.name: _document(network) for network in networks})
    elif name:
        _show_one(networks[0])
    else:
        _show_all(networks)


def _document(network: Network) -> dict[str, Any]:
    there = capabilities(network)
    return {
        **network.model_dump(mode="json", exclude={"factories"}),
        "factories": [
            {**factory.model_dump(mode="json", exclude={"init_code_hash"}), "init_code_hash": _hex(factory)}
            for factory in network.factories
        ],
        "capabilities": {
            each.value: {"there": not why_not, "why_not": why_not} for each, why_not in there.items()
        },
    }


def _hex(factory: Any) -> str | None:
    return None if factory.init_code_hash is None else "0x" + factory.init_code_hash.hex()


def _show_all(networks: list[Network]) -> None:
    table = Table(title="What works where", title_justify="left", pad_edge=False)
    table.add_column("", style="bold", no_wrap=True)
    for network in networks:
        table.add_column(network.name, justify="right", no_wrap=True)
    table.add_row("chain id", *(str(network.chain_id) for network in networks))
    table.add_row("block, seconds", *(f"{network.block_time_seconds:g}" for network in networks))
    for each in Capability:
        shown = ["-" if capabilities(network)[each] else "yes" for network in networks]
        table.add_row(each.value.replace("_", " "), *shown)
    table.add_row("factories", *(str(len(network.factories)) for network in networks))
    table.add_row("known tokens", *(str(len(network.tokens)) for network in networks))
    table.add_row("relays", *(str(len(network.relays)) for network in networks))
    screen = Screen(quiet=False, steps=1)
    screen.console.print(table)
    screen.console.print(
        "`omniarb chains NAME` says why something is not there, and where each fact was read."
    )


def _show_one(network: Network) -> None:
    screen = Screen(quiet=False, steps=1)
    rows = [
        ("chain id", str(network.chain_id), ""),
        ("block time", f"{network.block_time_seconds:g} s", network.block_time.source),
        ("gas token", network.native_symbol, f"wrapped: {network.weth}"),
        ("sending unseen", network.orderflow.private, network.orderflow.source),
    ]
    for each, why_not in capabilities(network).items():
        rows.append((each.value.replace("_", " "), "-" if why_not else "yes", why_not))
    for factory in network.factories:
        rows.append((factory.name, factory.address, f"{factory.kind}; {factory.source}"))
    screen.table(network.title, rows)

"""Routers that are the same for everybody, by chain; each with the place where its address was read."""

from __future__ import annotations

from typing import NamedTuple

from chain.blocks import Address
from chain.networks import Network
from market.pending.targets import Router, RouterKind


class _Row(NamedTuple):
    address: Address
    kind: RouterKind
    v2_factory: str = ""
    v3_factory: str = ""
    trades_v4: bool = False


_V3_ROUTER = _Row("0xe592427a0aece92de3edee1f18e0157c05861564", RouterKind.V3_ROUTER, "", "uniswap_v3")
"""npm @uniswap/v3-periphery, deployed at one address on Ethereum and Polygon."""


def _universal(address: Address, trades_v4: bool) -> _Row:
    """Describe a Universal Router: Uniswap/sdks, universal-router-sdk ``CHAIN_CONFIGS`` (e2e0177)."""
    return _Row(address, RouterKind.UNIVERSAL_ROUTER, "uniswap_v2", "uniswap_v3", trades_v4)


def _second(address: Address, v2_factory: str = "uniswap_v2", v3_factory: str = "uniswap_v3") -> _Row:
    """Describe a SwapRouter02: Uniswap/sdks, sdk-core; PancakeSwap's copy: its documentation."""
    return _Row(address, RouterKind.SWAP_ROUTER_02, v2_factory, v3_factory)


def _forked(address: Address, factory: str) -> _Row:
    """Describe a V2 router: the projects' documentation; Ethereum's also in recorded transactions."""
    return _Row(address, RouterKind.V2_ROUTER, factory)


_ROWS: dict[str, tuple[_Row, ...]] = {
    "ethereum": (
        _forked("0x7a250d5630b4cf539739df2c5dacb4c659f2488d", "uniswap_v2"),
        _forked("0xd9e1ce17f2641f24ae83637ab66a2cca9c378b9f", "sushiswap_v2"),
        _V3_ROUTER,
        _second("0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45"),
        _universal("0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad", trades_v4=False),
        _universal("0x66a9893cc07d91d95644aedd05d03f95e1dba8af", trades_v4=True),
    ),
    "bsc": (
        _forked("0x10ed43c718714eb63d5aa57b78b54704e256024e", "pancakeswap_v2"),
        _second("0x13f4ea83d0bd40e75c8222255bc855a974568dd4", "pancakeswap_v2", "pancakeswap_v3"),
        _second("0xb971ef87ede563556b2ed4b1c0b0019111dd85d2"),
        _universal("0x4dae2f939acf50408e13d58534ff8c2776d45265", trades_v4=False),
        _universal("0x1906c1d672b88cd1b9ac7593301ca990f94eae07", trades_v4=True),
    ),
    "polygon": (
        _forked("0xa5e0829caced8ffdd4de3c43696c57f7d7a678ff", "quickswap_v2"),
        _forked("0x1b02da8cb0d097eb8d57a175b88c7d8b47997506", "sushiswap_v2"),
        _V3_ROUTER,
        _second("0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45"),
        _universal("0xec7be89e9d109e7e3fec59c222cf297125fefda2", trades_v4=False),
        _universal("0x1095692a6237d83c6a72f3f5efedb9a670c49223", trades_v4=True),
    ),
}


def known_routers(network: Network) -> tuple[Router, ...]:
    """Return the routers of a chain, Balancer's vault among them.

    Chains without a public mempool have no list: there is nothing to decode.

    Examples
    --------
    >>> from chain.networks import load_network
    >>> len(known_routers(load_network("ethereum"))), len(known_routers(load_network("base")))
    (7, 1)
    """
    vault = Router(RouterKind.VAULT, network.vault.address, network.weth)
    return (*(_router(network, row) for row in _ROWS.get(network.name, ())), vault)


def _router(network: Network, row: _Row) -> Router:
    return Router(
        row.kind,
        row.address,
        network.weth,
        network.factory(row.v2_factory) if row.v2_factory else None,
        network.factory(row.v3_factory) if row.v3_factory else None,
        network.pool_manager.address if row.trades_v4 else "",
    )

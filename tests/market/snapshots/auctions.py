"""A small auction of one pool of each kind, to be broken."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from chain.networks import load_network
from chain.pool_addresses import pool_address

ETHEREUM = load_network("ethereum")
WETH = ETHEREUM.weth
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
DAI = "0x6b175474e89094c44da98b954eedeac495271d0f"
PAIR = pool_address(ETHEREUM.factory("uniswap_v2"), USDC, WETH)
POOL = pool_address(ETHEREUM.factory("uniswap_v3"), USDC, WETH, fee_ppm=500)
WEIGHTED = "0x" + "11" * 20
STABLE = "0x" + "22" * 20


def _cost() -> dict[str, str]:
    return {"amount": "1500000000000000", "token": WETH}


def auction() -> dict[str, Any]:
    """Return the auction as the file holds it; each caller owns its copy."""
    tokens = {
        USDC: {"decimals": 6, "alias": "USDC", "external_price": 500_000_000.0},
        WETH: {"decimals": 18, "alias": "WETH", "external_price": 1.0},
        DAI: {"decimals": 18, "alias": None, "external_price": None},
    }
    pair = {
        "kind": "ConstantProduct",
        "address": PAIR,
        "fee": "0.003",
        "reserves": {WETH: "1000000000000000000000", USDC: "2000000000000"},
        "cost": _cost(),
    }
    pool = {
        "kind": "Concentrated",
        "address": POOL,
        "fee": "0.0005",
        "pool": {
            "tokens": [{"id": USDC, "decimals": "6"}, {"id": WETH, "decimals": "18"}],
            "state": {
                "sqrt_price": str(2**96),
                "liquidity": "5000",
                "tick": "0",
                "liquidity_net": {"-100": "5000", "100": "-5000"},
            },
        },
        "cost": _cost(),
    }
    weighted = {
        "kind": "WeightedProduct",
        "address": WEIGHTED,
        "fee": "0.0025",
        "reserves": {
            USDC: {"balance": "2000000000", "weight": "0.2"},
            WETH: {"balance": "4000000000000000000", "weight": "0.8"},
        },
        "cost": _cost(),
    }
    stable = {
        "kind": "Stable",
        "address": STABLE,
        "fee": "0.000001",
        "reserves": {DAI: "5000000000000000000000", USDC: "5000000000"},
        "scaling_rates": {DAI: "800000000000000000", USDC: "1000000"},
        "amplification_parameter": "200",
        "cost": _cost(),
    }
    amms = {entry["address"]: entry for entry in (pair, pool, weighted, stable)}
    metadata = {
        "environment": "Ethereum / Mainnet",
        "auction_id": 1,
        "gas_price": 15e9,
        "native_token": WETH,
    }
    return copy.deepcopy({"tokens": tokens, "amms": amms, "metadata": metadata})


def written(folder: Path, document: Any, name: str = "auction.json") -> Path:
    """Return a file of one line with the document."""
    file = folder / name
    file.write_text(json.dumps(document) + "\n")
    return file

"""Contract artifacts: the protocols' own from their published packages, ours from ``contracts/artifacts``.

The protocols' bytecode is never part of this repository; it is read from the npm packages that
``contracts/package.json`` pins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import ContractError

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"

_BALANCER = "@balancer-labs/v2-deployments/dist/tasks"
PACKAGED = {
    "WETH9": "canonical-weth/build/contracts/WETH9.json",
    "UniswapV2Factory": "@uniswap/v2-core/build/UniswapV2Factory.json",
    "UniswapV2Pair": "@uniswap/v2-core/build/UniswapV2Pair.json",
    "UniswapV3Factory": "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
    "UniswapV3Pool": "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
    "Authorizer": f"{_BALANCER}/20210418-authorizer/artifact/Authorizer.json",
    "Vault": f"{_BALANCER}/20210418-vault/artifact/Vault.json",
    "ProtocolFeePercentagesProvider": (
        f"{_BALANCER}/20220725-protocol-fee-percentages-provider/artifact/ProtocolFeePercentagesProvider.json"
    ),
    "WeightedPoolFactory": f"{_BALANCER}/20230206-weighted-pool-v3/artifact/WeightedPoolFactory.json",
    "WeightedPool": f"{_BALANCER}/20230206-weighted-pool-v3/artifact/WeightedPool.json",
    "ComposableStablePoolFactory": (
        f"{_BALANCER}/20230206-composable-stable-pool-v3/artifact/ComposableStablePoolFactory.json"
    ),
}
"""Name to file below ``contracts/node_modules``."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A compiled contract.

    Parameters
    ----------
    name
        Contract name.
    abi
        JSON ABI.
    bytecode
        Creation code, without constructor arguments.
    """

    name: str
    abi: list[dict[str, Any]] = field(repr=False)
    bytecode: bytes = field(repr=False)


@cache
def load_artifact(name: str) -> Artifact:
    """Return an artifact by contract name.

    Parameters
    ----------
    name
        A key of :data:`PACKAGED`, or one of our own contracts.

    Raises
    ------
    ContractError
        If the file is missing or is not an artifact.

    Examples
    --------
    >>> load_artifact("UniswapV2Pair").bytecode[:3].hex()
    '608060'
    """
    packaged = PACKAGED.get(name)
    path = CONTRACTS / "node_modules" / packaged if packaged else CONTRACTS / "artifacts" / f"{name}.json"
    if not path.is_file():
        raise ContractError(f"no artifact of {name}; run `make setup`", contract=name, path=str(path))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Artifact(name, content["abi"], bytes.fromhex(content["bytecode"].removeprefix("0x")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(
            f"the artifact of {name} cannot be read ({error}); run `make setup`",
            contract=name,
            path=str(path),
        ) from error

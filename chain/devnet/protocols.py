"""Protocol contracts at their Ethereum addresses, on a chain where nobody has the deployers' keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import Backend
from chain.devnet.calldata import encode_arguments
from chain.devnet.receipts import Receipt
from core.errors import DevnetError

WETH: Address = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
DAI: Address = "0x6b175474e89094c44da98b954eedeac495271d0f"
USDC: Address = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
WBTC: Address = "0x2260fac5e5542a773aa44fbcfedf7c193bc2c599"
UNISWAP_V2_FACTORY: Address = "0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f"
SUSHISWAP_FACTORY: Address = "0xc0aee478e3658e2610c5f7a4a2e1777ce9e4f2ac"
UNISWAP_V3_FACTORY: Address = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
AUTHORIZER: Address = "0xa331d84ec860bf466b4cdccfb4ac09a1b43f3ae6"
VAULT: Address = "0xba12222222228d8ba445958a75a0704d566bf2c8"
PROTOCOL_FEES_COLLECTOR: Address = "0xce88686553686da562ce7cea497ce749da109f9f"
FEE_PERCENTAGES_PROVIDER: Address = "0x97207b095e4d5c9a6e4cfbfcd2c3358e03b90c4a"
WEIGHTED_POOL_FACTORY: Address = "0x5dd94da3644ddd055fcf6b3e1aa310bb7801eb8b"
FLOW_TRADER: Address = "0x" + keccak(text="omniarb FlowTrader")[12:].hex()
"""Our own contract has no Ethereum address; this one is nobody's."""

_DAY = 86_400
_FULL = 10**18


@dataclass(frozen=True, slots=True)
class DeployedToken:
    """An ERC-20 token of the local chain."""

    address: Address
    symbol: str
    decimals: int


TOKENS: Mapping[str, DeployedToken] = MappingProxyType(
    {
        token.symbol: token
        for token in (
            DeployedToken(WETH, "WETH", 18),
            DeployedToken(DAI, "DAI", 18),
            DeployedToken(USDC, "USDC", 6),
            DeployedToken(WBTC, "WBTC", 8),
        )
    }
)


def must_send(backend: Backend, sender: Address, to: Address, data: bytes, value: int = 0) -> Receipt:
    """Send a transaction of which the world depends.

    Raises
    ------
    DevnetError
        If it reverts.
    """
    receipt = backend.send(sender, to, data, value)
    if not receipt.ok:
        raise DevnetError("a step of the world reverted", sender=sender, to=to, data="0x" + data[:4].hex())
    return receipt


def construct_at(backend: Backend, sender: Address, address: Address, creation_code: bytes) -> None:
    """Run a constructor at an address of our choice, and leave its contract there.

    The creation code is made the account's code. Calling it gives the runtime code, sending a
    transaction to it keeps what the constructor stores. The nonce is 1, as of any new contract, so
    that what it creates comes to the same addresses as on Ethereum.

    Raises
    ------
    DevnetError
        If the constructor reverts.
    """
    backend.set_nonce(address, 1)
    backend.set_code(address, creation_code)
    runtime = backend.call(address, b"", sender)
    must_send(backend, sender, address, b"")
    backend.set_code(address, runtime)


def place_protocols(backend: Backend, owner: Address) -> None:
    """Place tokens, factories, the vault and our trader contract.

    Parameters
    ----------
    owner
        Mints the tokens and administers factories and vault.
    """

    def place(address: Address, name: str, types: str = "", *arguments: object) -> None:
        code = load_artifact(name).bytecode + encode_arguments(types, *arguments)
        construct_at(backend, owner, address, code)

    place(WETH, "WETH9")
    for token in TOKENS.values():
        if token.address != WETH:
            terms = (token.symbol, token.symbol, token.decimals, owner)
            place(token.address, "TestToken", "string,string,uint8,address", *terms)
    place(UNISWAP_V2_FACTORY, "UniswapV2Factory", "address", owner)
    place(SUSHISWAP_FACTORY, "UniswapV2Factory", "address", owner)
    place(UNISWAP_V3_FACTORY, "UniswapV3Factory")
    place(AUTHORIZER, "Authorizer", "address", owner)
    place(VAULT, "Vault", "address,address,uint256,uint256", AUTHORIZER, WETH, 90 * _DAY, 30 * _DAY)
    limits = (VAULT, _FULL, _FULL)
    place(FEE_PERCENTAGES_PROVIDER, "ProtocolFeePercentagesProvider", "address,uint256,uint256", *limits)
    versions = (VAULT, FEE_PERCENTAGES_PROVIDER, "{}", "{}")
    place(WEIGHTED_POOL_FACTORY, "WeightedPoolFactory", "address,address,string,string", *versions)
    place(FLOW_TRADER, "FlowTrader")

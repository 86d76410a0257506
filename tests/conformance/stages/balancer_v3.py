"""Balancer V3's vault in an EVM, compiled from its published source; one account does everything.

The vault, its two extensions and its controller of fees stand at fixed addresses, so that the size
limit for contracts, which needs the slow pipeline of the compiler, does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.devnet.artifacts import load_artifact
from chain.devnet.calldata import encode_arguments, encode_call
from chain.devnet.protocols import AUTHORIZER, construct_at
from chain.devnet.rules import GENESIS_TIME
from market.events_balancer import BALANCER_V3_SWAP
from market.pools.balancer_v3 import SMALLEST_TRADE, VaultAccount
from market.pools.log_exp_math import ONE
from tests.conformance.compiled import Sources, compiled, version
from tests.conformance.stage import log_uniform
from tests.conformance.stages.own_tokens import NOBODY, TokenChain

VAULT: Address = "0xba1333333333a1ba1108e8412f11850a5c319ba9"
EXTENSION, ADMIN, CONTROLLER = (
    "0x" + keccak(text=f"balancer v3 {name}")[12:].hex() for name in ("extension", "admin", "controller")
)
START = GENESIS_TIME + 86_400
DAY = 86_400
STEP = 10**11
"""Fees are multiples of it."""
_SCOPE = "@balancer-labs"
SOURCES = Sources(
    compiler="solc-0.8.26",
    settings={
        "evmVersion": "cancun",
        "metadata": {"bytecodeHash": "none"},
        "optimizer": {"enabled": True, "runs": 200},
    },
    contracts={
        f"{_SCOPE}/v3-vault/contracts/Vault.sol": ["Vault"],
        f"{_SCOPE}/v3-vault/contracts/VaultExtension.sol": ["VaultExtension"],
        f"{_SCOPE}/v3-vault/contracts/VaultAdmin.sol": ["VaultAdmin"],
        f"{_SCOPE}/v3-vault/contracts/ProtocolFeeController.sol": ["ProtocolFeeController"],
        f"{_SCOPE}/v3-pool-weighted/contracts/WeightedPool.sol": ["WeightedPool"],
        f"{_SCOPE}/v3-pool-stable/contracts/StablePool.sol": ["StablePool"],
    },
    prefixes={"@openzeppelin/contracts/": "openzeppelin-contracts-5.2.0/"},
    packages=(
        *(f"{_SCOPE}/v3-{name}" for name in ("interfaces", "pool-stable", "pool-utils", "pool-weighted")),
        *(f"{_SCOPE}/v3-{name}" for name in ("solidity-utils", "vault")),
        "openzeppelin-contracts-5.2.0",
    ),
)
_REGISTER = (
    "registerPool(address,(address,uint8,address,bool)[],uint256,uint32,bool,"
    "(address,address,address),address,(bool,bool,bool,bool))"
)
_ADD = "addLiquidity((address,address,uint256[],uint256,uint8,bytes))"
_REMOVE = "removeLiquidity((address,address,uint256,uint256[],uint8,bytes))"
_SWAP = "swap((uint8,address,address,address,uint256,uint256,bytes))"
_TOKEN_INFO = "address[],(uint8,address,bool)[],uint256[],uint256[]"
_CONFIG = "((bool,bool,bool,bool),uint256,uint256,uint256,uint40,uint32,bool,bool,bool,bool)"
_PROPORTIONAL, _UNBALANCED, _ONE_TOKEN = 0, 1, 2
_EXACT_SHARE, _EXACT_TOKEN = 1, 2


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """A token of a pool: decimals, raw balance at the start, and its rate if it has a provider."""

    decimals: int
    balance: int
    rate: int = 0
    pays_yield_fees: bool = False


@dataclass(slots=True)
class Made:
    """A pool that was created."""

    tokens: dict[Address, TokenTerms]
    now: int = START
    providers: dict[Address, Address] = field(default_factory=dict)


class VaultV3Chain(TokenChain):
    """The vault, tokens it is paid with, and the contract that talks to it."""

    def __init__(self, decimals: Sequence[int]) -> None:
        super().__init__(decimals)
        self.contracts = compiled(SOURCES)
        self.code = f"of {_SCOPE}/v3-* {version(f'{_SCOPE}/v3-vault')}, compiled from source"
        admin = self.world.accounts["deployer"].address

        def place(address: Address, name: str, types: str, *arguments: object) -> None:
            code = self.contracts[name].bytecode + encode_arguments(types, *arguments)
            construct_at(self.backend, admin, address, code)

        terms = (VAULT, 90 * DAY, 30 * DAY, SMALLEST_TRADE, 10**4)
        place(ADMIN, "VaultAdmin", "address,uint32,uint32,uint256,uint256", *terms)
        place(EXTENSION, "VaultExtension", "address,address", VAULT, ADMIN)
        place(CONTROLLER, "ProtocolFeeController", "address,uint256,uint256", VAULT, 0, 0)
        place(VAULT, "Vault", "address,address,address", EXTENSION, AUTHORIZER, CONTROLLER)
        caller = load_artifact("VaultCaller").bytecode + encode_arguments("address", VAULT)
        self.caller = self.deploy(caller)
        self.let_spend(self.caller)
        self._grant(admin, CONTROLLER, "setProtocolSwapFeePercentage(address,uint256)")
        self._grant(admin, CONTROLLER, "setProtocolYieldFeePercentage(address,uint256)")
        self._grant(admin, VAULT, "enableRecoveryMode(address)")
        self._grant(admin, VAULT, "disableRecoveryMode(address)")
        self.made: dict[str, Made] = {}
        self.stand_at(START)

    def _grant(self, admin: Address, where: Address, signature: str) -> None:
        (role,) = self.read(where, "bytes32", "getActionId(bytes4)", keccak(text=signature)[:4])
        data = encode_call("grantRole(bytes32,address)", role, self.trader)
        assert self.backend.send(admin, AUTHORIZER, data).ok

    def arranged(self, tokens: Sequence[TokenTerms]) -> dict[Address, int]:
        """Return a token for each of the terms and the place there, in address order."""
        rows = self.tokens_for([(each.decimals, place) for place, each in enumerate(tokens)])
        return {token: place for token, (_, place) in rows.items()}

    def register(
        self, name: str, types: str, terms: object, tokens: Sequence[TokenTerms], fee: int
    ) -> Address:
        """Deploy a pool, register it with the vault and fill it."""
        code = self.contracts[name].bytecode + encode_arguments(f"{types},address", terms, VAULT)
        pool = self.deploy(code)
        made = Made({token: tokens[place] for token, place in self.arranged(tokens).items()})
        configuration = []
        for token, each in made.tokens.items():
            if each.rate:
                rate = load_artifact("SettableRate").bytecode + encode_arguments("uint256", each.rate)
                made.providers[token] = self.deploy(rate)
            provider = made.providers.get(token, NOBODY)
            configuration.append((token, int(bool(each.rate)), provider, each.pays_yield_fees))
        roles = (self.trader,) * 3
        data = (
            pool,
            configuration,
            fee,
            START + 90 * DAY,
            False,
            roles,
            NOBODY,
            (False, False, False, False),
        )
        self.must_send(VAULT, encode_call(_REGISTER, *data))
        self.must_send(pool, encode_call("approve(address,uint256)", self.caller, 2**256 - 1))
        balances = [each.balance for each in made.tokens.values()]
        signature = "initialize(address,address,address[],uint256[],uint256,bytes)"
        begin = encode_call(signature, pool, self.trader, tuple(made.tokens), balances, 0, b"")
        self.must_send(self.caller, self._perform(begin, tuple(made.tokens)))
        self.made[pool] = made
        return pool

    def _perform(self, data: bytes, tokens: Sequence[Address]) -> bytes:
        return encode_call("perform(bytes,address[])", data, tokens)

    def stand(self, pool: str) -> Made:
        """Go to the pool's own time."""
        made = self.made[pool]
        self.stand_at(made.now)
        return made

    def account(self, pool: str) -> VaultAccount:
        """Read what the vault keeps of a pool."""
        made = self.stand(pool)
        _, infos, balances, live = self.read(VAULT, _TOKEN_INFO, "getPoolTokenInfo(address)", pool)
        _, rates = self.read(VAULT, "uint256[],uint256[]", "getPoolTokenRates(address)", pool)
        (config,) = self.read(VAULT, _CONFIG, "getPoolConfig(address)", pool)
        _, swap_fee, protocol_swap_fee, protocol_yield_fee, *_, recovering = config
        return VaultAccount(
            balances=balances,
            decimals=tuple(each.decimals for each in made.tokens.values()),
            rates=rates,
            last_live=live,
            pays_yield_fees=tuple(pays for _, _, pays in infos),
            swap_fee=swap_fee,
            protocol_swap_fee=protocol_swap_fee,
            protocol_yield_fee=protocol_yield_fee,
            recovering=recovering,
            smallest_trade=self.number(VAULT, "getMinimumTradeAmount()"),
        )

    def _swap_data(self, pool: str, token_in: str, token_out: str, amount_in: int, least: int) -> bytes:
        data = encode_call(_SWAP, (0, pool, token_in, token_out, amount_in, least, b""))
        return self._perform(data, (token_in, token_out))

    def swap(self, pool: str, token_in: str, token_out: str, amount_in: int) -> int | None:
        """Trade; return what the vault paid, ``None`` if it reverted."""
        self.stand(pool)
        receipt = self.send(self.caller, self._swap_data(pool, token_in, token_out, amount_in, 0))
        if not receipt.ok:
            return None
        (log,) = (log for log in receipt.logs if log.topics[0] == BALANCER_V3_SWAP)
        return int.from_bytes(log.data[32:64], "big")

    def refuses(self, pool: str, token_in: str, token_out: str, amount_in: int, amount_out: int) -> bool:
        """Return whether the vault reverts when so much is asked for as the least output."""
        self.stand(pool)
        return self.reverts(self.caller, self._swap_data(pool, token_in, token_out, amount_in, amount_out))

    def wait(self, pool: str, seconds: int) -> None:
        """Let time pass for a pool."""
        self.made[pool].now += seconds
        self.stand(pool)

    def change_liquidity(self, pool: str, rng: np.random.Generator) -> None:
        """Add or remove liquidity in one of the ways that all pools have."""
        tokens = tuple(self.made[pool].tokens)
        index = int(rng.integers(len(tokens)))
        balances = self.account(pool).balances
        share = log_uniform(rng, 1, max(self.number(pool, "balanceOf(address)", self.trader) // 4, 2))
        most, one = [2**127] * len(tokens), [int(place == index) for place in range(len(tokens))]
        some = [log_uniform(rng, 1, max(balance // 4, 2)) for balance in balances]
        adds = (
            (most, share, _PROPORTIONAL),
            (some, 0, _UNBALANCED),
            ([2**127 * each for each in one], share, _ONE_TOKEN),
        )
        removes = (
            (share, [0] * len(tokens), _PROPORTIONAL),
            (share, one, _EXACT_SHARE),
            (2**127, [some[index] * each for each in one], _EXACT_TOKEN),
        )
        way = int(rng.integers(3))
        if rng.random() < 0.5:
            data = encode_call(_ADD, (pool, self.trader, *adds[way], b""))
        else:
            data = encode_call(_REMOVE, (pool, self.trader, *removes[way], b""))
        self.send(self.caller, self._perform(data, tokens))

    def change_rates(self, pool: str, rng: np.random.Generator) -> None:
        """Let the tokens' rates move, mostly up."""
        for provider in self.made[pool].providers.values():
            rate = self.number(provider, "getRate()")
            moved = (
                int(rate * rng.uniform(0.995, 1.02)) if rng.random() < 0.9 else ONE * int(rng.integers(1, 4))
            )
            self.must_send(provider, encode_call("setRate(uint256)", moved))

    def change_fees(self, pool: str, rng: np.random.Generator) -> None:
        """Change the swap fee, and what the protocol and the creator have of fees and yield.

        The controller cannot always divide a fee of one unit between the two, and then reverts.
        """
        signature = "setStaticSwapFeePercentage(address,uint256)"
        fee = log_uniform(rng, 10**13, 10**17) // STEP * STEP
        self.must_send(VAULT, encode_call(signature, pool, fee))
        for kind in ("Swap", "Yield"):
            share = int(rng.integers(ONE // 2 // STEP)) * STEP
            data = encode_call(f"setProtocol{kind}FeePercentage(address,uint256)", pool, share)
            self.send(CONTROLLER, data)
            creators = int(rng.integers(ONE * 99 // 100)) if rng.random() < 0.3 else 0
            data = encode_call(f"setPoolCreator{kind}FeePercentage(address,uint256)", pool, creators)
            self.send(CONTROLLER, data)

    def change_recovery(self, pool: str, rng: np.random.Generator) -> None:
        """Enter recovery mode, or leave it; then let the rates move."""
        to_be = "disable" if self.account(pool).recovering else "enable"
        self.send(VAULT, encode_call(f"{to_be}RecoveryMode(address)", pool))
        self.change_rates(pool, rng)

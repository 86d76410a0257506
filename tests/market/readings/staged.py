"""Stages of the conformance kit as nodes: each answers in the words of the protocol's own contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chain.devnet.backend import PyrevmBackend
from chain.devnet.calldata import encode_call
from core.errors import DevnetError
from market.pools.curve_stable import CurveStablePool, Generation
from market.pools.pool import Pool
from market.pools.spec import PoolSpec
from market.tokens import Token
from tests.conformance.stage import Stage
from tests.conformance.stages.curve_stable import OWNER, CurveStableStage
from tests.market.readings.evm_node import EvmNode

WORD = 32
Translated = Callable[[str, bytes], bytes]
"""What a contract answers to the arguments of a function."""


class CurveNode(EvmNode):
    """The stage's own pools under the names that Curve's contracts have.

    A legacy pool counts with ``int128`` and tells A; rates that the stage has set are told by all.
    """

    def __init__(self, stage: CurveStableStage) -> None:
        super().__init__(stage.backend)
        self.stage = stage

    def call(self, to: str, data: bytes) -> bytes:
        if to not in self.stage.specs or data[:4] not in self._translated(to):
            return super().call(to, data)
        return self._translated(to)[data[:4]](to, data[4:])

    def _translated(self, pool: str) -> dict[bytes, Translated]:
        told: dict[bytes, Translated] = {encode_call("stored_rates()"): self._rates}
        if self.stage.generations[pool] is Generation.LEGACY:
            told[encode_call("A()")] = lambda to, _: self.backend.call(to, encode_call("A_precise()"))
            for name in ("coins", "balances"):
                told[encode_call(f"{name}(int128)", 0)[:4]] = self._renamed(f"{name}(uint256)")
                told[encode_call(f"{name}(uint256)", 0)[:4]] = self._reverts
        return told

    def _rates(self, pool: str, _: bytes) -> bytes:
        count = len(self.stage.specs[pool].tokens)
        rates = [self.backend.call(pool, encode_call("rates(uint256)", place)) for place in range(count)]
        head = (WORD, count) if self.stage.generations[pool] is Generation.NG else ()
        return b"".join([*(each.to_bytes(WORD, "big") for each in head), *rates])

    def _renamed(self, signature: str) -> Translated:
        selector = encode_call(signature, 0)[:4]
        return lambda to, arguments: self.backend.call(to, selector + arguments)

    def _reverts(self, to: str, _: bytes) -> bytes:
        raise DevnetError("the call reverted", to=to)


class CamelotNode(EvmNode):
    """The stage's own pairs, none of which has the stable curve that Camelot's pairs may have."""

    def call(self, to: str, data: bytes) -> bytes:
        return bytes(WORD) if data == encode_call("stableSwap()") else super().call(to, data)


class PancakeNode(EvmNode):
    """The stage's own pairs without their fee, which Pancake's pairs do not show."""

    def call(self, to: str, data: bytes) -> bytes:
        answer = super().call(to, data)
        return answer[: 3 * WORD] if data == encode_call("getReserves()") else answer


class SlipstreamNode(EvmNode):
    """The stage's pools of Uniswap V3 without the share of the protocol, the sixth word of seven."""

    def call(self, to: str, data: bytes) -> bytes:
        answer = super().call(to, data)
        return answer[: 5 * WORD] + answer[6 * WORD :] if data == encode_call("slot0()") else answer


ADAPTED: dict[str, type[EvmNode]] = {
    "slipstream": SlipstreamNode,
    "uniswap_v2_camelot": CamelotNode,
    "uniswap_v2_pancake": PancakeNode,
}
"""Stages with contracts of our own, which answer some questions in other words than the protocol's."""


def backend_of(stage: Stage) -> PyrevmBackend:
    backend = stage.chain.backend if hasattr(stage, "chain") else stage.backend  # type: ignore[attr-defined]
    assert isinstance(backend, PyrevmBackend)
    return backend


def node_of(name: str, stage: Stage) -> EvmNode:
    if isinstance(stage, CurveStableStage):
        return CurveNode(stage)
    return ADAPTED.get(name, EvmNode)(backend_of(stage))


def tokens_of(node: EvmNode, spec: PoolSpec) -> dict[str, Token]:
    decimals = (
        int.from_bytes(node.backend.call(token, encode_call("decimals()")), "big") for token in spec.tokens
    )
    return {token: Token(token, "TOKEN", each) for token, each in zip(spec.tokens, decimals, strict=True)}


def described(name: str, pool: Pool, first: PoolSpec) -> PoolSpec:
    """Return what is known beforehand: nothing that changes, but what a description must say."""
    if isinstance(pool, CurveStablePool):
        return replace(first, variant=str(pool.generation))
    return pool.spec if name == "uniswap_v2_pancake" else first


def stand_at_the_time_of(stage: Stage, pool: Pool) -> None:
    """Curve's stage has no clock for calls; the others have turned it when they loaded the pool."""
    if isinstance(stage, CurveStableStage):
        stage.backend.timestamp = stage.clocks[pool.pool_id] - 12
        stage.backend.send(OWNER, OWNER)

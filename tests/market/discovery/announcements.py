"""Logs of factories: written by their own contracts in an EVM, or encoded by another library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.blocks import Address, RawLog
from chain.devnet.artifacts import load_artifact
from chain.devnet.backend import PyrevmBackend, Receipt
from chain.devnet.calldata import decode_result, encode_arguments, encode_call
from chain.devnet.receipts import EventLog
from chain.network_facts import Factory
from chain.networks import load_network
from market.discovery.sources import PoolSource, sources_of

OWNER: Address = "0x" + "a0" * 20


def source_named(chain: str, name: str) -> PoolSource:
    return next(source for source in sources_of(load_network(chain)) if source.name == name)


def standing_at(source: PoolSource, address: Address, **facts: Any) -> PoolSource:
    """Return the source as if its contract stood elsewhere, as it does in a test's EVM."""
    assert source.factory is not None
    moved: Factory = source.factory.model_copy(update={"address": address, "deployer": address, **facts})
    return replace(source, address=address, factory=moved)


def as_log(log: EventLog, block: int = 1, index: int = 0) -> RawLog:
    return RawLog(block, index, 0, b"\0" * 32, log.address, log.topics, log.data)


def written_by(receipt: Receipt, address: Address) -> RawLog:
    """Return the last log that a contract wrote in a transaction."""
    assert receipt.ok
    return as_log([log for log in receipt.logs if log.address == address][-1])


def encoded(
    address: Address, signature: str, indexed: Sequence[tuple[str, Any]], data: Sequence[tuple[str, Any]]
) -> RawLog:
    """Return a log as the ABI writes it."""
    topics = (keccak(text=signature), *(encode([kind], [value]) for kind, value in indexed))
    return RawLog(7, 3, 0, b"\0" * 32, address, topics, encode(*zip(*data, strict=True)))


def two_tokens(backend: PyrevmBackend, decimals: tuple[int, int] = (18, 6)) -> tuple[Address, Address]:
    first, second = sorted(token(backend, places) for places in decimals)
    return first, second


def token(backend: PyrevmBackend, decimals: int = 18, symbol: str = "TOK") -> Address:
    terms = encode_arguments("string,string,uint8,address", symbol, symbol, decimals, OWNER)
    return backend.deploy(OWNER, load_artifact("TestToken").bytecode + terms)


def view(backend: PyrevmBackend, to: Address, types: str, signature: str, *arguments: Any) -> tuple[Any, ...]:
    return decode_result(types, backend.call(to, encode_call(signature, *arguments)))

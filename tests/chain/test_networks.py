"""Chain facts, checked against addresses that are known to exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from chain.networks import Factory, load_network
from core.config_loader import ROOT
from core.errors import ConfigError

USDC, WETH = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"


def create2(factory: Factory, salt: bytes) -> str:
    start = b"\xff" + bytes.fromhex(factory.deployer[2:]) + salt
    return "0x" + keccak(start + factory.init_code_hash)[12:].hex()


def test_known_pools_derive_from_the_factories() -> None:
    network = load_network("ethereum")
    a, b = bytes.fromhex(USDC[2:]), bytes.fromhex(WETH[2:])
    v3_salt = keccak(b"".join(word.rjust(32, b"\0") for word in (a, b, (500).to_bytes(2, "big"))))
    assert (
        create2(network.factory("uniswap_v2"), keccak(a + b)) == "0xb4e16d0168e52d35cacd2c6185b44281ec28c9dc"
    )
    assert (
        create2(network.factory("sushiswap_v2"), keccak(a + b))
        == "0x397ff1542f962076d0bfe58ea045ffa2d347aca0"
    )
    assert create2(network.factory("uniswap_v3"), v3_salt) == "0x88e6a0c2ddd26feeb64f039a2c41296fcb3f5640"


def test_facts_are_typed_and_addresses_lowercase() -> None:
    network = load_network("ethereum")
    assert (network.chain_id, network.block_time_seconds, network.weth) == (1, 12, WETH)
    assert network.vault.address == "0xba12222222228d8ba445958a75a0704d566bf2c8"
    assert network.factory("uniswap_v3").tick_spacing_by_fee_ppm[3000] == 60
    assert all(
        fact.source for fact in (*network.factories, *network.relays, network.vault, network.block_time)
    )


def test_an_unknown_chain_or_factory_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'ethereum'"):
        load_network("etherium")
    with pytest.raises(ConfigError, match="there are uniswap_v2, "):
        load_network("ethereum").factory("curve")


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    facts: dict[str, Any] = json.loads((ROOT / "configs" / "chains" / "ethereum.json").read_text())
    facts["chain_id"] = "one"
    facts["vault"]["adress"] = facts["vault"].pop("address")
    facts["factories"][0]["init_code_hash"] = "0x12"
    del facts["factories"][1]["fee_ppm"]
    (tmp_path / "bad.json").write_text(json.dumps(facts))
    with pytest.raises(ConfigError) as caught:
        load_network("bad", tmp_path)
    paths = {problem["path"] for problem in caught.value.fields["problems"]}
    assert paths == {"chain_id", "vault.address", "vault.adress", "factories.0.init_code_hash", "factories.1"}

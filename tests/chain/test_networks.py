"""Chain facts, checked against addresses that are known to exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chain.networks import load_network, network_names
from core.config_loader import ROOT
from core.errors import ConfigError

WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"


def test_facts_are_typed_and_addresses_lowercase() -> None:
    network = load_network("ethereum")
    assert (network.chain_id, network.block_time_seconds, network.weth) == (1, 12, WETH)
    assert network.vault.address == "0xba12222222228d8ba445958a75a0704d566bf2c8"
    assert network.factory("uniswap_v3").tick_spacing_by_fee_ppm[3000] == 60
    assert all(
        fact.source for fact in (*network.factories, *network.relays, network.vault, network.block_time)
    )


@pytest.mark.parametrize("name", network_names())
def test_every_chain_is_complete_and_consistent(name: str) -> None:
    network = load_network(name)
    assert network.name == name
    assert network.block_time_seconds > 0
    assert network.orderflow.public_mempool == (network.orderflow.pending == "public_mempool")
    names = [factory.name for factory in network.factories]
    assert len(set(names)) == len(names)
    addresses = [token.address for token in network.tokens]
    assert len(set(addresses)) == len(addresses)
    assert any(token.stable for token in network.tokens)
    assert network.weth not in addresses


def test_there_are_six_chains_with_their_own_ids() -> None:
    ids = {name: load_network(name).chain_id for name in network_names()}
    assert ids == {
        "ethereum": 1,
        "optimism": 10,
        "bsc": 56,
        "polygon": 137,
        "base": 8453,
        "arbitrum": 42161,
    }


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

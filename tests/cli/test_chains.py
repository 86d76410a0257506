"""``omniarb chains``, and settings that contradict the facts of their chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chain.networks import network_names
from tests.cli.stage import ROOT, omniarb, plain, refused


def test_all_chains_are_shown_side_by_side() -> None:
    shown = omniarb("chains")
    assert shown.exit_code == 0
    assert all(name[:4] in shown.stdout for name in network_names())
    assert "bundles" in shown.stdout


def test_one_chain_says_why_something_is_not_there() -> None:
    shown = plain(omniarb("chains", "arbitrum").stdout)
    assert "no relay takes bundles" in shown
    assert "camelot_v2" in shown


def test_chains_as_json_hold_every_fact() -> None:
    document = json.loads(omniarb("chains", "--json").stdout)
    assert document.keys() == set(network_names())
    assert document["base"]["capabilities"]["pending_blocks"] == {"there": True, "why_not": ""}
    assert all(factory["source"] for chain in document.values() for factory in chain["factories"])
    one = json.loads(omniarb("chains", "bsc", "--json").stdout)
    assert one == {"bsc": document["bsc"]}


def test_an_unknown_chain_is_one_line() -> None:
    assert "did you mean 'polygon'" in refused("chains", "poligon")


def configured(**changes: Any) -> str:
    document = json.loads((ROOT / "configs" / "replay.json").read_text())
    for path, value in changes.items():
        section, _, field = path.partition("__")
        if field:
            document[section][field] = value
        else:
            document[section] = value
    Path("mine.json").write_text(json.dumps(document))
    return "mine.json"


def test_what_contradicts_the_chain_is_told_at_once_and_before_anything_starts() -> None:
    weth = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
    usdc = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
    name = configured(
        balancer__vault="0x" + "11" * 20,
        tokens=[
            {"address": weth, "symbol": "WETH", "decimals": 18},
            {"address": usdc, "symbol": "USDC", "decimals": 18},
        ],
    )
    for command in (("config", name), ("run", "--config", name)):
        line = refused(*command)
        assert "balancer.vault: found 0x1111" in line
        assert "tokens.1.decimals: found 18, expected 6 for USDC" in line


def test_relays_on_a_chain_without_bundles_are_refused_at_start() -> None:
    name = configured(
        web3__chain="base",
        flashbots__relay_urls=["https://relay.flashbots.net"],
        tokens=[
            {"address": "0x4200000000000000000000000000000000000006", "symbol": "WETH", "decimals": 18},
        ],
    )
    assert "Base: no relay takes bundles" in refused("config", name)


def test_the_wrapped_native_token_is_needed() -> None:
    name = configured(
        tokens=[
            {"address": "0x6B175474E89094C44Da98b954EedeAC495271d0F", "symbol": "DAI", "decimals": 18},
        ]
    )
    assert "WETH" in refused("config", name)

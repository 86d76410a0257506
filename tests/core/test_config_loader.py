"""Settings: three good files, overrides, and every problem at once."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.config_loader import ROOT, load_settings
from core.errors import ConfigError
from core.settings import Settings


def problems_of(name: str | Path, environ: dict[str, str]) -> dict[str, dict[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_settings(name, environ)
    problems: list[dict[str, str]] = caught.value.fields["problems"]
    assert len(problems) == len({problem["path"] for problem in problems})
    assert all(problem["path"] in str(caught.value) for problem in problems)
    return {problem["path"]: problem for problem in problems}


def written(folder: Path, change: dict[str, Any]) -> Path:
    document = json.loads((ROOT / "configs" / "replay.json").read_text())
    path = folder / "mine.json"
    path.write_text(json.dumps(document | change))
    return path


@pytest.mark.parametrize("name", ["replay", "development", "production"])
def test_the_shipped_files_have_every_section(name: str) -> None:
    document = json.loads((ROOT / "configs" / f"{name}.json").read_text())
    assert document.keys() == Settings.model_fields.keys()
    assert all(document.values())


@pytest.mark.parametrize("name", ["replay", "development", "production"])
def test_the_shipped_files_load_and_are_frozen(name: str) -> None:
    settings = load_settings(name, {})
    assert settings.mode == name
    assert [token.symbol for token in settings.tokens] == ["WETH", "DAI", "USDC", "WBTC"]
    assert settings == pickle.loads(pickle.dumps(settings))
    with pytest.raises(ValidationError):
        settings.risk.min_profit_wei = 1  # type: ignore[misc]


def test_the_environment_overrides_the_file() -> None:
    settings = load_settings(
        "replay",
        {
            "OMNIARB_RISK__MIN_PROFIT_WEI": "7",
            "OMNIARB_FLASHBOTS__RELAY_URLS": '["http://a", "http://b"]',
            "OMNIARB_WEB3__WALLET__KEY_ENV": "MY_KEY",
            "OMNIARB_SERVING__PORT": "99",
            "OMNIARB_DATA": "/history",
            "OMNIARB_WALLET_KEY": "0x" + "11" * 32,
            "UNRELATED__THING": "x",
        },
    )
    assert settings.risk.min_profit_wei == 7
    assert settings.risk.max_slippage_ppm == 1000
    assert settings.flashbots.relay_urls == ("http://a", "http://b")
    assert settings.web3.wallet.source().key_env == "MY_KEY"
    assert (settings.serving.port, settings.storage.data_root) == (99, Path("/history"))


def test_the_process_environment_is_not_read_behind_the_callers_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIARB_RISK__MIN_PROFIT_WEI", "7")
    monkeypatch.setenv("RISK", '{"min_profit_wei": 7}')
    monkeypatch.setenv("MODE", "development")
    settings = load_settings("replay", {})
    assert settings.risk.min_profit_wei == 100_000_000_000_000
    assert settings.mode == "replay"


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, {"riks": {}, "serving": {"port": 99_999, "host": ""}, "mode": 1.5})
    problems = problems_of(
        path,
        {
            "OMNIARB_RISK__MIN_PROFIT": "5",
            "OMNIARB_RISK__MAX_SLIPPAGE_PPM": "many",
            "OMNIARB_WEB3__HTTP_URL": "ftp://node",
            "OMNIARB_MODLES__ALIAS": "x",
        },
    )
    assert problems.keys() == {
        "riks", "modles", "mode", "serving.port", "serving.host",
        "risk.min_profit", "risk.max_slippage_ppm", "web3.http_url",
    }  # fmt: skip
    assert "'min_profit_wei'" in problems["risk.min_profit"]["expected"]
    assert "'risk'" in problems["riks"]["expected"]
    assert "OMNIARB_MODLES__ALIAS" in problems["modles"]["found"]
    assert problems["risk.max_slippage_ppm"]["found"] == "'many' (from OMNIARB_RISK__MAX_SLIPPAGE_PPM)"
    assert problems["serving.port"]["expected"] == "less than or equal to 65535"
    assert "http://" in problems["web3.http_url"]["expected"]


@pytest.mark.parametrize(
    "change",
    [
        {"flashbots": {"private_key": "0x" + "ab" * 32}},
        {"flashbots": {"identity": {"key_env": "AB" * 32}}},
        {"web3": {"wallet": {"secret": "ab" * 32}}},
        {"deep": [{"signing_key": ["0x" + "ab" * 32]}]},
    ],
)
def test_a_private_key_in_clear_is_refused_and_not_repeated(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, change), {})
    said = f"{caught.value} {caught.value.fields}"
    assert "a private key in clear" in said
    assert "abab" not in said.lower()


def test_passwords_are_not_repeated() -> None:
    environ = {"OMNIARB_WEB3__HTTP_URL": "ftp://me:hunter2@node", "OMNIARB_WEB3__PASSWORD": "hunter2"}
    with pytest.raises(ConfigError) as caught:
        load_settings("replay", environ)
    assert "hunter2" not in f"{caught.value} {caught.value.fields}"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], "at least one token"),
        ([{"address": "0x12", "symbol": "A", "decimals": 18}], "an address, 0x and 40 hex digits"),
        (
            [{"address": "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756CC2", "symbol": "A", "decimals": 18}],
            "an address whose capitals match its checksum (EIP-55), or all lowercase",
        ),
        ([{"address": "0x" + "11" * 20, "symbol": "A", "decimals": True}], "a whole number"),
        (
            [{"address": "0x" + "11" * 20, "symbol": "A", "decimals": 18}] * 2,
            "each token once; address given twice",
        ),
    ],
)
def test_tokens_are_checked(tmp_path: Path, tokens: list[Any], expected: str) -> None:
    (problem,) = problems_of(written(tmp_path, {"tokens": tokens}), {}).values()
    assert problem["expected"].startswith(expected)


def test_wei_must_be_whole(tmp_path: Path) -> None:
    problems = problems_of(written(tmp_path, {"risk": {"min_profit_wei": 1e16}}), {})
    assert problems["risk.min_profit_wei"]["expected"] == "a whole number"


def test_production_needs_keystores() -> None:
    (problem,) = problems_of("replay", {"OMNIARB_MODE": "production"}).values()
    assert "web3.wallet.keystore and flashbots.identity.keystore" in problem["expected"]


def test_relative_places_start_at_the_root() -> None:
    settings = load_settings("production", {"OMNIARB_STORAGE__DATABASE_URL": "sqlite:///runs/x.db"})
    assert settings.storage.database_url == f"sqlite:///{ROOT}/runs/x.db"
    assert settings.storage.mlflow_home == ROOT / "mlruns"
    assert settings.storage.runs_dir == ROOT / "runs"
    assert settings.flashbots.identity.keystore == ROOT / "configs" / "flashbots.keystore.json"
    absolute = load_settings("replay", {"OMNIARB_STORAGE__DATABASE_URL": "sqlite:////tmp/x.db"})
    assert absolute.storage.database_url == "sqlite:////tmp/x.db"


def test_an_unknown_name_suggests_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'production'"):
        load_settings("prodution", {})
    with pytest.raises(ConfigError, match="development, production, replay"):
        load_settings("zzz", {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "line 1, column 2"),
        (b"[]", "must hold one JSON object, not list"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"mode": "replay", "mode": "production"}', "the key twice"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        load_settings(path, {})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
sections = st.sampled_from(
    ["web3", "flashbots", "tokens", "risk", "models", "serving", "storage", "mode", "_env_file"]
)


@given(st.dictionaries(sections | st.text(max_size=6), json_values, max_size=4))
def test_no_document_gives_a_traceback(change: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), change)
        try:
            load_settings(path, {})
        except ConfigError as error:
            problems = error.fields["problems"]
        else:
            problems = None
    assert problems is None or len(problems) > 0

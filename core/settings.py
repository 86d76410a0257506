"""Settings: typed, frozen, one section a concern. Loading them is ``core.config_loader``.

Amounts are wei, ratios are parts per million, times are seconds and ages are blocks.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from eth_utils.address import is_checksum_address
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.secrets import KeySource

_ADDRESS = re.compile(r"^0x[0-9a-fA-F]{40}$")


def _whole(value: object) -> object:
    if isinstance(value, bool | float):
        raise ValueError("a whole number")
    return value


def _address(value: object) -> str:
    if not isinstance(value, str) or not _ADDRESS.match(value):
        raise ValueError("an address, 0x and 40 hex digits")
    digits = value[2:]
    if digits not in (digits.lower(), digits.upper()) and not is_checksum_address(value):
        raise ValueError("an address whose capitals match its checksum (EIP-55), or all lowercase")
    return value.lower()


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.match(rf"^({'|'.join(schemes)})://[^\s/]+", value):
            raise ValueError(f"a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return AfterValidator(check)


Whole = Annotated[int, BeforeValidator(_whole)]
"""An int that is given as one: no booleans, and no floats, which lose wei above 2**53."""
HexAddress = Annotated[str, BeforeValidator(_address)]
HttpUrl = Annotated[str, _url("http", "https")]
WsUrl = Annotated[str, _url("ws", "wss")]
RedisUrl = Annotated[str, _url("redis", "rediss")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.\-]+$")]


class Section(BaseModel):
    """Base of all sections: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class KeySettings(Section):
    """Where a private key comes from; the key itself is never here."""

    keystore: Path | None = None
    password_env: str | None = None
    password_file: Path | None = None
    key_env: str | None = None

    def source(self) -> KeySource:
        """Return the record that ``core.secrets.load_key`` takes."""
        return KeySource(self.keystore, self.password_env, self.password_file, self.key_env)


class Web3Settings(Section):
    """The node and the wallet that pays."""

    chain: Name = "ethereum"
    http_url: HttpUrl = "http://127.0.0.1:8545"
    fallback_http_urls: tuple[HttpUrl, ...] = ()
    ws_url: WsUrl = "ws://127.0.0.1:8545"
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    wallet: KeySettings = KeySettings()


class FlashbotsSettings(Section):
    """Relays and the identity that signs bundles."""

    relay_urls: tuple[HttpUrl, ...] = ()
    identity: KeySettings = KeySettings()
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0


class BalancerSettings(Section):
    """The vault that lends."""

    vault: HexAddress = "0xba12222222228d8ba445958a75a0704d566bf2c8"


class TokenSettings(Section):
    """A token that is followed."""

    address: HexAddress
    symbol: Annotated[str, Field(min_length=1, max_length=32)]
    decimals: Annotated[Whole, Field(ge=0, le=36)]


class RiskSettings(Section):
    """Limits below or above which nothing is sent."""

    min_profit_wei: Annotated[Whole, Field(ge=0)] = 100_000_000_000_000
    max_slippage_ppm: Annotated[Whole, Field(ge=0, le=1_000_000)] = 1_000
    max_state_age_blocks: Annotated[Whole, Field(ge=0)] = 0
    kill_switch_file: Path = Path("runs/STOP")
    max_reverts_in_a_row: Annotated[Whole, Field(ge=1)] = 3


class BiddingSettings(Section):
    """How bids are drawn."""

    exploration: Annotated[float, Field(ge=0, lt=1)] = 0.05


class ModelSettings(Section):
    """How far ahead the base fee is forecast (blocks), and the registered model that serves it."""

    horizon_blocks: Annotated[Whole, Field(ge=1, le=1_000)] = 2
    window_blocks: Annotated[Whole, Field(ge=1, le=10_000)] = 16
    nominal_coverage: Annotated[float, Field(gt=0, lt=1)] = 0.9
    registered_name: Name = "base-fee-h2"
    alias: Name = "champion"


class ServingSettings(Section):
    """Where the API listens and how many CPU cores Ray may use."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65_535)] = 8000
    num_cpus: Annotated[Whole, Field(ge=1, le=1_024)] = 2


class StorageSettings(Section):
    """Databases and folders; relative ones start at the project's root."""

    database_url: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+]*://")] = "sqlite:///runs/journal.db"
    mlflow_home: Path = Path("mlruns")
    runs_dir: Path = Path("runs")
    data_root: Path | None = None
    redis_url: RedisUrl | None = None


class Settings(BaseSettings):
    """Everything that can be set. Values come only from what is passed in; see ``load_settings``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    mode: Literal["replay", "development", "production"] = "development"
    web3: Web3Settings = Web3Settings()
    flashbots: FlashbotsSettings = FlashbotsSettings()
    balancer: BalancerSettings = BalancerSettings()
    tokens: tuple[TokenSettings, ...]
    risk: RiskSettings = RiskSettings()
    bidding: BiddingSettings = BiddingSettings()
    models: ModelSettings = ModelSettings()
    serving: ServingSettings = ServingSettings()
    storage: StorageSettings = StorageSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values only as given: the loader reads the environment it was handed, not the process's."""
        return (init_settings,)

    @field_validator("tokens")
    @classmethod
    def _tokens_differ(cls, tokens: tuple[TokenSettings, ...]) -> tuple[TokenSettings, ...]:
        if not tokens:
            raise ValueError("at least one token")
        for what in ("address", "symbol"):
            seen = [getattr(token, what) for token in tokens]
            doubled = sorted({value for value in seen if seen.count(value) > 1})
            if doubled:
                raise ValueError(f"each token once; {what} given twice: {', '.join(doubled)}")
        return tokens

    @model_validator(mode="after")
    def _production_has_keys(self) -> Settings:
        keys = {"web3.wallet": self.web3.wallet, "flashbots.identity": self.flashbots.identity}
        missing = [f"{name}.keystore" for name, key in keys.items() if key.keystore is None]
        if self.mode == "production" and missing:
            raise ValueError(f"{' and '.join(missing)}, which production needs")
        return self

"""What a log line may hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from core.errors import ConfigError
from core.logs import set_up_logs
from core.redaction import redact_text
from core.secrets import PrivateKey

HEX = "ab" * 32


@pytest.fixture(autouse=True)
def logs_given_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    set_up_logs("info", stream=stream)
    return stream


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_and_level(lines: io.StringIO) -> None:
    structlog.get_logger().info("block", number=5, hash=b"\x01\x02", pool_id="0x" + HEX)
    (line,) = read(lines)
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["number"], line["hash"]) == ("info", "block", 5, "0x0102")
    assert line["pool_id"] == "0x" + HEX


@pytest.mark.parametrize(
    "fields",
    [
        {"private_key": HEX},
        {"wallet_key": "0x" + HEX},
        {"key": bytes.fromhex(HEX)},
        {"settings": {"wallet": [{"secret": HEX}]}},
        {"password": HEX},
        {"mnemonic": HEX},
        {"url": f"postgresql://omniarb:{HEX}@db/omniarb"},
        {"url": f"https://node/?apikey={HEX}&x=1"},
        {"note": f"loaded key 0x{HEX} from file"},
        {"holder": PrivateKey(bytes.fromhex(HEX))},
    ],
)
def test_no_secret_reaches_a_line(lines: io.StringIO, fields: dict[str, Any]) -> None:
    structlog.get_logger().error("event", **fields)
    assert HEX not in lines.getvalue()
    assert "xab" * 4 not in lines.getvalue()
    assert len(read(lines)) == 1


def test_exceptions_are_cleaned_too(lines: io.StringIO) -> None:
    try:
        raise OSError(f"cannot connect to redis://:{HEX}@cache")
    except OSError:
        structlog.get_logger().exception("failed")
    (line,) = read(lines)
    assert "cannot connect to redis://<hidden>@cache" in line["exception"]
    assert HEX not in line["exception"]


def test_what_a_library_logs_is_a_clean_line_too(lines: io.StringIO) -> None:
    library = logging.getLogger("a.library")
    try:
        raise OSError(f"cannot connect to redis://:{HEX}@cache")
    except OSError:
        library.exception("secret %s of %s", HEX, "postgresql://omniarb:pw@db")
    (line,) = read(lines)
    assert (line["level"], line["logger"]) == ("error", "a.library")
    assert line["event"] == "secret <hidden> of postgresql://<hidden>@db"
    assert "redis://<hidden>@cache" in line["exception"]
    assert HEX not in lines.getvalue()


def test_libraries_are_heard_from_warnings_up(lines: io.StringIO) -> None:
    logging.getLogger("a.library").info("chatter")
    assert lines.getvalue() == ""


def test_setting_up_twice_writes_a_line_once(lines: io.StringIO) -> None:
    again = io.StringIO()
    set_up_logs("error", stream=again)
    logging.getLogger("a.library").warning("not so bad")
    logging.getLogger("a.library").error("bad")
    assert lines.getvalue() == ""
    assert [line["event"] for line in read(again)] == ["bad"]


def test_lines_below_the_level_are_dropped(lines: io.StringIO) -> None:
    structlog.get_logger().debug("noise")
    assert lines.getvalue() == ""


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    set_up_logs("debug", form="console", stream=stream)
    structlog.get_logger().debug("block", number=5)
    assert "number=5" in stream.getvalue()


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match="debug, info, warning, error"):
        set_up_logs("loud")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://eth.example/v2/abcDEF123456", "https://eth.example/<hidden>"),
        ("wss://me:pw@eth.example:443/ws?x=1, gone", "wss://<hidden>@eth.example:443/<hidden>"),
        (
            "eth_chainId at http://127.0.0.1:1/v2/SECRETKEY123: no",
            "eth_chainId at http://127.0.0.1:1/<hidden>",
        ),
        ("https://eth.example/?key=abc", "https://eth.example/<hidden>"),
        ("http://127.0.0.1:5000/?key=abc", "http://127.0.0.1:5000/?key=<hidden>"),
        ("http://127.0.0.1:43573", "http://127.0.0.1:43573"),
        ("https://eth.example/", "https://eth.example/"),
    ],
)
def test_a_key_in_an_address_is_never_shown(text: str, shown: str) -> None:
    cleaned = redact_text(text)
    assert cleaned.startswith(shown)
    assert not any(secret in cleaned for secret in ("SECRETKEY123", "abc", "pw@"))

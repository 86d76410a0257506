"""Keys never show themselves, and keystores are whole, encrypted and never overwritten."""

from __future__ import annotations

import copy
import json
import pickle
import stat
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SecretError
from core.secrets import KeySource, PrivateKey, check_separate, load_key, read_keystore, write_keystore

KEY = b"\x11" * 32
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@given(st.integers(1, ORDER - 1))
def test_address_equals_the_reference_librarys(number: int) -> None:
    secret = number.to_bytes(32, "big")
    key = PrivateKey(secret)
    assert key.address == Account.from_key(secret).address.lower()
    assert PrivateKey.from_hex("0x" + secret.hex()) == key
    assert key.reveal() == secret


def test_no_way_of_printing_shows_the_key() -> None:
    key = PrivateKey(KEY)
    shown = f"{key} {key!r} {[key]} { ({'k': key}) }"
    assert "1111111111" not in shown
    assert str(KEY) not in shown


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_does_not_travel(act: object) -> None:
    with pytest.raises(SecretError, match="does not travel"):
        act(PrivateKey(KEY))  # type: ignore[operator]


@pytest.mark.parametrize("secret", [b"", b"\x11" * 31, b"\x11" * 33, b"\0" * 32, ORDER.to_bytes(32, "big")])
def test_bytes_that_are_no_key_are_refused(secret: bytes) -> None:
    with pytest.raises(SecretError):
        PrivateKey(secret)


def test_text_that_is_no_key_is_refused_without_repeating_it() -> None:
    with pytest.raises(SecretError) as caught:
        PrivateKey.from_hex("my-very-secret-words")
    assert "my-very" not in str(caught.value)


def test_a_keystore_opens_with_its_password_only(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    write_keystore(path, PrivateKey(KEY), "right", light=True)
    assert read_keystore(path, "right") == PrivateKey(KEY)
    with pytest.raises(SecretError, match="does not open"):
        read_keystore(path, "wrong")
    # another implementation reads it, and it is private
    assert bytes(Account.decrypt(json.loads(path.read_text()), "right")) == KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KEY.hex() not in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["k.json"]


def test_keystores_are_hard_to_guess_unless_asked_otherwise(tmp_path: Path) -> None:
    write_keystore(tmp_path / "k.json", PrivateKey(KEY), "pw")
    assert json.loads((tmp_path / "k.json").read_text())["crypto"]["kdfparams"]["n"] >= 2**17


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "k.json"
    path.write_text("precious")
    with pytest.raises(SecretError, match="left as it is"):
        write_keystore(path, PrivateKey(KEY), "pw", light=True)
    assert path.read_text() == "precious"


def test_a_keystore_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="cannot write"):
        write_keystore(tmp_path / "missing" / "k.json", PrivateKey(KEY), "pw", light=True)
    with pytest.raises(SecretError, match="not empty"):
        write_keystore(tmp_path / "k.json", PrivateKey(KEY), "", light=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"crypto": {}}', '{"crypto": 5, "version": 3}', '{"crypto": {}, "version": 9}'],
)
def test_a_file_that_is_no_keystore_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "k.json"
    path.write_text(content)
    with pytest.raises(SecretError, match="keystore"):
        read_keystore(path, "pw")


def test_a_missing_keystore_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="does not exist"):
        read_keystore(tmp_path / "k.json", "pw")


def test_keys_load_from_each_source(tmp_path: Path) -> None:
    path, words = tmp_path / "k.json", tmp_path / "words"
    write_keystore(path, PrivateKey(KEY), "pass word", light=True)
    words.write_text("pass word\n")
    expected = PrivateKey(KEY)
    assert load_key(KeySource(key_env="K"), {"K": "0x" + KEY.hex()}) == expected
    assert load_key(KeySource(keystore=path, password_env="P"), {"P": "pass word"}) == expected
    assert load_key(KeySource(keystore=path, password_env="P", password_file=words), {}) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (KeySource(), "no key is configured"),
        (KeySource(key_env="K"), "K holds no key"),
        (KeySource(keystore=Path("k.json"), password_env="P"), "set P"),
        (KeySource(keystore=Path("k.json")), "password_file"),
        (KeySource(keystore=Path("k.json"), password_file=Path("nowhere")), "cannot read the password file"),
        (KeySource(keystore=Path("k.json"), password_file=Path("/dev/null")), "is empty"),
    ],
)
def test_a_source_that_lacks_something_says_what(source: KeySource, reason: str) -> None:
    with pytest.raises(SecretError, match=reason):
        load_key(source, {})


def test_one_key_for_two_purposes_is_refused() -> None:
    check_separate(PrivateKey(KEY), PrivateKey(b"\x22" * 32))
    with pytest.raises(SecretError, match="same key"):
        check_separate(PrivateKey(KEY), PrivateKey(KEY))

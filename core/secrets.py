"""Private keys: a holder that never shows itself, encrypted keystores, and where a key comes from.

A key comes from an encrypted keystore file, whose password is in an environment variable
or a file, or from an environment variable. It never stands in clear in a JSON file.
"""

from __future__ import annotations

import hmac
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from coincurve import PrivateKey as CurveKey
from eth_utils.crypto import keccak

from core.errors import SecretError

_LIGHT_SCRYPT_N = 2**12
_FULL_SCRYPT_N = 2**18


class PrivateKey:
    r"""A secp256k1 private key that shows its address and nothing else.

    ``repr``, ``str`` and formatting give the address; pickling and copying are refused, so that
    the key does not travel into a log, a crash report or another process.

    Raises
    ------
    SecretError
        If the bytes are no valid key.

    Examples
    --------
    >>> PrivateKey(b"\x11" * 32)
    PrivateKey(address='0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a')
    """

    __slots__ = ("_curve", "address")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise SecretError(f"a private key is 32 bytes, this is {len(secret)}; check where it comes from")
        try:
            self._curve = CurveKey(secret)
        except ValueError:
            raise SecretError(
                "this is no secp256k1 private key (zero or too large); make a new one"
            ) from None
        self.address = _address_of(self._curve)

    @classmethod
    def from_hex(cls, text: str) -> PrivateKey:
        """Read a key from 64 hex digits, with or without ``0x``.

        Raises
        ------
        SecretError
            If the text is anything else; the text is not repeated in the message.
        """
        digits = text.strip().removeprefix("0x")
        try:
            secret = bytes.fromhex(digits)
        except ValueError:
            raise SecretError("a private key is 64 hex digits; this text is not hex") from None
        return cls(secret)

    @classmethod
    def generate(cls) -> PrivateKey:
        """Make a new key from the operating system's randomness."""
        return cls(CurveKey().secret)

    def reveal(self) -> bytes:
        """Return the 32 secret bytes, for code that encrypts them."""
        return self._curve.secret

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign 32 bytes; return r, s and the recovery bit (65 bytes, deterministic, low s)."""
        return self._curve.sign_recoverable(digest, hasher=None)

    def __repr__(self) -> str:
        return f"PrivateKey(address={self.address!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PrivateKey):
            return NotImplemented
        return hmac.compare_digest(self.reveal(), other.reveal())

    def __hash__(self) -> int:
        return hash(self.address)

    def __reduce__(self) -> NoReturn:
        raise SecretError("a private key does not travel; load it from its keystore where it is needed")


def _address_of(curve: CurveKey) -> str:
    point: bytes = curve.public_key.format(compressed=False)
    return "0x" + keccak(point[1:])[12:].hex()


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key comes from: a keystore and its password, or an environment variable.

    Parameters
    ----------
    keystore
        Encrypted keystore (Web3 Secret Storage, version 3); wins over ``key_env``.
    password_env
        Environment variable that holds the keystore's password.
    password_file
        File whose first line is the password; used when ``password_env`` is not set there.
    key_env
        Environment variable that holds the key as hex, where there is no keystore.
    """

    keystore: Path | None = None
    password_env: str | None = None
    password_file: Path | None = None
    key_env: str | None = None


def load_key(source: KeySource, environ: Mapping[str, str]) -> PrivateKey:
    """Load a key from where ``source`` says it is.

    Raises
    ------
    SecretError
        If nothing is configured, something is missing, or the password is wrong.
    """
    if source.keystore is not None:
        return read_keystore(source.keystore, _password(source, environ))
    if source.key_env is not None:
        text = environ.get(source.key_env, "")
        if not text:
            raise SecretError(
                f"environment variable {source.key_env} holds no key; set it or name a keystore",
                variable=source.key_env,
            )
        return PrivateKey.from_hex(text)
    raise SecretError("no key is configured; name a keystore, or an environment variable that holds the key")


def _password(source: KeySource, environ: Mapping[str, str]) -> str:
    if source.password_env and environ.get(source.password_env):
        return environ[source.password_env]
    if source.password_file is not None:
        try:
            lines = source.password_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(
                f"cannot read the password file {source.password_file}: {error}",
                path=str(source.password_file),
            ) from None
        if lines and lines[0]:
            return lines[0]
        raise SecretError(
            f"the password file {source.password_file} is empty", path=str(source.password_file)
        )
    wanted = source.password_env or "an environment variable (password_env) or a password_file"
    raise SecretError(f"no password for keystore {source.keystore}; set {wanted}", path=str(source.keystore))


def write_keystore(path: Path, key: PrivateKey, password: str, *, light: bool = False) -> None:
    """Write a new encrypted keystore, readable by its owner only; all of it or nothing.

    Parameters
    ----------
    path
        File to make; an existing one is never touched.
    password
        Must not be empty.
    light
        Use a weak, fast key derivation. For tests only.

    Raises
    ------
    SecretError
        If the file exists, the folder cannot be written, or the password is empty.
    """
    if not password:
        raise SecretError("a keystore needs a password that is not empty")
    if path.exists():
        raise SecretError(f"{path} exists and is left as it is; choose another name", path=str(path))
    from eth_account import Account  # takes a second to import, and only keystores need it

    rounds = _LIGHT_SCRYPT_N if light else _FULL_SCRYPT_N
    document = Account.encrypt(key.reveal(), password, kdf="scrypt", iterations=rounds)
    try:
        _publish(path, json.dumps(document, indent=2).encode() + b"\n")
    except FileExistsError:
        raise SecretError(
            f"{path} exists and is left as it is; choose another name", path=str(path)
        ) from None
    except OSError as error:
        raise SecretError(f"cannot write keystore {path}: {error.strerror}", path=str(path)) from None


def _publish(path: Path, content: bytes) -> None:
    """Make the file appear whole under its name, or not at all; never over another."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".keystore-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.link(temporary, path)
    finally:
        os.unlink(temporary)


def read_keystore(path: Path, password: str) -> PrivateKey:
    """Read an encrypted keystore.

    Raises
    ------
    SecretError
        If the file is missing, is no keystore, or the password does not open it.
    """
    from eth_account import Account  # as above

    document = _read_document(path)
    try:
        return PrivateKey(bytes(Account.decrypt(document, password)))
    except ValueError:
        raise SecretError(f"the password does not open keystore {path}", path=str(path)) from None
    except (KeyError, TypeError, NotImplementedError):
        raise SecretError(f"{path} is no version 3 keystore; make one again", path=str(path)) from None


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SecretError(f"keystore {path} does not exist", path=str(path)) from None
    except OSError as error:
        raise SecretError(f"cannot read keystore {path}: {error.strerror}", path=str(path)) from None
    except ValueError:
        raise SecretError(f"{path} is no keystore (not JSON)", path=str(path)) from None
    if not isinstance(document, dict) or "crypto" not in {str(name).lower() for name in document}:
        raise SecretError(f"{path} is no keystore (no 'crypto' in it)", path=str(path))
    return document


def check_separate(wallet: PrivateKey, flashbots: PrivateKey) -> None:
    """Refuse one key for both purposes.

    The signing key of bundles is an identity shown to every relay; the wallet's key holds funds.

    Raises
    ------
    SecretError
        If both are the same key.
    """
    if wallet == flashbots:
        raise SecretError(
            f"wallet and Flashbots identity are the same key ({wallet.address}); "
            "make a separate one with scripts/generate_flashbots_auth.py",
            address=wallet.address,
        )

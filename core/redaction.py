"""What must never be shown: which names hold secrets, and how a text is cleaned of them.

Logs, configuration errors and the API all pass what they show through here.
"""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "<hidden>"

_SECRET_NAME = re.compile(
    r"private_?key|secret|passw|passphrase|mnemonic|seed_?phrase|api_?key|signing_?key|authorization",
    re.IGNORECASE,
)
_KEY_NAME = re.compile(r"key", re.IGNORECASE)
_REFERENCE_NAME = re.compile(r"_(env|file)$", re.IGNORECASE)
_HEX_32 = re.compile(r"^\s*(0x)?[0-9a-f]{64}\s*$", re.IGNORECASE)
_HEX_32_AFTER_KEY = re.compile(r"((?:key|secret)\w*\W{0,4})(?:0x)?[0-9a-f]{64}\b", re.IGNORECASE)
_URL_USER = re.compile(r"(?<=://)[^/@\s\"']+@")
_URL_QUERY = re.compile(
    r"([?&](?:api_?-?key|key|auth|token|secret|password|access_token)=)[^&\s\"']+", re.IGNORECASE
)
_NODE_URL = re.compile(r"\b((?:https?|wss?)://(?:[^/@\s\"']+@)?([^/?#\s\"']+))([/?#][^\s\"'<>)]*)")
_HERE = re.compile(r"(127\.|localhost|\[::1\]|0\.0\.0\.0)")
_KEY_IN_PATH = re.compile(r"/(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[\w-]{10,}")


def is_secret_name(name: str) -> bool:
    """Tell whether whatever stands under this name is a secret.

    Names that say *where* a secret is (``password_env``, ``password_file``) are not.

    Examples
    --------
    >>> is_secret_name("private_key"), is_secret_name("password_env"), is_secret_name("block_number")
    (True, False, False)
    """
    return bool(_SECRET_NAME.search(name)) and not _REFERENCE_NAME.search(name)


def looks_like_key(name: str, value: object) -> bool:
    """Tell whether a value is 32 bytes under a name that smells of a key.

    Examples
    --------
    >>> looks_like_key("wallet_key", "0x" + "11" * 32), looks_like_key("transaction_hash", "0x" + "11" * 32)
    (True, False)
    """
    if not (_KEY_NAME.search(name) or _SECRET_NAME.search(name)):
        return False
    if isinstance(value, bytes | bytearray):
        return len(value) == 32
    return isinstance(value, str) and bool(_HEX_32.match(value))


def redact_text(text: str) -> str:
    """Return the text without passwords and keys in URLs and without keys that follow the word ``key``.

    Providers of nodes put the key into the path, so of a web address elsewhere only the host is shown.

    Examples
    --------
    >>> redact_text("postgresql://arb:hunter2@db/arb")
    'postgresql://<hidden>@db/arb'
    >>> redact_text("no answer from https://node.example/v2/SECRET"), redact_text("http://127.0.0.1:8000/docs")
    ('no answer from https://node.example/<hidden>', 'http://127.0.0.1:8000/docs')
    """
    text = _NODE_URL.sub(_without_path, text)
    text = _URL_USER.sub(f"{HIDDEN}@", text)
    text = _URL_QUERY.sub(rf"\1{HIDDEN}", text)
    return _HEX_32_AFTER_KEY.sub(rf"\1{HIDDEN}", text)


def _without_path(url: re.Match[str]) -> str:
    place, host, path = url.groups()
    if path == "/" or (_HERE.match(host) and not _KEY_IN_PATH.search(path)):
        return url.group()
    return f"{place}/{HIDDEN}"


def redact(name: str, value: Any) -> Any:
    """Return ``value`` as it may be shown under ``name``; containers are cleaned all through.

    Examples
    --------
    >>> redact("", {"password": "hunter2", "pool": "0xabc"})
    {'password': '<hidden>', 'pool': '0xabc'}
    """
    if is_secret_name(name) or looks_like_key(name, value):
        return HIDDEN
    if isinstance(value, dict):
        return {key: redact(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(name, inner) for inner in value]
    if isinstance(value, str):
        return redact_text(value)
    return value

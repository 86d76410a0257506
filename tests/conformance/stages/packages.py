"""Creation code of published packages that only the conformance kit needs."""

from __future__ import annotations

import json
from functools import cache

from chain.devnet.artifacts import CONTRACTS


@cache
def creation_code(path: str) -> bytes:
    """Return the creation code of an artifact below ``contracts/node_modules``."""
    content = json.loads((CONTRACTS / "node_modules" / path).read_text(encoding="utf-8"))["bytecode"]
    return bytes.fromhex((content["object"] if isinstance(content, dict) else content).removeprefix("0x"))

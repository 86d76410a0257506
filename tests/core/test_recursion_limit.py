"""Nested input is refused, not a way to kill the process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import json
import chain.signers, execution.relays.transactions
from eth_account import Account
from web3 import AsyncHTTPProvider
try:
    json.loads("[" * 100_000)
except RecursionError:
    print("refused")
"""


def test_deep_brackets_are_refused_whatever_key_handling_brings_along() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr

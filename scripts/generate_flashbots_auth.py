"""Make the key that signs bundles: an identity of its own, in an encrypted keystore.

The identity needs no funds and must not be the wallet's key. Only its address is printed.

    export OMNIARB_FLASHBOTS_PASSWORD=...
    python scripts/generate_flashbots_auth.py --out configs/flashbots.keystore.json
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import OmniArbError, SecretError
from core.secrets import PrivateKey, write_keystore


def main(argv: Sequence[str], environ: Mapping[str, str], *, light: bool = False) -> int:
    """Make the keystore and print the address.

    Parameters
    ----------
    argv
        Arguments after the program's name.
    environ
        Where the password is.
    light
        Weak key derivation, for tests only.

    Returns
    -------
    int
        0, or 2 if nothing was made; the reason is on standard error.
    """
    options = _parser().parse_args(argv)
    try:
        password = environ.get(options.password_env, "")
        if not password:
            raise SecretError(f"environment variable {options.password_env} holds no password; set it first")
        key = PrivateKey.generate()
        write_keystore(options.out, key, password, light=light)
    except OmniArbError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(key.address)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Make the key that signs bundles, in an encrypted keystore.")
    parser.add_argument("--out", type=Path, required=True, help="keystore file to make; never overwritten")
    parser.add_argument(
        "--password-env",
        default="OMNIARB_FLASHBOTS_PASSWORD",
        help="environment variable that holds the keystore's password (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

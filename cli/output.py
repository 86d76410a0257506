"""Machine output."""

from __future__ import annotations

import json
import sys


def print_json(document: object) -> None:
    """Print one JSON document on stdout, at once: a reader that has gone is noticed here, not at exit."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()

"""Keep Python's recursion limit where it is, against a library that raises it for the whole process.

Key handling brings py_ecc, which sets the limit to 100,000 when it is first imported. With that limit
nested brackets from a node, a file or a caller of the API no longer end in a ``RecursionError`` but overrun
the stack, and the process dies.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress


def keep_recursion_limit() -> None:
    """Import the library now and put the limit back; importing it again later changes nothing."""
    limit = sys.getrecursionlimit()
    with suppress(ImportError):
        importlib.import_module("py_ecc")
    sys.setrecursionlimit(limit)

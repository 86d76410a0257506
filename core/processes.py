"""Child processes that never outlive us."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_LAUNCH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; survives exec
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def that_dies_with_us(command: Sequence[str]) -> list[str]:
    """Return a command that does the same and is killed by the kernel when we die.

    A small interpreter asks the kernel and then becomes the command: same process id, about twenty
    milliseconds. Asking between fork and exec instead would need a plain fork, and the handlers
    that gRPC (Ray's) hangs onto it have been seen to fail in the child. The kernel ties the child
    to the *thread* that started it.

    Parameters
    ----------
    command
        Program and arguments; Linux only.
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command]

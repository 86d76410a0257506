"""What a search changes around itself while Ray Tune works, and puts back."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

TUNE_ENVIRONMENT: Mapping[str, str] = {
    # Ctrl-C is ours: Tune would take the first one as a wish to stop gently, and go on
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # we log ourselves; its own files would be written for nobody
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # the newer of its two ways to print knows no silence
    "RAY_AIR_NEW_OUTPUT": "0",
}


@contextmanager
def quiet_tune() -> Iterator[None]:
    """Let Ray Tune print and write nothing of its own meanwhile, and leave signals to us."""
    before = {name: os.environ.get(name) for name in TUNE_ENVIRONMENT}
    os.environ.update(TUNE_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the process-wide generator meanwhile: Tune draws from it whom a member learns from."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)

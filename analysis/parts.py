"""What a report is put together from: pictures and tables, each with the sentence that explains it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with the sentence that stands below it, or only a sentence."""

    title: str
    sentence: str
    alt: str = ""
    data_uri: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading; ``sentence`` stands there if there are none."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sentence: str


def drawn(title: str, sentence: str, alt: str, draw: Callable[[], bytes]) -> Picture:
    """Return a picture with its PNG inlined."""
    return Picture(title, sentence, alt, "data:image/png;base64," + base64.b64encode(draw()).decode())

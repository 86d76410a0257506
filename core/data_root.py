"""Where recorded history lies: one answer for everybody who asks."""

from __future__ import annotations

from pathlib import Path

from core.config_loader import DATA_VARIABLE, ROOT
from core.errors import InputError
from core.settings import Settings

DEFAULT_DATA_ROOT = ROOT / "data"


def find_data_root(settings: Settings) -> Path | None:
    """Return the folder of recorded history, ``None`` if there is none.

    ``storage.data_root`` names it, for which ``OMNIARB_DATA`` is the short name; ``data/`` of the
    project is looked for where nothing is named.

    Raises
    ------
    InputError
        If what is named is no folder.
    """
    named = settings.storage.data_root or DEFAULT_DATA_ROOT
    if named.is_dir():
        return named
    if named == DEFAULT_DATA_ROOT:
        return None
    raise InputError(
        f"the data root {named} is no folder; correct {DATA_VARIABLE} or storage.data_root, or unset it",
        path=str(named),
    )

"""``omniarb config``: check a configuration and show what is in force."""

from __future__ import annotations

import os

from cli.chain_facts import check_facts
from cli.output import print_json
from cli.screen import Screen
from core.config_loader import load_settings


def show_config(name: str, *, as_json: bool) -> None:
    """Load, check and print settings; keys are named by where they come from and never read.

    Raises
    ------
    ConfigError
        With all problems at once.
    """
    settings = load_settings(name, os.environ)
    check_facts(settings)
    document = settings.model_dump(mode="json")
    if as_json:
        print_json(document)
        return
    screen = Screen(quiet=False, steps=1)
    rows = []
    for section, values in document.items():
        if isinstance(values, dict):
            rows += [(f"{section}.{field}", f"{value}", "") for field, value in values.items()]
        else:
            rows.append((section, f"{values}", ""))
    screen.table(f"Settings of {name}: all good", rows)

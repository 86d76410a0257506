"""Modules that import only where the peers are installed have no examples to run here."""

collect_ignore = ["degenbot_cycles.py", "inside.py"]

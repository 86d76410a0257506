"""A store with a migrated database, copied for every test."""

from __future__ import annotations

from tests.registry_fixtures import migrated_home, register, registered, store

__all__ = ["migrated_home", "register", "registered", "store"]

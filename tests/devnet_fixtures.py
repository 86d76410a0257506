"""Fixtures with a built world: a node shared by the session, or an EVM of the test's own.

Take them into a conftest by importing the names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chain.devnet.anvil import Anvil
from chain.devnet.backend import AnvilBackend, PyrevmBackend
from chain.devnet.world import World, build_world


@dataclass(frozen=True, slots=True)
class Devnet:
    """A running node with a world on it."""

    anvil: Anvil
    backend: AnvilBackend
    world: World


@pytest.fixture(scope="session")
def anvil_world() -> Iterator[tuple[Anvil, World]]:
    """Run one node with the world for the whole session; what a test changes, it must revert."""
    anvil = Anvil()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(anvil.launch())
    loop.close()
    try:
        with AnvilBackend(anvil.http_url) as backend:
            world = build_world(backend)
        yield anvil, world
    finally:
        anvil.stop()


@pytest.fixture
def devnet(anvil_world: tuple[Anvil, World]) -> Iterator[Devnet]:
    """Give the session's node to one test and undo afterwards what the test did."""
    anvil, world = anvil_world
    with AnvilBackend(anvil.http_url) as backend:
        mark = backend.snapshot()
        yield Devnet(anvil, backend, world)
        backend.revert(mark)


@pytest.fixture
def pyrevm_world() -> tuple[PyrevmBackend, World]:
    """Build the world in a fresh EVM (20 ms), so tests need not clean up."""
    backend = PyrevmBackend()
    return backend, build_world(backend)

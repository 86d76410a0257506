"""The executor on a world in this process: fresh for every test, twenty milliseconds each."""

import pytest

from chain.devnet.backend import PyrevmBackend
from chain.devnet.world import build_world
from tests.executor_stage import Stage, make_stage


@pytest.fixture
def stage() -> Stage:
    backend = PyrevmBackend()
    return make_stage(backend, build_world(backend))

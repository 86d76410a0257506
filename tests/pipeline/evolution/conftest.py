"""One Ray for the tests of a file, and targets whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from core.config_loader import ROOT
from core.kernel_cache import cache_home, use_kernel_cache
from serving.ray_session import start_ray
from tests.registry_fixtures import migrated_home, store

__all__ = ["local_ray", "migrated_home", "store"]


@pytest.fixture(scope="module")
def local_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray of two cores on this machine, ended before other tests start one of their own."""
    with pytest.MonkeyPatch.context() as patch:
        # its workers find the tests' modules, and compiled code that an earlier worker has left
        patch.setenv("PYTHONPATH", str(ROOT))
        environ: dict[str, str] = {}
        use_kernel_cache(environ, ROOT, cache_home({"HOME": str(Path.home())}))
        for name, value in environ.items():
            patch.setenv(name, value)
        start_ray(2)
        yield
        ray.shutdown()

from __future__ import annotations

import pytest

from tests.conformance_chain import Chain


@pytest.fixture
def chain() -> Chain:
    return Chain()

"""The processor keeps the contract of devices."""

from __future__ import annotations

import pytest

from scoring.devices.cpu import CpuDevice
from tests.scoring.devices.contract import CONTRACT


@pytest.mark.parametrize("clause", CONTRACT, ids=lambda clause: clause.__name__)
def test_the_processor_keeps_the_contract(clause):
    clause(CpuDevice)

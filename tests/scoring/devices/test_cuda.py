"""The graphics card keeps the contract of devices; without one, what can be checked on the processor."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.scoring_market import make_market
from core.errors import InputError
from core.reasons import Reason
from scoring.columns import moebius_columns
from scoring.cycle_table import list_cycles, sample_cycles
from scoring.devices.cpu import CpuDevice
from scoring.devices.cuda import CudaDevice, DeviceError, load_cupy
from scoring.devices.cuda_graph import EDGES_AT_ONCE
from scoring.devices.cuda_kernels import SOURCE, THREADS, Kernels
from scoring.devices.device import Change, CycleTable
from scoring.devices.potentials import MOST, potential_drops, token_potentials
from tests.scoring.devices.contract import CONTRACT, Stage, assert_same


def why_no_card() -> DeviceError | None:
    try:
        load_cupy()
    except DeviceError as error:
        return error
    return None


NO_CARD = why_no_card()
on_a_card = pytest.mark.skipif(NO_CARD is not None, reason=str(NO_CARD))
UP = np.float32(np.inf)


def defined(name: str) -> float:
    found = re.search(rf"#define {name} (\S+)", SOURCE.read_text())
    assert found
    return float(found[1])


def upper_logs(rates: NDArray[np.float64], drops: NDArray[np.float64]) -> NDArray[np.float32]:
    """The kernel's ``upper_log`` in NumPy."""
    with np.errstate(divide="ignore"):
        exact = np.log(rates) + drops + defined("SLACK")
    rounded = exact.astype(np.float32)
    logs = np.where(rounded < exact, np.nextafter(rounded, UP), rounded)
    most = defined("ORDINARY")
    out_of_the_ordinary = (rates != 0.0) & ~((rates < most) & (rates > 1.0 / most))
    return np.where(out_of_the_ordinary, UP, logs)


def add_up(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """The card's ``__fadd_ru`` in NumPy: the rounding error of a sum is itself a float32."""
    with np.errstate(invalid="ignore"):
        total = one + other
        part = total - one
        error = (one - (total - part)) + (other - part)
        return np.where(error > 0.0, np.nextafter(total, UP), total)


def may_earn(logs: NDArray[np.float32], hops: NDArray[Any]) -> NDArray[np.bool_]:
    total = logs[hops[:, 0]]
    for hop in hops.T[1:]:
        total = add_up(total, logs[hop])
    return ~(total <= 0.0)


@st.composite
def barely_earning(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    """Rates of a cycle whose float64 product is hardly above one, and the potentials of its tokens."""
    hops = draw(st.integers(2, 5))
    rates = [
        float(np.exp2(draw(st.floats(-40.0, 40.0)))) * draw(st.floats(1.0, 2.0)) for _ in range(hops - 1)
    ]
    first = float(np.prod(rates))
    last = 1.0 / first
    while not first * last > 1.0:
        last = float(np.nextafter(last, np.inf))
    potentials = [draw(st.floats(-MOST, MOST)) for _ in range(hops)]
    return [*rates, last], potentials


@settings(max_examples=150)
@given(barely_earning())
def test_the_filter_never_drops_a_cycle_whose_rate_exceeds_one(
    cycle: tuple[list[float], list[float]],
) -> None:
    rates, potentials = np.array(cycle[0]), np.array(cycle[1])
    drops = potentials - np.roll(potentials, -1)
    assert may_earn(upper_logs(rates, drops), np.arange(len(rates))[np.newaxis])[0]


@given(st.lists(st.floats(0.0, allow_infinity=False), min_size=2, max_size=5))
def test_rates_of_any_size_are_not_lost_either(rates: list[float]) -> None:
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product = np.prod(np.array(rates))
    if product > 1.0:
        assert may_earn(upper_logs(np.array(rates), np.zeros(len(rates))), np.arange(len(rates))[None])[0]


def test_with_potentials_the_filter_passes_almost_nothing_else() -> None:
    market = make_market(3, 250)
    hops = list_cycles(market.edges, market.worth).hops
    product = market.edges.rate[hops].prod(axis=1)
    passed = may_earn(upper_logs(market.edges.rate, potential_drops(market.edges, market.worth)), hops)
    assert (product > 1.0).sum() > 50
    assert passed[product > 1.0].all()
    assert product[passed].min() > 1.0 - 1e-5


def test_a_potential_is_what_a_token_is_worth_through_its_deepest_pool() -> None:
    # token 1 trades at 3 in a shallow pool and at 2 in a deep one; nothing leads to token 2
    edges, _ = moebius_columns(
        np.array([3.0, 2.0, 1.0]),
        np.array([1e-3, 1e-9, 1.0]),
        np.arange(3),
        np.array([0, 0, 2]),
        np.array([1, 1, 1]),
        np.zeros(3),
    )
    worth = np.array([0.5, 0.0, 0.0])
    assert token_potentials(edges, worth) == pytest.approx([np.log(2.0), np.log(4.0), 0.0])
    assert np.abs(token_potentials(edges, np.array([1e-300, 0.0, 0.0]))).max() <= MOST


class CardThatIsNotThere:
    """What ``Kernels`` asks of CuPy to plan a launch; nothing can be launched."""

    def __init__(self, shared_bytes: int) -> None:
        kernel = SimpleNamespace(kernel=SimpleNamespace(ptr=0), max_dynamic_shared_size_bytes=0)
        properties = {"multiProcessorCount": 132, "sharedMemPerBlockOptin": shared_bytes}
        self.cuda = SimpleNamespace(
            runtime=SimpleNamespace(getDevice=lambda: 0, getDeviceProperties=lambda _: properties),
            driver=SimpleNamespace(
                occupancyMaxActiveBlocksPerMultiprocessor=lambda _, __, shared: 232448 // (shared + 1024)
            ),
        )
        self.RawModule = lambda **_: SimpleNamespace(get_function=lambda _: kernel)


@given(
    st.sampled_from([101376, 166912, 232448]),
    st.integers(1, 3000),
    st.integers(1, 10**8),
    st.integers(3, 10**5),
)
def test_a_plan_fits_the_card_and_holds_what_is_wanted(
    shared: int, keep: int, cycles: int, edges: int
) -> None:
    kernels = Kernels(CardThatIsNotThere(shared), np.dtype(np.uint16), 4)
    for states in (1, 64, 300):
        plan = kernels.plan(keep, cycles, edges, states)
        assert plan.shared_bytes < shared
        assert plan.capacity >= keep + THREADS
        assert plan.capacity & (plan.capacity - 1) == 0
        assert 1 <= plan.blocks <= -(-cycles // (THREADS * 8))
        assert plan.logs_shared or edges > 5_000
    assert kernels.stride(cycles) % 8 == 0
    assert kernels.stride(cycles) >= cycles


def test_more_of_the_best_than_a_block_can_hold_is_refused_with_how_many_it_can() -> None:
    kernels = Kernels(CardThatIsNotThere(101376), np.dtype(np.int32), 4)
    with pytest.raises(InputError, match="ask for no more") as refused:
        kernels.plan(10**6, 10**7, 10_000, 1)
    most = refused.value.fields["most"]
    assert kernels.plan(most, 10**7, 10_000, 1).keep == most


@pytest.mark.skipif(NO_CARD is None, reason="there is a card")
def test_without_a_card_the_device_says_why_it_cannot_be_made() -> None:
    stage = Stage(0)
    with pytest.raises(DeviceError) as refused:
        CudaDevice(stage.edges, stage.worth, stage.table)
    assert refused.value.fields["reason"] in (Reason.CUPY_MISSING, Reason.NO_GPU)


def test_hops_of_another_type_are_refused_before_a_card_is_looked_for() -> None:
    stage = Stage(0)
    table = CycleTable(stage.table.hops.astype(np.int64), stage.table.start)
    with pytest.raises(InputError, match="uint16 or int32"):
        CudaDevice(stage.edges, stage.worth, table)


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("clause", CONTRACT, ids=lambda clause: clause.__name__)
def test_the_graphics_card_keeps_the_contract(clause: Any) -> None:
    clause(CudaDevice)


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("pools", [400, 33_000], ids=["logs in shared memory", "logs beside it"])
def test_card_and_processor_give_the_same_bits(pools: int) -> None:
    market = make_market(5, pools)
    table = sample_cycles(market.edges, market.worth, 20_000, 4 if pools < 1000 else 2)
    card, processor = (make(market.edges, market.worth, table) for make in (CudaDevice, CpuDevice))
    rng = np.random.default_rng(5)
    for size in (1, 20, min(2 * pools, 3 * EDGES_AT_ONCE)):
        edges = rng.integers(0, 2 * pools, size)
        change = Change(
            edges, market.edges.rate[edges] * rng.lognormal(0.0, 0.01, size), market.edges.bend[edges]
        )
        for device in (card, processor):
            device.update(change)
        for count in (1, 10, 1000):
            assert_same(card.top(count), processor.top(count))


@pytest.mark.gpu
@on_a_card
def test_any_number_of_states_is_imagined_at_once() -> None:
    stage = Stage(11)
    card = CudaDevice(stage.edges, stage.worth, stage.table)
    changes = [stage.change(3) for _ in range(300)]
    for found, change in zip(card.what_if(changes, 5), changes, strict=True):
        assert_same(found, stage.expected_if(change, 5))

"""When blocks are mined: everybody answered, or waited long enough, or the clock says so."""

import asyncio
from typing import Any

import pytest

from chain.blocks import BlockHeader
from core.errors import DevnetError, InputError
from pipeline.devnet import lockstep
from pipeline.devnet.lockstep import LockStep


class FakeBuilder:
    """A chain of empty blocks."""

    def __init__(self) -> None:
        self.number = 0

    async def head(self) -> BlockHeader:
        return BlockHeader(self.number, b"", b"", 0, 0, 0, 0)

    async def build(self) -> int:
        self.number += 1
        return self.number


@pytest.fixture
def builder() -> FakeBuilder:
    return FakeBuilder()


def steps(builder: Any, **options: Any) -> LockStep:
    return LockStep(builder, **options)


async def ask(steps: LockStep, method: str, **fields: Any) -> Any:
    return await steps.methods[method].handle([fields], "")


async def mine(steps: LockStep, count: int) -> list[Any]:
    return [result async for result in steps.blocks(count)]


async def test_nobody_outside_means_nobody_to_wait_for(builder: FakeBuilder) -> None:
    assert await mine(steps(builder), 3) == [1, 2, 3]


async def test_agents_of_this_process_act_in_the_order_they_joined_before_each_block(
    builder: FakeBuilder,
) -> None:
    seen: list[tuple[str, int, int]] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        async def act(self, head: BlockHeader) -> None:
            seen.append((self.name, head.number, builder.number))

    driver = steps(builder)
    driver.join(Recorder("a"))
    driver.join(Recorder("b"))
    await mine(driver, 2)
    assert seen == [("a", 0, 0), ("b", 0, 0), ("a", 1, 1), ("b", 1, 1)]


async def test_a_block_waits_for_the_answer_to_the_one_before(builder: FakeBuilder) -> None:
    driver = steps(builder)
    assert await ask(driver, "devnet_register", name="searcher") == {"head": 0}
    running = asyncio.create_task(mine(driver, 3))
    for number in (1, 2):
        await asyncio.sleep(0.02)
        assert builder.number == number
        assert (await ask(driver, "devnet_status"))["waitingFor"] == ["searcher"]
        assert await ask(driver, "devnet_answer", name="searcher", blockNumber=hex(number)) == {
            "inTime": True
        }
    assert await running == [1, 2, 3]


async def test_two_agents_must_both_answer(builder: FakeBuilder) -> None:
    driver = steps(builder)
    for name in ("a", "b"):
        await ask(driver, "devnet_register", name=name)
    running = asyncio.create_task(mine(driver, 2))
    await asyncio.sleep(0.02)
    await ask(driver, "devnet_answer", name="a", blockNumber=1)
    await asyncio.sleep(0.02)
    assert not running.done()
    await ask(driver, "devnet_answer", name="b", blockNumber=1)
    assert await running == [1, 2]


async def test_a_silent_agent_costs_its_timeout_three_times_and_is_then_gone(builder: FakeBuilder) -> None:
    driver = steps(builder, answer_timeout=0.05)
    await ask(driver, "devnet_register", name="crashed")
    began = asyncio.get_running_loop().time()
    await mine(driver, 20)
    assert 0.14 < asyncio.get_running_loop().time() - began < 2.0
    shown = (await ask(driver, "devnet_status"))["agents"]["crashed"]
    assert shown == {"answered": 0, "answers": 0, "missed": 3, "gone": True}
    with pytest.raises(InputError, match="devnet_register"):
        await ask(driver, "devnet_answer", name="crashed", blockNumber=20)
    assert await ask(driver, "devnet_register", name="crashed") == {"head": 20}
    assert not (await ask(driver, "devnet_status"))["agents"]["crashed"]["gone"]


async def test_a_late_answer_is_told_so_and_clears_the_misses(builder: FakeBuilder) -> None:
    driver = steps(builder, answer_timeout=0.05)
    await ask(driver, "devnet_register", name="slow")
    await mine(driver, 3)
    assert await ask(driver, "devnet_answer", name="slow", blockNumber=1) == {"inTime": False}
    await mine(driver, 3)
    shown = (await ask(driver, "devnet_status"))["agents"]["slow"]
    assert (shown["missed"], shown["gone"]) == (5, True)


async def test_a_run_can_wait_for_its_agents(builder: FakeBuilder) -> None:
    driver = steps(builder)
    waiting = asyncio.create_task(driver.wait_registered(["a", "b"]))
    for name in ("a", "b"):
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await ask(driver, "devnet_register", name=name)
    await waiting


async def test_an_agent_that_never_comes_is_named(
    builder: FakeBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockstep, "REGISTER_TIMEOUT", 0.05)
    driver = steps(builder)
    await ask(driver, "devnet_register", name="here")
    with pytest.raises(DevnetError, match="absent did not register") as caught:
        await driver.wait_registered(["here", "absent"])
    assert caught.value.fields["missing"] == ["absent"]


async def test_by_the_clock_nobody_is_waited_for(builder: FakeBuilder) -> None:
    driver = steps(builder, interval=0.03)
    await ask(driver, "devnet_register", name="crashed")
    began = asyncio.get_running_loop().time()
    await mine(driver, 4)
    assert asyncio.get_running_loop().time() - began >= 0.11
    assert (await ask(driver, "devnet_status"))["mode"] == "realtime"


@pytest.mark.parametrize(
    "params", [None, [], [[]], [{}], [{"name": 1}], [{"name": ""}], [{"name": "x" * 81}]]
)
async def test_a_registration_without_a_name_is_refused(builder: FakeBuilder, params: Any) -> None:
    with pytest.raises(InputError):
        await steps(builder).methods["devnet_register"].handle(params, "")


async def test_an_answer_without_a_number_is_refused(builder: FakeBuilder) -> None:
    driver = steps(builder)
    await ask(driver, "devnet_register", name="a")
    for number in (None, "one", -1):
        with pytest.raises(InputError, match="blockNumber"):
            await ask(driver, "devnet_answer", name="a", blockNumber=number)

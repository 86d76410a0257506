"""Work beside the event path keeps its order, fails alone, and holds nobody up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

import pipeline.side_work
from pipeline.side_work import SideWork


def add(done: list[int], number: int) -> Callable[[], None]:
    return lambda: done.append(number)


def test_jobs_are_done_in_order_in_another_thread() -> None:
    done: list[int] = []
    threads: set[int] = set()
    work = SideWork("test")
    for number in range(100):
        work.do(add(done, number))
    work.do(lambda: threads.add(threading.get_ident()))
    work.close()
    assert done == list(range(100))
    assert threads.isdisjoint({threading.get_ident()})


def test_a_job_that_fails_ends_the_work_and_says_why() -> None:
    done: list[int] = []
    work = SideWork("test")
    work.do(add(done, 1))
    work.do(lambda: done.remove(7))
    work.do(add(done, 2))
    work.close()
    assert done == [1]
    assert work.failed == "ValueError: list.remove(x): x not in list"


def test_work_that_falls_far_behind_ends_instead_of_filling_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline.side_work, "BACKLOG", 3)
    gate, done = threading.Event(), list[int]()
    work = SideWork("test")
    work.do(gate.wait)
    for number in range(5):
        work.do(add(done, number))
    assert work.failed == "it fell 3 jobs behind"
    gate.set()
    work.close()
    assert done == []


async def test_waiting_ends_with_the_work_or_with_the_time() -> None:
    gate = threading.Event()
    work = SideWork("test")
    await work.settle(10.0)
    work.do(gate.wait)
    await asyncio.wait_for(work.settle(0.01), 5)
    gate.set()
    done: list[int] = []
    work.do(add(done, 1))
    work.close()
    assert done == [1]
    await work.settle(10.0)


async def test_work_that_is_late_is_not_waited_for_again_until_it_has_caught_up() -> None:
    gate = threading.Event()
    work = SideWork("test")
    work.do(gate.wait)
    await work.settle(0.01)
    began = asyncio.get_running_loop().time()
    await work.settle(30.0)
    assert asyncio.get_running_loop().time() - began < 5.0
    gate.set()
    work.do(lambda: None)
    work.close()
    await work.settle(30.0)

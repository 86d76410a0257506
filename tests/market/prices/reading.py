"""Carry out a reading against an EVM in this process, or against answers of one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chain.devnet.backend import PyrevmBackend
from chain.questions import Answer, ContractCall, Question, Reading
from core.errors import DevnetError

T = TypeVar("T")


def read(backend: PyrevmBackend, reading: Reading[T]) -> T:
    """Ask the contracts of an EVM."""

    def answer(question: Question) -> Answer:
        assert isinstance(question, ContractCall)
        try:
            return backend.call(question.to, question.data)
        except DevnetError:
            return None

    return read_with(reading, lambda questions: [answer(question) for question in questions])


def read_with(reading: Reading[T], answers: Callable[[Sequence[Question]], Sequence[Answer]]) -> T:
    """Answer by hand."""
    try:
        questions = next(reading)
        while True:
            questions = reading.send(answers(questions))
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]

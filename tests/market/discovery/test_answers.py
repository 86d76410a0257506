"""Answers of contracts that are anything at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from market.discovery.answers import values


def test_a_text_that_is_no_utf8_is_no_answer() -> None:
    answer = (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"\xff\xfe".ljust(32, b"\0")
    assert values(("string",), answer) is None


@given(st.binary(max_size=40), st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_no_answer_is_an_error(text: bytes, offset: int, length: int) -> None:
    answer = offset.to_bytes(32, "big") + length.to_bytes(32, "big") + text
    found = values(("string",), answer)
    assert found is None or isinstance(found[0], str)

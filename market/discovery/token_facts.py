"""What a token says of itself: decimals and a symbol that may be shown."""

from __future__ import annotations

from chain.blocks import Address
from chain.questions import Answer, Reading
from core.reasons import Reason, Refusal
from market.discovery.answers import call, number, values
from market.tokens import Token

MAX_DECIMALS = 36
MAX_SYMBOL = 32
_SHOWN_DIGITS = 10


def token_facts(address: Address) -> Reading[Token | Refusal]:
    """Read a token's decimals and symbol.

    A token without decimals is refused. One without a symbol is named by its address: some old tokens
    give 32 bytes in place of a text, some give nothing.

    Parameters
    ----------
    address
        The token.
    """
    decimals_answer, symbol_answer = yield [call(address, "decimals()"), call(address, "symbol()")]
    decimals = number(decimals_answer)
    if decimals is None:
        return Refusal(Reason.TOKEN_UNUSABLE, f"{address} does not say its decimals")
    if decimals > MAX_DECIMALS:
        shown = decimals if decimals < 1_000 else "a thousand or more"
        return Refusal(
            Reason.TOKEN_UNUSABLE, f"{address} has {shown} decimals, at most {MAX_DECIMALS} are usable"
        )
    return Token(address, _symbol(symbol_answer) or address[:_SHOWN_DIGITS], decimals)


def _symbol(answer: Answer) -> str:
    """Return the symbol without anything that could disturb a terminal."""
    if answer is not None and len(answer) == 32:
        raw = answer.rstrip(b"\0")
    else:
        decoded = values(("bytes",), answer)
        raw = b"" if decoded is None else decoded[0]
    # four bytes are the most that a character takes
    text = raw[: 4 * MAX_SYMBOL].decode("utf-8", errors="ignore")
    return "".join(character for character in text if character.isprintable()).strip()[:MAX_SYMBOL]

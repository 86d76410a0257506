"""What all readings share: questions from a function's signature, and answers as 256-bit words.

A contract that is not what its description says reverts, answers nothing, or answers with other
words. Each is refused by name before a number of it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from eth_utils.crypto import keccak

from chain.blocks import Address
from chain.questions import Answer, ContractCall, Reading
from core.errors import MarketError
from market.pools.spec import PoolSpec
from market.tokens import Token

WORD = 32
Words = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A function of a contract that only reads.

    Parameters
    ----------
    to
        The contract.
    signature
        Canonical, for example ``balances(uint256)``.
    arguments
        Of static types: numbers of either sign, and addresses.
    words
        How many 256-bit words it answers with.
    more
        Whether it may answer more than that: an array, or words that do not matter.
    optional
        Whether some contracts of the family lack it; such a one gives no words.
    """

    to: Address
    signature: str
    arguments: tuple[int | Address, ...] = ()
    words: int = 1
    more: bool = False
    optional: bool = False

    def question(self) -> ContractCall:
        """Return the call.

        Raises
        ------
        MarketError
            If an argument is no hex.
        """
        arguments = b"".join(_word(each) for each in self.arguments)
        return ContractCall(self.to, _selector(self.signature) + arguments)

    def words_of(self, answer: Answer) -> Words:
        """Return the words of an answer.

        Raises
        ------
        MarketError
            If these are not as many as expected.
        """
        if not answer:
            if self.optional:
                return ()
            what = "reverted" if answer is None else "gave nothing, so there is no such contract or function"
            raise self._unlike(what)
        count, rest = divmod(len(answer), WORD)
        if rest or count < self.words or (count > self.words and not self.more):
            raise self._unlike(f"gave {len(answer)} bytes where {WORD * self.words} belong")
        return words_in(answer)

    def _unlike(self, what: str) -> MarketError:
        return MarketError(
            f"{self.to} did not answer as a pool of its family does: {self.signature} {what}; "
            "check the address, the family and that the block is not too old",
            address=self.to,
            function=self.signature,
        )


def read(views: Sequence[View]) -> Reading[list[Words]]:
    """Ask all at once and return each one's words.

    Raises
    ------
    MarketError
        If one did not answer as it should.
    """
    answers = yield [view.question() for view in views]
    return [view.words_of(answer) for view, answer in zip(views, answers, strict=True)]


def stored(answer: Answer) -> int:
    """Return the answer to a question about storage.

    Raises
    ------
    MarketError
        If it is no word.
    """
    if answer is None or len(answer) != WORD:
        raise MarketError("the node gave no whole word of storage; ask another one")
    return int.from_bytes(answer, "big")


def words_in(data: bytes) -> Words:
    """Return the 256-bit words of some data, a multiple of 32 bytes long."""
    return tuple(int.from_bytes(data[at : at + WORD], "big") for at in range(0, len(data), WORD))


def array_at(words: Words, place: int) -> Words:
    """Return the array whose offset stands at a place of an answer.

    Raises
    ------
    MarketError
        If the answer does not hold all of it.

    Examples
    --------
    >>> array_at((64, 7, 2, 30, 31), 0)
    (30, 31)
    """
    offset = words[place] if place < len(words) else 1
    start = offset // WORD + 1
    if offset % WORD or start > len(words) or start + words[start - 1] > len(words):
        raise MarketError("an array of the answer is cut off; check the pool's address and family")
    return words[start : start + words[start - 1]]


def address_of(word: int) -> Address:
    """Return a word as an address.

    Raises
    ------
    MarketError
        If it is none.
    """
    if word >> 160:
        raise MarketError("an answer holds a number where an address belongs; check the pool's family")
    return f"0x{word:040x}"


def signed(word: int) -> int:
    """Return a word as a number that may be negative.

    Examples
    --------
    >>> signed(2**256 - 5), signed(5)
    (-5, 5)
    """
    return word - 2**256 if word >> 255 else word


def same(what: str, found: object, described: object) -> None:
    """Refuse a pool that is not as its description says.

    Raises
    ------
    MarketError
        If what was found and what was described differ.
    """
    if found != described:
        raise MarketError(
            f"the contract lists other {what} for this pool; correct its description",
            found=found,
            described=described,
        )


def same_pair(spec: PoolSpec, token0: Words, token1: Words) -> None:
    """Refuse a pool of other tokens than described.

    Raises
    ------
    MarketError
        If they differ, or their order.
    """
    same("tokens", (address_of(token0[0]), address_of(token1[0])), spec.tokens)


def decimals_of(spec: PoolSpec, tokens: Mapping[Address, Token]) -> tuple[int, ...]:
    """Return the decimals of a pool's tokens.

    Raises
    ------
    MarketError
        If a token is not described.
    """
    missing = [token for token in spec.tokens if token not in tokens]
    if missing:
        raise MarketError("the tokens are incomplete; describe all that the pool holds", missing=missing)
    return tuple(tokens[token].decimals for token in spec.tokens)


def _word(argument: int | Address) -> bytes:
    try:
        number = int(argument, 16) if isinstance(argument, str) else argument
    except ValueError:
        raise MarketError(f"{argument!r} is no address or id; correct the pool's description") from None
    return (number % 2**256).to_bytes(WORD, "big")


@cache
def _selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])

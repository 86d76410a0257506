"""What pools of every family share: names that their spec gives, and how a swap is refused."""

from __future__ import annotations

from chain.blocks import Address
from core.errors import MarketError, SwapRefused
from core.reasons import Reason
from market.pools.spec import PoolSpec


class PoolBase:
    """Names of a pool; a family's dataclass derives from it and has the field ``spec``."""

    __slots__ = ()
    spec: PoolSpec

    @property
    def pool_id(self) -> str:
        """Lowercase address, or the 32-byte id of pools that live in a vault."""
        return self.spec.pool_id

    @property
    def address(self) -> Address:
        """Contract that is called for a swap: the pair, the pool, or the vault."""
        return self.spec.address

    @property
    def family(self) -> str:
        """Name of the pool's arithmetic; docs/reference/pools.md lists them."""
        return self.spec.family

    @property
    def tokens(self) -> tuple[Address, ...]:
        """Tokens in the contract's order."""
        return self.spec.tokens

    def _refused(self, reason: Reason, why: str, amount: int) -> SwapRefused:
        return SwapRefused(
            f"{why}; choose another amount or pool", reason=reason, pool_id=self.pool_id, amount=amount
        )


class TwoTokenPool(PoolBase):
    """A pool of ``token0`` and ``token1``."""

    __slots__ = ()

    def _direction(self, token_in: Address, token_out: Address) -> bool:
        """Return whether ``token0`` is paid.

        Raises
        ------
        MarketError
            If these are not the pool's two tokens.
        """
        token0, token1 = self.spec.tokens
        if token_in == token0 and token_out == token1:
            return True
        if token_in == token1 and token_out == token0:
            return False
        raise MarketError(
            "the pool does not trade these tokens; take them from `tokens`",
            pool_id=self.pool_id,
            token_in=token_in,
            token_out=token_out,
        )


class ManyTokenPool(PoolBase):
    """A pool of any number of tokens."""

    __slots__ = ()

    def _indices(self, token_in: Address, token_out: Address) -> tuple[int, int]:
        """Return the places of two different tokens.

        Raises
        ------
        MarketError
            If they are the same, or one is not the pool's.
        """
        pair = self._index(token_in), self._index(token_out)
        if pair[0] == pair[1]:
            raise MarketError("a swap needs two different tokens", pool_id=self.pool_id, token=token_in)
        return pair

    def _index(self, token: Address) -> int:
        try:
            return self.spec.tokens.index(token)
        except ValueError:
            raise MarketError(
                "the pool does not hold this token; take tokens from `tokens`",
                pool_id=self.pool_id,
                token=token,
            ) from None

"""Loading pools: what has to be asked of a chain for each family, without asking it here."""

from market.readings.families import reading_of

__all__ = ["reading_of"]

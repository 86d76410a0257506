"""One decoder for the logs of every family: first topic to event."""

from __future__ import annotations

from chain.blocks import RawLog
from market.events import DECODERS, EventBase
from market.events_balancer import BALANCER_DECODERS
from market.events_curve import CURVE_DECODERS
from market.events_solidly import SOLIDLY_DECODERS
from market.events_v3_family import V3_FAMILY_DECODERS
from market.log_words import Decoders, decoded

ALL_DECODERS: Decoders[EventBase] = {
    **DECODERS,
    **V3_FAMILY_DECODERS,
    **SOLIDLY_DECODERS,
    **CURVE_DECODERS,
    **BALANCER_DECODERS,
}


def decode_log(log: RawLog) -> EventBase | None:
    """Return the event a log holds, or ``None`` if its kind carries no state of any family.

    Raises
    ------
    TapeError
        If topics or data do not fit the kind; ``fields`` hold block, log index and address.
    """
    return decoded(log, ALL_DECODERS)

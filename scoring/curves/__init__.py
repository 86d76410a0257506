"""How much comes out of a pool, as concave functions of what goes in; see :mod:`scoring.curves.curve`."""

from scoring.curves.curve import Curve
from scoring.curves.moebius import DEAD, MoebiusCurve
from scoring.curves.of_pool import curve_of
from scoring.curves.offpeg import OffpegCurve
from scoring.curves.segmented import SegmentedCurve
from scoring.curves.solidly import SolidlyStableCurve
from scoring.curves.stable import StableCurve
from scoring.curves.weighted import WeightedCurve

__all__ = [
    "DEAD",
    "Curve",
    "MoebiusCurve",
    "OffpegCurve",
    "SegmentedCurve",
    "SolidlyStableCurve",
    "StableCurve",
    "WeightedCurve",
    "curve_of",
]

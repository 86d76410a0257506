"""Every family's stage, by name. A new family adds one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.conformance.stage import Stage
from tests.conformance.stages.algebra import AlgebraStage
from tests.conformance.stages.balancer_v3_stable import BalancerV3StableStage
from tests.conformance.stages.balancer_v3_weighted import BalancerV3WeightedStage
from tests.conformance.stages.composable_stable import ComposableStableStage
from tests.conformance.stages.curve_stable import CurveStableStage
from tests.conformance.stages.pancake_v3 import PancakeV3Stage
from tests.conformance.stages.slipstream import SlipstreamStage
from tests.conformance.stages.solidly import SolidlyStableStage, SolidlyVolatileStage
from tests.conformance.stages.uniswap_v2 import UniswapV2Stage
from tests.conformance.stages.uniswap_v2_forks import CamelotV2Stage, PancakeV2Stage
from tests.conformance.stages.uniswap_v3 import UniswapV3Stage
from tests.conformance.stages.uniswap_v4 import UniswapV4Stage
from tests.conformance.stages.weighted import WeightedStage

STAGES: Mapping[str, Callable[[], Stage]] = {
    "algebra_v1": AlgebraStage,
    "balancer_v3_stable": BalancerV3StableStage,
    "balancer_v3_weighted": BalancerV3WeightedStage,
    "composable_stable": ComposableStableStage,
    "curve_stable": CurveStableStage,
    "pancake_v3": PancakeV3Stage,
    "slipstream": SlipstreamStage,
    "solidly_stable": SolidlyStableStage,
    "solidly_volatile": SolidlyVolatileStage,
    "uniswap_v2": UniswapV2Stage,
    "uniswap_v2_camelot": CamelotV2Stage,
    "uniswap_v2_pancake": PancakeV2Stage,
    "uniswap_v3": UniswapV3Stage,
    "uniswap_v4": UniswapV4Stage,
    "weighted": WeightedStage,
}

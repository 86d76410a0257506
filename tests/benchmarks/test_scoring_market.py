"""The seeded market: whole, repeatable, and in the shape it was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scoring_fit import fit, open_share, pools_per_pair, sample_of
from benchmarks.scoring_market import BenchMarket, make_market, moved, pool_name
from benchmarks.scoring_parameters import FITTED, REFERENCE
from benchmarks.scoring_pieces import PIECES
from benchmarks.scoring_real import largest, real_markets, real_sample
from core.config_loader import ROOT
from core.errors import InputError
from scoring.columns import MOEBIUS, SEGMENTED
from scoring.curves import curve_of

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.sampled_from([FITTED, REFERENCE])


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(20, 300), SHAPES, st.sampled_from([0.0, 0.5]))
def test_rows_are_pools_in_both_directions_in_order_and_end_with_the_identity(
    seed, pools, shape, share
) -> None:
    market = make_market(seed, pools, shape, share_v3=share)
    edges = market.edges
    assert len(market) == pools
    assert edges.pool.tolist() == [place // 2 for place in range(2 * pools)] + [-1]
    assert (market.token0 < market.token1).all()
    assert (edges.token_in[0:-1:2] == market.token0).all()
    assert (edges.token_in[1:-1:2] == market.token1).all()
    assert (edges.token_out[:-1] != edges.token_in[:-1]).all()
    assert (edges.rate[-1], edges.bend[-1], edges.cost[-1]) == (1.0, 0.0, 0.0)
    assert np.isfinite(edges.rate).all()
    assert (edges.rate > 0).all()
    assert (edges.bend[:-1] > 0).all()
    assert all(1000 <= side < 2**112 for pair in market.reserves for side in pair)
    assert int((market.worth > 0).sum()) == shape.starts
    assert {int(kind) for kind in edges.kind} <= {MOEBIUS, SEGMENTED}


def test_the_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    one, again, other = (make_market(seed, 200) for seed in (5, 5, 6))
    assert one.reserves == again.reserves
    assert (one.edges.rate == again.edges.rate).all()
    assert one.reserves != other.reserves


@settings(max_examples=10, deadline=None)
@given(SEEDS, SHAPES)
def test_columns_are_the_curves_of_the_pools(seed, shape) -> None:
    market = make_market(seed, 60, shape)
    for place, pool in enumerate(market.pools()):
        assert pool.pool_id == pool_name(place)
        assert pool.tokens == (market.tokens[market.token0[place]], market.tokens[market.token1[place]])
        for row, (token_in, token_out) in ((2 * place, pool.tokens), (2 * place + 1, pool.tokens[::-1])):
            rate, bend = curve_of(pool, token_in, token_out).tangent_map()
            assert market.edges.rate[row] == pytest.approx(rate, rel=1e-12)
            assert market.edges.bend[row] == pytest.approx(bend, rel=1e-12)


def test_words_are_the_reserves() -> None:
    market = make_market(3, 50)
    words = market.reserve_words()
    both = [tuple(int(low) + (int(high) << 64) for low, high in pair) for pair in words]
    assert tuple(both) == market.reserves


def combinations(market: BenchMarket, hub: int) -> float:
    """Pairs of two-hop halves from a hub that meet; some use a pool or a token twice."""
    edges = market.edges
    near = np.bincount(edges.token_out[:-1], edges.token_in[:-1] == hub, len(market.tokens))
    halves = np.bincount(edges.token_out[:-1], near[edges.token_in[:-1]], len(market.tokens))
    halves[hub] = 0
    return float((halves**2).sum())


def page_row(start: str) -> list[str]:
    lines = (ROOT / "docs/reference/benchmark-market.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def as_number(cell: str) -> float:
    value, unit = cell.split()
    return float(value.replace(",", "")) * {"million": 1e6, "billion": 1e9}[unit]


@pytest.mark.parametrize("pools", [1000, 5000, 20_000])
def test_the_page_tells_how_many_combinations_there_are(pools: int) -> None:
    reference, fitted = make_market(7, pools, REFERENCE), make_market(7, pools, FITTED)
    counts = [combinations(reference, 0), combinations(fitted, 0)]
    counts.append(sum(combinations(fitted, hub) for hub in range(6)))
    assert [as_number(cell) for cell in page_row(f"{pools:,} |")] == pytest.approx(counts, rel=0.05)


def test_three_of_four_pools_of_the_reference_hold_a_hub_as_do_all_but_one_in_a_hundred_fitted() -> None:
    for shape, share in ((REFERENCE, 0.75), (FITTED, 0.99)):
        market = make_market(7, 5000, shape)
        assert (market.token0 < 6).mean() == pytest.approx(share, abs=0.02)
        assert len(market.tokens) == round(5000 * shape.tokens_per_pool)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_concentrated_pools_keep_price_and_holdings_and_the_first_piece_is_a_majorant(seed) -> None:
    plain, market = make_market(seed, 40), make_market(seed, 40, share_v3=0.6)
    edges, pieces = market.edges, market.pieces
    rows = np.flatnonzero(edges.kind == SEGMENTED)
    assert plain.reserves == market.reserves
    assert len(rows) * PIECES == len(pieces.a)
    for row in rows:
        part = slice(edges.first[row], edges.stop[row])
        a, c, start_in, start_out, width = (column[part] for column in pieces)
        out = start_out + a * width / (1 + c * width)
        held = market.reserves[row // 2]
        assert edges.rate[row] == pytest.approx(plain.edges.rate[row], rel=1e-9)
        assert out[-1] == pytest.approx(held[1 - row % 2], rel=1e-9)
        assert start_out[1:] == pytest.approx(out[:-1], rel=1e-12)
        assert start_in[1:] == pytest.approx((start_in + width)[:-1], rel=1e-12)
        assert (np.diff(a) < 0).all()
        assert (a / (1 + c * width) ** 2)[:-1] == pytest.approx(a[1:], rel=1e-12)
        reached = start_in + width
        assert (edges.rate[row] * reached / (1 + edges.bend[row] * reached) >= out * (1 - 1e-12)).all()
    with pytest.raises(InputError, match="share_v3=0"):
        market.pools()


def test_a_trade_moves_prices_and_keeps_the_product() -> None:
    market = make_market(4, 30)
    change = moved(market, np.array([3, 7]), np.array([0.01, -0.02]))
    assert change.edges.tolist() == [6, 7, 14, 15]
    before = market.edges.rate[change.edges]
    assert np.log(change.rates / before).tolist() == pytest.approx([0.01, -0.01, -0.02, 0.02])
    keep = 1 - market.fees[[3, 3, 7, 7]] / 1e6
    product = np.sqrt(keep[::2] ** 2 / (change.bends[::2] * change.bends[1::2]))
    held = [float(one) * float(other) for one, other in (market.reserves[3], market.reserves[7])]
    assert (product**2).tolist() == pytest.approx(held, rel=1e-12)


def test_a_fit_to_a_seeded_market_gives_back_its_parameters() -> None:
    found = fit(sample_of(make_market(11, 4000)))
    assert found.hubs_in_pool == pytest.approx(FITTED.hubs_in_pool, abs=0.02)
    assert found.hub_shares == pytest.approx(FITTED.hub_shares, abs=0.02)
    assert found.tokens_per_pool == pytest.approx(FITTED.tokens_per_pool, rel=0.01)
    assert found.depth_mean == pytest.approx(FITTED.depth_mean, abs=0.15)
    assert found.depth_std == pytest.approx(FITTED.depth_std, rel=0.05)
    assert found.noise == pytest.approx(FITTED.noise, rel=0.1)
    assert found.noise_slope == pytest.approx(FITTED.noise_slope, abs=0.05)
    assert dict(found.fees) == pytest.approx(dict(FITTED.fees), abs=0.02)


def test_too_few_pools_are_refused_by_the_fit() -> None:
    with pytest.raises(InputError, match="too few"):
        fit(sample_of(make_market(1, 12)))


def test_the_parameters_in_code_are_those_of_the_recorded_market(data_root: Path) -> None:
    found = fit(real_sample(largest(real_markets(data_root))))
    for name in FITTED.__slots__:
        kept, now = getattr(FITTED, name), getattr(found, name)
        assert np.array(kept) == pytest.approx(np.array(now), rel=1e-3), name


def test_a_seeded_market_looks_like_the_recorded_one_as_far_as_the_page_says(data_root: Path) -> None:
    real = real_sample(largest(real_markets(data_root)))
    seeded = [sample_of(make_market(seed, len(real.tokens))) for seed in range(8)]
    per_pair = [pools_per_pair(real), float(np.mean([pools_per_pair(one) for one in seeded]))]
    is_open = [open_share(real), float(np.mean([open_share(one) for one in seeded]))]
    assert [f"{value:.2f}" for value in per_pair] == page_row("pools per pair of tokens")
    assert [f"{100 * value:.0f} %" for value in is_open] == page_row("pairs of parallel pools")
    assert per_pair[1] == pytest.approx(per_pair[0], rel=0.1)
    assert is_open[1] == pytest.approx(is_open[0], rel=0.3)


def test_the_generator_needs_numpy_and_numba_alone() -> None:
    script = (
        "import sys; import benchmarks.scoring_market, benchmarks.scoring_fit; "
        "heavy = {'pydantic', 'web3', 'eth_abi', 'eth_utils', 'mlflow', 'market'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

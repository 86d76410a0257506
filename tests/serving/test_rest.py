"""Every answer has its shape, every error is one line of JSON with a code."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from core.errors import ServingError
from core.reasons import Reason
from core.seams import ManualClock
from models.champion import Champion
from serving.predictor import answer
from serving.rest import build_api
from serving.schemas import ForecastAnswer, ForecastRequest, MarketSnapshot, ScoreAnswer
from serving.scorer import score_market
from tests.registry_fixtures import SCHEMA, WINDOW, snapshot, window

WETH, DAI = "0x" + "c0" * 20, "0x" + "d0" * 20


class Rooms:
    """The rooms behind the interface, without Ray."""

    ready = True
    surprise = False

    async def predictor_status(self) -> dict[str, Any]:
        refusal = None if self.ready else {"code": "no_champion", "message": "still loading", "version": None}
        return {"ready": self.ready, "model_version": "3" if self.ready else None, "refusal": refusal}

    async def executor_status(self) -> dict[str, Any]:
        raise ServingError("no executor is running; start one", reason=Reason.NO_EXECUTOR)

    async def opportunities(self) -> dict[str, Any]:
        if self.surprise:
            raise RuntimeError("password=hunter2")
        return {"opportunities": []}

    async def forecast(self, request: ForecastRequest) -> ForecastAnswer:
        return answer(Champion("base-fee-h2", "3", "persistence", 0.9, snapshot()), request)

    async def score(self, snapshot: MarketSnapshot) -> ScoreAnswer:
        return score_market(snapshot, ManualClock(7))


@pytest.fixture
def rooms() -> Rooms:
    return Rooms()


@pytest.fixture
async def client(rooms: Rooms) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build_api(rooms, version="1.2.3"), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


def forecast_body(**changes: Any) -> dict[str, Any]:
    rows = [list(row.values) for row in window(20.0)]
    return {"features": list(SCHEMA.names), "rows": rows, "issued_block": 500} | changes


def pair(number: int, weth: int, dai: int) -> dict[str, Any]:
    address = f"0x{number:040x}"
    return {
        "family": "uniswap_v2",
        "pool_id": address,
        "address": address,
        "tokens": [WETH, DAI],
        "fee": 3000,
        "balances": [str(weth * 10**18), str(dai * 10**18)],
    }


def market(*pools: dict[str, Any], **changes: Any) -> dict[str, Any]:
    tokens = [
        {"address": WETH, "symbol": "WETH", "decimals": 18},
        {"address": DAI, "symbol": "DAI", "decimals": 18},
    ]
    body = {"block_number": 77, "start_token": WETH, "tokens": tokens, "pools": list(pools)}
    return body | changes


def error_of(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    assert "\n" not in response.text
    assert "Traceback" not in response.text
    body: dict[str, Any] = json.loads(response.text)
    assert set(body) == {"code", "reason", "message", "fields"}
    return body


async def test_health_is_200_with_a_model_and_503_without(client: httpx.AsyncClient, rooms: Rooms) -> None:
    response = await client.get("/healthz")
    assert (response.status_code, response.json()["model_version"]) == (200, "3")
    rooms.ready = False
    response = await client.get("/healthz")
    assert (response.status_code, response.json()["refusal"]["code"]) == (503, "no_champion")


async def test_a_missing_executor_hides_nothing_else_of_the_status(client: httpx.AsyncClient) -> None:
    status = (await client.get("/api/v1/status")).json()
    assert status["version"] == "1.2.3"
    assert status["predictor"]["model_version"] == "3"
    assert status["executor"]["refusal"]["reason"] == "no_executor"


async def test_forecast_carries_version_interval_and_baseline(client: httpx.AsyncClient) -> None:
    forecast = (await client.post("/api/v1/forecast", json=forecast_body())).json()
    value, lower, upper = snapshot().answer(window(20.0))
    assert (forecast["value"], forecast["lower"], forecast["upper"]) == (value, lower, upper)
    assert (forecast["model_version"], forecast["state_block"], forecast["nominal"]) == ("3", 99, 0.9)
    assert (forecast["issued_block"], forecast["about_block"]) == (500, 502)
    assert (forecast["baseline"], forecast["baseline_value"]) == ("persistence", value)


async def test_columns_may_come_in_any_order_and_older_rows_are_ignored(client: httpx.AsyncClient) -> None:
    straight = (await client.post("/api/v1/forecast", json=forecast_body())).json()
    turned = forecast_body(
        features=[*reversed(SCHEMA.names)],
        rows=[[0.9, 99.0], *([*reversed(row.values)] for row in window(20.0))],
    )
    assert (await client.post("/api/v1/forecast", json=turned)).json() == straight


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (forecast_body(rows=[[1.0, 0.5]] * (WINDOW - 1)), "warming_up"),
        (forecast_body(rows=[[1.0]] * WINDOW), "feature_missing"),
        (forecast_body(features=["base_fee_gwei", "other"]), "feature_missing"),
        (forecast_body(rows=[[1.0, None]] * WINDOW), "feature_not_finite"),
        (forecast_body(blocks=[497, 498, 499]), "feature_missing"),
        (forecast_body(blocks=[497, 499, 498, 500]), "time_went_back"),
        (forecast_body(blocks=[497, 498, 498, 500]), "time_went_back"),
        (forecast_body(blocks=[498, 499, 500, 501]), "time_went_back"),
        (forecast_body(blocks=[200, 300, 400, 500]), "sequence_gap"),
        (forecast_body(blocks=[496, 498, 499, 500]), "sequence_gap"),
        (forecast_body(blocks=[-3, -2, -1, 500]), None),
        (forecast_body(issued_block=2), "warming_up"),
        (
            forecast_body(features=[*SCHEMA.names, SCHEMA.names[0]], rows=[[1.0] * 3] * 4),
            "feature_set_differs",
        ),
        (forecast_body(rows=[[1.0, 1.0]] * 3 + [[-1e30, 1.0]]), "feature_out_of_range"),
        (forecast_body(rows=[[1.0, 1.0]] * 3 + [[1.79e308, 1.0]]), "feature_out_of_range"),
        (forecast_body(issued_block=10**400), None),
        (forecast_body(issued_block=-1), None),
        (forecast_body(surplus=1), None),
        (forecast_body(rows=[["x", "y"]] * WINDOW), None),
        ([], None),
    ],
)
async def test_a_bad_forecast_body_is_refused_with_a_reason(
    client: httpx.AsyncClient, body: Any, reason: str | None
) -> None:
    response = await client.post("/api/v1/forecast", json=body)
    assert response.status_code == 422
    assert error_of(response)["reason"] == reason


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_a_burst_of_numbers_that_are_none_is_refused(client: httpx.AsyncClient, number: str) -> None:
    content = json.dumps(forecast_body()).replace("20.25", number)
    headers = {"content-type": "application/json"}
    response = await client.post("/api/v1/forecast", content=content, headers=headers)
    assert (response.status_code, error_of(response)["reason"]) == (422, "feature_not_finite")


async def test_rows_may_name_their_blocks(client: httpx.AsyncClient) -> None:
    unnamed = (await client.post("/api/v1/forecast", json=forecast_body())).json()
    named = forecast_body(blocks=[497, 498, 499, 500])
    assert (await client.post("/api/v1/forecast", json=named)).json() == unnamed
    # what lies before the window is not read
    longer = forecast_body(blocks=[90, 497, 498, 499, 500], rows=[[-1.0, -1.0], *forecast_body()["rows"]])
    assert (await client.post("/api/v1/forecast", json=longer)).json() == unnamed


def test_a_baseline_that_rows_do_not_give_has_no_value() -> None:
    request = ForecastRequest(**forecast_body(blocks=[1, 5, 9, 500]))
    target = replace(snapshot(), corrects="seasonal")
    served = answer(Champion("gas-used-1", "3", "seasonal", 0.9, target), request)
    assert (served.baseline, served.baseline_value, served.value) == ("seasonal", None, 23.0)


@pytest.mark.parametrize("content", [b"", b"{", b'{"rows": [[NaN]]}', b"\xff\xfe"])
async def test_a_body_that_is_no_json_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/api/v1/forecast", content=content, headers=headers)
    assert response.status_code in (400, 422)
    error_of(response)


async def test_unknown_routes_and_methods_say_so(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v2/anything")
    assert (response.status_code, error_of(response)["code"]) == (404, "NOT_FOUND")
    response = await client.delete("/healthz")
    assert (response.status_code, error_of(response)["code"]) == (405, "METHOD_NOT_ALLOWED")


async def test_a_surprise_keeps_its_details_in_the_log(client: httpx.AsyncClient, rooms: Rooms) -> None:
    rooms.surprise = True
    response = await client.get("/api/v1/opportunities")
    assert response.status_code == 500
    assert error_of(response)["code"] == "INTERNAL_ERROR"
    assert "hunter2" not in response.text


async def test_documentation_lists_every_route(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 200
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/healthz",
        "/api/v1/status",
        "/api/v1/opportunities",
        "/api/v1/score",
        "/api/v1/forecast",
    }


async def test_two_pairs_at_different_prices_are_an_opportunity(client: httpx.AsyncClient) -> None:
    body = market(pair(1, 1000, 2_000_000), pair(2, 1000, 2_100_000))
    scored = (await client.post("/api/v1/score", json=body)).json()
    (best,) = scored["opportunities"]
    # the pair's own formula, hop by hop, as the contract computes it
    amount = int(best["amount_in"])
    dai_out = amount * 997 * 2_100_000 * 10**18 // (1000 * 10**18 * 1000 + amount * 997)
    weth_out = dai_out * 997 * 1000 * 10**18 // (2_000_000 * 10**18 * 1000 + dai_out * 997)
    assert [hop["pool_id"][-1] for hop in best["hops"]] == ["2", "1"]
    assert int(best["amount_out"]) == weth_out
    assert int(best["gross_profit"]) == weth_out - amount > 0
    assert int(best["upper_bound"]) >= int(best["gross_profit"])
    assert best["state_block"] == scored["block_number"] == 77


async def test_equal_prices_offer_nothing_and_say_why(client: httpx.AsyncClient) -> None:
    body = market(pair(1, 1000, 2_000_000), pair(2, 500, 1_000_000))
    scored = (await client.post("/api/v1/score", json=body)).json()
    assert (scored["opportunities"], scored["refusals"]) == ([], {"rate_below_one": 2})


@pytest.mark.parametrize(
    "body",
    [
        market(),
        market(pair(1, 1, 1), pair(1, 1, 1)),
        market(pair(1, 1, 1) | {"balances": None}),
        market(pair(1, 1, 1) | {"balances": ["1", "2", "3"]}),
        market(pair(1, 1, 1) | {"balances": ["1", "-2"]}),
        market(pair(1, 1, 1) | {"balances": ["1", str(2**112)]}),
        market(pair(1, 1, 1) | {"balances": [1.5, 2]}),
        market(pair(1, 1, 1) | {"tokens": [WETH, "0x" + "ee" * 20]}),
        market(pair(1, 1, 1) | {"family": "uniswap_v3"}),
        market(pair(1, 1, 1) | {"family": "weighted", "weights": ["1"]}),
        market(pair(1, 1, 1) | {"family": "curve"}),
        market(pair(1, 1, 1) | {"pool_id": "0xABC"}),
        market(pair(1, 1, 1), start_token="0x" + "ee" * 20),
    ],
)
async def test_an_impossible_market_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    response = await client.post("/api/v1/score", json=body)
    assert response.status_code == 422
    assert error_of(response)["code"] == "BAD_INPUT"

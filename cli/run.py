"""``omniarb run``: the main job in five steps, each with a bar, a figure, or a reason why it was skipped."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.live_models import compare_live
from analysis.report import build_report
from cli.chain_facts import check_facts
from cli.child import DevnetChild
from cli.devnet import FLASHBOTS_FILE, WALLET_FILE
from cli.execute import follow
from cli.folders import drop_if_empty, new_folder
from cli.gatekeeping import gatekeeper_of_run
from cli.history import replay_history
from cli.learn import Learned, learn
from cli.output import print_json
from cli.result import landed, report_data, show, stay
from cli.screen import Screen, waiting
from cli.signals import CleanUp, like_ctrl_c
from cli.tracking import check_store
from core.config_loader import load_settings
from core.errors import InputError
from core.settings import Settings
from execution.risk.checks import RiskLimits
from features.registry import BLOCK
from pipeline.devnet.description import DevnetDescription
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE, LiveConfig, LiveResult
from pipeline.online_rows import redis_store
from pipeline.replay import Replay
from pipeline.summary import (
    execute_part,
    features_part,
    history_part,
    latency_part,
    learning_part,
    models_part,
    write_summary,
)
from serving.app import ServingApp, ServingConfig, start_serving
from serving.ports import listening_port

AGENT = "omniarb"
FEATURES, LEARNER = "features", "learner"
"""Folders of a run: rows as they were served, and the models that go on learning from them."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command was asked."""

    config: str
    seed: int
    blocks: int
    stay: bool
    realtime: float
    as_json: bool


@dataclass(slots=True)
class _Timer:
    """Wall-clock seconds of each step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)


def run_all(options: RunOptions) -> None:
    """Do the five steps, write summary and report, and leave nothing running (unless asked to stay).

    Raises
    ------
    OmniArbError
        Whatever went wrong, as one clear sentence.
    KeyboardInterrupt
        If a signal asked to stop; everything has been shut down by then.
    """
    settings = _checked_settings(options)
    screen = Screen(quiet=options.as_json, steps=5)
    # the handler is the outer one, so that it still stands while the stack closes
    with like_ctrl_c(), CleanUp() as stack:
        folder = new_folder(settings.storage.runs_dir, datetime.now(tz=UTC), options.seed)
        stack.callback(drop_if_empty, folder)
        _work(options, settings, screen, folder, stack)
        with waiting("stopping servers", quiet=options.as_json):
            stack.close()


def _checked_settings(options: RunOptions) -> Settings:
    """Load settings, and refuse now what would otherwise be refused after a minute of work."""
    settings = load_settings(options.config, os.environ)
    if settings.mode == "production":
        raise InputError(
            "`omniarb run` works on recorded history and a local chain; use replay or development"
        )
    check_facts(settings)
    listening_port(settings.serving.host, settings.serving.port)
    check_store(settings.storage.mlflow_home)
    if settings.storage.redis_url is not None:
        redis_store(settings.storage.redis_url, BLOCK)
    return settings


def _work(options: RunOptions, settings: Settings, screen: Screen, folder: Path, stack: ExitStack) -> None:
    timer = _Timer()
    with timer.time("history"):
        replayed = replay_history(screen, settings, options.seed, folder)
    with timer.time("models"):
        learned = learn(screen, settings, options.seed, replayed, folder / LEARNER)
    with timer.time("devnet"):
        chain, devnet, password = _start_devnet(screen, options, folder, stack)
    with timer.time("serve"):
        serving = _start_serving(screen, settings, stack, password)
        stack.enter_context(gatekeeper_of_run(screen, settings, replayed, folder))
    with timer.time("execute"):
        config = _live_config(settings, options, folder, devnet)
        result = follow(screen, serving, config, chain.check, options.realtime)
    screen.figure(f"{result.bundles_sent} bundles sent, {landed(result)} landed")
    summary = _summary(options, folder, timer, replayed, learned, devnet, result)
    build_report(summary, report_data(replayed, learned, result), folder / "report.html")
    path = write_summary(summary, folder)
    if options.as_json:
        print_json(summary)
    else:
        show(screen, summary, path)
    if options.stay:
        stay(screen, serving, devnet, chain.check)


def _start_devnet(
    screen: Screen, options: RunOptions, folder: Path, stack: ExitStack
) -> tuple[DevnetChild, DevnetDescription, str]:
    password = secrets.token_hex(16)
    arguments = [
        f"--seed={options.seed}",
        f"--blocks={options.blocks}",
        f"--realtime={options.realtime}",
        f"--wait-for={AGENT}",
        f"--keys={folder / 'keys'}",
    ]
    environ = {**os.environ, KEYSTORE_PASSWORD_VARIABLE: password}
    with screen.step("Local chain: real protocol bytecode, order flow, competitors, relay") as advance:
        chain = DevnetChild(arguments, environ, folder / "devnet.log")
        devnet = stack.enter_context(chain)
        advance(1)
    screen.figure(f"{len(devnet.specs)} pools, {len(devnet.competitors)} competitors, {devnet.http_url}")
    return chain, devnet, password


def _start_serving(screen: Screen, settings: Settings, stack: ExitStack, password: str) -> ServingApp:
    # Ray's workers inherit our environment; the execution actor decrypts its keystores there
    os.environ[KEYSTORE_PASSWORD_VARIABLE] = password
    stack.callback(os.environ.pop, KEYSTORE_PASSWORD_VARIABLE, None)
    config = ServingConfig(
        home=settings.storage.mlflow_home,
        model_name=settings.models.registered_name,
        alias=settings.models.alias,
        host=settings.serving.host,
        port=settings.serving.port,
        num_cpus=settings.serving.num_cpus,
    )
    with screen.step("Serve: predictor, scorer, gateway") as advance:
        serving = stack.enter_context(start_serving(config))
        advance(1)
    screen.figure(f"champion version {serving.predictor_status()['model_version']} at {serving.url}")
    return serving


def _live_config(
    settings: Settings, options: RunOptions, folder: Path, devnet: DevnetDescription
) -> LiveConfig:
    return LiveConfig(
        http_url=devnet.http_url,
        ws_url=devnet.ws_url,
        relay_urls=(devnet.relay_url,),
        executor=devnet.executor,
        wrapped_native=devnet.wrapped_native,
        vault=devnet.vault,
        tokens=devnet.tokens,
        specs=devnet.specs,
        wallet_keystore=(folder / "keys" / WALLET_FILE).resolve(),
        flashbots_keystore=(folder / "keys" / FLASHBOTS_FILE).resolve(),
        journal_url=f"sqlite:///{(folder / 'journal.db').resolve()}",
        blocks=options.blocks,
        seed=options.seed,
        limits=RiskLimits.from_settings(settings.risk),
        exploration=settings.bidding.exploration,
        chain_id=devnet.chain_id,
        block_time=devnet.block_time,
        agent=AGENT,
        window=settings.models.window_blocks,
        node_timeout_s=settings.web3.timeout_seconds,
        relay_timeout_s=settings.flashbots.timeout_seconds,
        features=(folder / FEATURES).resolve(),
        run=folder.name,
        learner=(folder / LEARNER).resolve(),
        redis_url=settings.storage.redis_url,
    )


def _summary(
    options: RunOptions,
    folder: Path,
    timer: _Timer,
    replayed: Replay,
    learned: Learned,
    devnet: DevnetDescription,
    result: LiveResult,
) -> dict[str, Any]:
    return {
        "run": folder.name,
        "seed": options.seed,
        "seconds": {**timer.seconds, "all": round(sum(timer.seconds.values()), 1)},
        "history": history_part(replayed),
        "models": models_part(learned.study, learned.outcome),
        "devnet": {"blocks": result.last_block - result.first_block + 1, "pools": len(devnet.specs)},
        "execute": execute_part(result),
        "features": features_part(result.features),
        "learning": learning_part(result.learning, compare_live(result.forecasts, result.learning.study)),
        "latency_us": latency_part(result),
        "feed": dict(result.feed),
    }

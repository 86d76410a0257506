"""``omniarb run``: the main job in five steps, each with a bar, a figure, or a reason why it was skipped."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.records import ReportData
from analysis.report import build_report
from cli.child import DevnetChild
from cli.devnet import FLASHBOTS_FILE, WALLET_FILE
from cli.execute import follow
from cli.history import replay_history
from cli.learn import Learned, learn, study_calibration
from cli.output import print_json
from cli.screen import Screen, waiting
from core.config_loader import load_settings
from core.errors import InputError
from core.settings import Settings
from execution.risk.checks import RiskLimits
from pipeline.devnet.description import DevnetDescription
from pipeline.live_config import KEYSTORE_PASSWORD_VARIABLE, LiveConfig, LiveResult
from pipeline.replay import Replay
from pipeline.summary import execute_part, history_part, latency_part, models_part, write_summary
from serving.app import ServingApp, ServingConfig, start_serving

AGENT = "omniarb"


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
    """
    settings = load_settings(options.config, os.environ)
    if settings.mode == "production":
        raise InputError(
            "`omniarb run` works on recorded history and a local chain; use replay or development"
        )
    started = datetime.now(tz=UTC)
    folder = _new_folder(settings.storage.runs_dir, started, options.seed)
    screen, timer = Screen(quiet=options.as_json, steps=5), _Timer()
    with ExitStack() as stack, _sigterm_like_ctrl_c():
        stack.callback(_drop_if_empty, folder)
        with timer.time("history"):
            replayed = replay_history(screen, settings, options.seed, folder)
        with timer.time("models"):
            learned = learn(screen, settings, options.seed, replayed)
        with timer.time("devnet"):
            devnet, password = _start_devnet(screen, options, folder, stack)
        with timer.time("serve"):
            serving = _start_serving(screen, settings, stack, password)
        with timer.time("execute"):
            result = follow(screen, serving, _live_config(settings, options, folder, devnet))
        screen.figure(f"{result.bundles_sent} bundles sent, {_landed(result)} landed")
        summary = _summary(options, folder, timer, replayed, learned, devnet, result)
        build_report(summary, _report_data(replayed, learned, result), folder / "report.html")
        path = write_summary(summary, folder)
        if options.as_json:
            print_json(summary)
        else:
            _show(screen, summary, path)
        if options.stay:
            _stay(screen, serving, devnet)
        with waiting("stopping servers", quiet=options.as_json):
            stack.close()


def _new_folder(runs: Path, started: datetime, seed: int) -> Path:
    folder = runs / f"{started:%Y%m%d-%H%M%S}-seed{seed}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"cannot make the run's folder {folder}: {error}", path=str(folder)) from None
    return folder


def _drop_if_empty(folder: Path) -> None:
    """Leave no trace of a run that ended before it wrote anything."""
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Let a polite kill take the same orderly way out as Ctrl-C."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start_devnet(
    screen: Screen, options: RunOptions, folder: Path, stack: ExitStack
) -> tuple[DevnetDescription, str]:
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
        devnet = stack.enter_context(DevnetChild(arguments, environ, folder / "devnet.log"))
        advance(1)
    screen.figure(f"{len(devnet.specs)} pools, {len(devnet.competitors)} competitors, {devnet.http_url}")
    return devnet, password


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
    risk = settings.risk
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
        limits=RiskLimits(
            risk.min_profit_wei, risk.max_slippage_ppm, risk.max_state_age_blocks, risk.kill_switch_file
        ),
        chain_id=devnet.chain_id,
        block_time=devnet.block_time,
        agent=AGENT,
        window=settings.models.window_blocks,
    )


def _landed(result: LiveResult) -> int:
    return sum(bid.settlement.verdict.value == "landed" for bid in result.bids)


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
        "latency_us": latency_part(result),
        "feed": dict(result.feed),
    }


def _report_data(replayed: Replay, learned: Learned, result: LiveResult) -> ReportData:
    live = (result.forecasts,) if result.forecasts is not None else ()
    return ReportData(
        prices={f"{pair} (history)": series for pair, series in replayed.prices.items()}
        | {f"{pair} (live)": series for pair, series in result.prices.items()},
        gaps=result.gaps,
        bids=result.bids,
        calibrations=(study_calibration(learned), *live),
        latencies_us=result.latencies_us,
        refusals=result.refusals,
    )


def _show(screen: Screen, summary: dict[str, Any], path: Path) -> None:
    history, models, execute = summary["history"], summary["models"], summary["execute"]
    latency = summary["latency_us"]
    screen.table(
        "Result",
        [
            ("history", f"{history['blocks']:,} blocks, {history['swaps']:,} swaps", history["source"]),
            (
                "invariants",
                f"{history['invariant_ok']:,} of {history['invariant_checked']:,}",
                "reproduced exactly",
            ),
            (
                "champion",
                f"{models['champion']} v{models['champion_version']}",
                f"skill {models['skill']:+.3f} against {models['baseline']}",
            ),
            ("coverage", f"{models['coverage']:.3f}", f"nominal {models['nominal']:.2f}"),
            (
                "bundles",
                f"{execute['bundles_sent']} sent, {execute['landed']} landed",
                f"{execute['outbid']} outbid, {execute['state_moved']} state moved, "
                f"{execute['reverted']} reverted",
            ),
            ("profit", f"{execute['profit_wei'] / 10**18:.6f} ETH", "receipts and balances agree to the wei"),
            (
                "event to signed",
                f"{latency['event_to_signed_p50'] / 1000:.1f} ms p50",
                f"{latency['event_to_signed_p99'] / 1000:.1f} ms p99",
            ),
            ("time", f"{summary['seconds']['all']:.0f} s", "all five steps"),
        ],
    )
    screen.console.print(f"summary  {path}\nreport   {path.with_name('report.html')}", soft_wrap=True)


def _stay(screen: Screen, serving: ServingApp, devnet: DevnetDescription) -> None:
    screen.console.print(
        f"\nstaying up until Ctrl-C\n  API      {serving.url}/docs\n  status   {serving.url}/api/v1/status\n"
        f"  node     {devnet.http_url}\n  relay    {devnet.relay_url}",
        soft_wrap=True,
    )
    signal.pause()

"""Log the feature rows of a run, and watch them: the store tells the canonical chain, as it was served.

Rows are written some blocks at a time, and taken out again where their block is replaced. The monitors of
skew and drift are told of a block when it is too deep to be replaced, so they have nothing to take back.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from analysis.records import DriftAlarm
from chain.blocks import Address
from features.drift import DriftMonitor
from features.feature import FeatureRow
from features.feature_set import FeatureSet
from features.frames import to_frame
from features.registry import BLOCK, MARKET
from features.skew import Seen, SkewMonitor, SkewReport
from features.store import FeatureStore, Stored
from features.validation import check_frame
from market.pools.spec import PoolSpec
from market.state import JOURNAL_DEPTH
from market.tokens import Token
from pipeline.live_findings import FeatureFindings, SkewFound
from pipeline.online_rows import OnlineRows, redis_store

SETS = (BLOCK, MARKET)
ROWS_PER_FILE = 32
CHECK_EVERY = 256
"""Blocks between two comparisons with the batch path while the run goes on."""

log = structlog.get_logger(__name__)
_Entry = tuple[Seen, Mapping[str, FeatureRow]]


class FeatureLog:
    """Rows of one run in a store, with the monitors that watch them.

    Parameters
    ----------
    root
        Folder of the store.
    run
        The run's name.
    tokens, specs
        As the feature stream's.
    redis_url
        Where other processes find the last rows; ``None`` for nowhere.

    Raises
    ------
    InputError
        If there is no client for Redis.
    """

    def __init__(
        self,
        root: Path,
        run: str,
        tokens: Mapping[Address, Token],
        specs: Iterable[PoolSpec],
        redis_url: str | None = None,
    ) -> None:
        self.online = {
            features.name: OnlineRows(features, redis_store(redis_url, features) if redis_url else None)
            for features in SETS
        }
        """The last rows, by feature set."""
        self._run = run
        self._stores = {features.name: FeatureStore(root, features) for features in SETS}
        self._unwritten: dict[str, list[FeatureRow]] = {features.name: [] for features in SETS}
        self._unsettled: deque[_Entry] = deque()
        self._unchecked: dict[str, list[FeatureRow]] = {features.name: [] for features in SETS}
        self._skew = SkewMonitor(tokens, specs)
        self._drift = DriftMonitor(BLOCK.names)
        self._alarms = 0
        self._first_alarms: dict[str, DriftAlarm] = {}

    def add(self, seen: Seen, rows: Mapping[str, FeatureRow]) -> None:
        """Take in the next block and those of its rows that were not refused, by feature set.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        self._unsettled.append((seen, rows))
        for name, row in rows.items():
            self.online[name].put(row)
            self._unwritten[name].append(row)
            if len(self._unwritten[name]) >= ROWS_PER_FILE:
                self._write(name)
        if len(self._unsettled) > JOURNAL_DEPTH:
            self._settle(*self._unsettled.popleft())

    def rollback(self, to_number: int) -> None:
        """Take out blocks above a height, in files too."""
        while self._unsettled and self._unsettled[-1][0].block.number > to_number:
            self._unsettled.pop()
        for name, store in self._stores.items():
            self.online[name].rollback(to_number)
            kept = [row for row in self._unwritten[name] if row.block_number <= to_number]
            self._unwritten[name] = kept
            store.rollback(to_number, self._run)

    def close(self) -> FeatureFindings:
        """Write what is left, check the whole store, and compare it with the batch path.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        for online in self.online.values():
            online.close()
        while self._unsettled:
            self._settle(*self._unsettled.popleft())
        logged: Counter[str] = Counter()
        reports, faults = [], 0
        for features in SETS:
            self._write(features.name)
            store = self._stores[features.name]
            # a day at a time: a long run's rows need not fit into memory
            for day in store.days(self._run):
                stored = store.read(day=day, run=self._run)
                faults += _faults(stored, features)
                logged[features.name] += len(stored.rows)
                reports.append(self._skew.check(stored.rows, features))
        places = [place for report in reports if (place := _first(report)) is not None]
        return FeatureFindings(
            logged=dict(logged),
            compared=sum(report.rows for report in reports),
            skew=min(places, key=lambda place: place.block_number, default=None),
            alarms=self._alarms,
            drift=dict(self._first_alarms),
            faults=faults,
            online_missed=sum(online.missed for online in self.online.values()),
        )

    def _write(self, name: str) -> None:
        if self._unwritten[name]:
            self._stores[name].append(self._unwritten[name], self._run)
            self._unwritten[name] = []

    def _settle(self, seen: Seen, rows: Mapping[str, FeatureRow]) -> None:
        self._skew.add(seen)
        for name, row in rows.items():
            self._unchecked[name].append(row)
        if BLOCK.name in rows:
            self._watch(rows[BLOCK.name])
        if seen.block.number % CHECK_EVERY == 0:
            self._check()

    def _watch(self, row: FeatureRow) -> None:
        for alarm in self._drift.update(row):
            self._alarms += 1
            reason, detail = alarm.refusal.reason, alarm.refusal.detail
            found = DriftAlarm(alarm.block_number, alarm.detector, detail, reason)
            self._first_alarms.setdefault(alarm.name, found)
            log.info("drift", feature=alarm.name, block=row.block_number, detector=alarm.detector)

    def _check(self) -> None:
        for features in SETS:
            refusal = self._skew.check(self._unchecked[features.name], features).refusal
            self._unchecked[features.name] = []
            if refusal is not None:
                log.error("skew", reason=refusal.reason.value, set=features.name, detail=refusal.detail)


def _faults(stored: Stored, features: FeatureSet) -> int:
    """Return how many stored rows are not as written or not what the registry says; tell the first."""
    found = [refusal for _, refusal in stored.refusals]
    if stored.rows:
        found += [finding.refusal for finding in check_frame(to_frame(stored.rows, features), features)]
    if found:
        log.error("stored rows", reason=found[0].reason.value, set=features.name, detail=found[0].detail)
    return len(found)


def _first(report: SkewReport) -> SkewFound | None:
    """Return the first place where logged rows cannot be trusted."""
    places = [SkewFound(number, "", -1) for number in report.unknown_blocks[:1]]
    if report.first is not None:
        places.append(SkewFound(report.first.block_number, report.first.name, report.first.ulps))
    return min(places, key=lambda place: place.block_number, default=None)

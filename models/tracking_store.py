"""The one place that knows where experiments live, and what can be wrong with that place.

MLflow keeps its records in a SQLite file and its artifacts in a folder beside it. Both
hang below one *home* (``mlruns/`` by default). Every address is absolute, so a notebook,
a server and a replica of the serving application mean the same file whatever their
working folder is. Nothing here touches MLflow's process-wide settings: a client is bound
to its address, and two homes can be used side by side.

A home that cannot be used is refused before MLflow sees it where that is possible: it would
try again for minutes, and then show a traceback through three libraries.
"""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from core.errors import InputError, ModelError

DATABASE = "mlflow.db"
_SQLITE = b"SQLite format 3\0"
_LOCKED = "database is locked"
# tells its traceback before it raises; the error says the same in one line
_TRACEBACKS = logging.getLogger("mlflow.store.db.utils")
_ELSEWHERE = "or set storage.mlflow_home to another folder"


def tracking_uri(home: Path) -> str:
    """Return the absolute SQLite address of the tracking database below ``home``.

    Examples
    --------
    >>> tracking_uri(Path("/srv/omniarb/mlruns"))
    'sqlite:////srv/omniarb/mlruns/mlflow.db'
    """
    return f"sqlite:///{home.resolve() / DATABASE}"


def code_version(root: Path) -> str:
    """Return the git commit checked out at ``root``, with ``-dirty`` if files differ, else ``unknown``."""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()


@dataclass(frozen=True, slots=True)
class TrackingStore:
    """A home of experiments on disk.

    Parameters
    ----------
    home
        Folder that holds ``mlflow.db`` and ``artifacts/``; made when first written to.
    """

    home: Path

    @property
    def uri(self) -> str:
        """Absolute address of the database."""
        return tracking_uri(self.home)

    @property
    def exists(self) -> bool:
        """Whether a database is there already."""
        return (self.home / DATABASE).exists()

    def client(self) -> MlflowClient:
        """Return a client bound to this store, for runs and registry alike.

        The first client of a new home creates the database, which takes seconds.

        Raises
        ------
        InputError
            If the home cannot be made or written, or its database is none, is damaged or was
            written by another version of MLflow.
        """
        _check_home(self.home)
        with self.reading():
            return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn what MLflow and its database raise meanwhile into an ``InputError`` of one line."""
        try:
            with _without_tracebacks():
                yield
        except (MlflowException, SQLAlchemyError, CommandError) as error:
            raise InputError(_unreadable(self, error), path=str(self.home / DATABASE)) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what MLflow, its database and the disk raise meanwhile into a ``ModelError`` of one line.

        A database that another program keeps locked is an ``InputError``: nothing is wrong with the store.
        """
        try:
            with _without_tracebacks():
                yield
        except (MlflowException, SQLAlchemyError, OSError) as error:
            if _LOCKED in str(error):
                raise InputError(_unreadable(self, error), path=str(self.home / DATABASE)) from error
            raise ModelError(
                f"MLflow could not write below {self.home} ({_first_line(error)}); check that the folder "
                f"can be written and the disk has space, {_ELSEWHERE}",
                path=str(self.home),
            ) from error

    def experiment(self, client: MlflowClient, name: str) -> str:
        """Return the id of the experiment ``name``, made on first use.

        The artifact folder is fixed when the experiment is made, because MLflow copies it
        into every run and never looks at it again.
        """
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        folder = self.home.resolve() / "artifacts" / name
        try:
            return str(client.create_experiment(name, artifact_location=folder.as_uri()))
        except MlflowException as error:
            # another process made it between our look and our attempt
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self.experiment(client, name)


@contextmanager
def _without_tracebacks() -> Iterator[None]:
    # one of its own for each: they may lie inside each other
    def nothing(record: logging.LogRecord) -> bool:
        return False

    _TRACEBACKS.addFilter(nothing)
    try:
        yield
    finally:
        _TRACEBACKS.removeFilter(nothing)


def _check_home(home: Path) -> None:
    """Make the home if need be; refuse one in which MLflow could not work."""
    database = home / DATABASE
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not database.exists():
            with tempfile.TemporaryFile(dir=home):
                return
        with database.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        what = str(error.filename or home)
        raise InputError(
            f"experiments cannot be kept in {home} ({what}: {error.strerror}); make it a folder that can be "
            f"written, {_ELSEWHERE}",
            path=what,
        ) from error
    if start and start != _SQLITE:
        raise InputError(
            f"{database} is not a tracking database; move it away, {_ELSEWHERE}", path=str(database)
        )


def _unreadable(store: TrackingStore, error: Exception) -> str:
    database = store.home / DATABASE
    if _LOCKED in str(error):
        return (
            f"{database} is locked by another program that writes to it ({_LOCKED}); wait until it has "
            f"finished or stop it, then try again, {_ELSEWHERE}"
        )
    if "database schema" in str(error):
        return (
            f"{database} was written by another version of MLflow; install that version, or back the file up "
            f"and run `mlflow db upgrade {store.uri}`, {_ELSEWHERE}"
        )
    return (
        f"{database} cannot be used ({_first_line(error)}); restore it from a backup or move it away, "
        f"{_ELSEWHERE}"
    )


def _first_line(error: Exception) -> str:
    # the database's own words hold the whole statement; the driver's are the reason alone
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]

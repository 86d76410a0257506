"""Load settings: a JSON file, then the environment over it, then every problem reported at once.

``OMNIARB_RISK__MIN_PROFIT_WEI=5`` overrides ``risk.min_profit_wei``; ``OMNIARB_DATA`` is the short
name of ``storage.data_root``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from core.errors import ConfigError
from core.redaction import HIDDEN, looks_like_key, redact
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "OMNIARB_"
DATA_VARIABLE = "OMNIARB_DATA"

_SQLITE_FILE = re.compile(r"^(sqlite(?:\+\w+)?:///)(?!/|:memory:)(.+)$")


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong setting: where it is, what stands there (cleaned of secrets), what is expected."""

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, expected {self.expected}"


def load_settings(name_or_path: str | Path, environ: Mapping[str, str]) -> Settings:
    """Load and check settings.

    Parameters
    ----------
    name_or_path
        ``replay``, ``development``, ``production`` (files of ``configs/``), or a path to a JSON file.
    environ
        The environment to take overrides from; pass ``os.environ``.

    Returns
    -------
    Settings
        Frozen; relative folders and SQLite files are made absolute from the project's root, so that
        worker processes with another working directory find the same ones.

    Raises
    ------
    ConfigError
        With all problems in ``fields["problems"]``: each has path, found and expected.
    """
    path = find_config(name_or_path)
    document, problems = read_json(path)
    overrides, origin = _overrides(environ)
    merged = _merge(document, overrides)
    problems += _keys_in_clear(merged) + _unknown_sections(merged, origin)
    known = {name: value for name, value in merged.items() if name in Settings.model_fields}
    settings: Settings | None = None
    try:
        settings = Settings(**known)
    except ValidationError as error:
        reported = {problem.path for problem in problems}
        problems += [p for p in explain(error, Settings, origin) if p.path not in reported]
    if problems or settings is None:
        raise config_error(path, problems)
    return _anchored(settings, ROOT)


def find_config(name_or_path: str | Path) -> Path:
    """Return the file that a name or a path means.

    Raises
    ------
    ConfigError
        If there is no such file; the message lists the names there are.
    """
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or text.endswith(".json") or "/" in text
    path = Path(text) if is_path else ROOT / "configs" / f"{text}.json"
    if path.is_file():
        return path
    names = sorted(file.stem for file in (ROOT / "configs").glob("*.json"))
    close = difflib.get_close_matches(text, names, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}, or give a path"
    raise ConfigError(f"there is no configuration {text!r}; {hint}", path=str(path))


def read_json(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read a JSON object; keys given twice are problems.

    Raises
    ------
    ConfigError
        If the file cannot be read or is no JSON object.
    """
    doubled: list[Problem] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        doubled.extend(
            Problem(name, "the key twice in one object", "it once")
            for name in set(names)
            if names.count(name) > 1
        )
        return dict(items)

    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=pairs)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", path=str(path)) from None
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}", path=str(path)
        ) from None
    except RecursionError:
        raise ConfigError(f"{path} is no configuration: it is nested too deep", path=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no JSON: not UTF-8 text", path=str(path)) from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold one JSON object, not {type(document).__name__}", path=str(path))
    return document, doubled


def config_error(path: Path, problems: list[Problem]) -> ConfigError:
    """Return the one error that carries all problems of a file."""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    listed = "; ".join(str(problem) for problem in problems)
    return ConfigError(
        f"{path.name} has {count}: {listed}",
        file=str(path),
        problems=[asdict(problem) for problem in problems],
    )


class _Environment(EnvSettingsSource):
    """Reads overrides from the mapping it is given, never from the process's environment."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = {name.lower(): value for name, value in environ.items()}
        super().__init__(Settings, env_prefix=PREFIX, env_nested_delimiter="__", case_sensitive=False)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value  # checked, and reported with all other problems, by the model


def _overrides(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return nested overrides, and which variable set which path."""
    values = _Environment(environ)()
    origin: dict[str, str] = {}
    for variable in environ:
        name = variable.upper()
        path = name.removeprefix(PREFIX).lower().replace("__", ".")
        if name.startswith(PREFIX) and ("." in path or path in Settings.model_fields):
            origin[path] = variable
            values.setdefault(path.split(".")[0], {})
    if environ.get(DATA_VARIABLE):
        origin.setdefault("storage.data_root", DATA_VARIABLE)
        values.setdefault("storage", {}).setdefault("data_root", environ[DATA_VARIABLE])
    return values, origin


def _unknown_sections(document: dict[str, Any], origin: Mapping[str, str]) -> list[Problem]:
    sections = list(Settings.model_fields)
    problems = []
    for name in document:
        if name not in sections:
            variable = next((v for path, v in origin.items() if path.split(".")[0] == name), "")
            found = "an unknown key" + (f" (from {variable})" if variable else "")
            problems.append(Problem(name, found, _one_of(name, sections)))
    return problems


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _keys_in_clear(document: dict[str, Any]) -> list[Problem]:
    return [
        Problem(
            path, f"a private key in clear ({HIDDEN})", "an encrypted keystore, or the name of a variable"
        )
        for path, name, value in _walk(document, "")
        if looks_like_key(name, value)
    ]


def _walk(value: Any, path: str, name: str = "") -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, f"{path}.{key}" if path else str(key), str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}.{index}", name)
    else:
        yield path, name, value


def explain(
    error: ValidationError, model: type[BaseModel], origin: Mapping[str, str] | None = None
) -> list[Problem]:
    """Turn pydantic's errors into problems, with the names that would have been right."""
    problems = []
    for item in error.errors(include_url=False):
        location = [str(part) for part in item["loc"]]
        path = ".".join(location) or "settings"
        source = f" (from {origin[path]})" if origin and path in origin else ""
        if item["type"] == "extra_forbidden":
            found, expected = "an unknown key", _one_of(location[-1], _siblings(model, location[:-1]))
        elif item["type"] == "missing":
            found, expected = "nothing", "a value"
        else:
            name = next((part for part in reversed(location) if not part.isdigit()), "")
            found = "these settings" if not location else _shown(redact(name, item["input"]))
            expected = _expectation(item["msg"])
        problems.append(Problem(path, found + source, expected))
    return problems


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _expectation(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return text[:1].lower() + text[1:] if not text.startswith("URL") else text


def _one_of(name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, 1)
    return f"{close[0]!r} (did you mean that?)" if close else f"one of {', '.join(allowed)}"


def _siblings(model: type[BaseModel], location: list[str]) -> list[str]:
    """Return the keys that are allowed where ``location`` points."""
    current: Any = model
    for part in location:
        if part.isdigit():
            continue
        annotation = current.model_fields[part].annotation
        members = [annotation, *getattr(annotation, "__args__", ())]
        current = next(m for m in members if isinstance(m, type) and issubclass(m, BaseModel))
    return list(current.model_fields)


def _anchored(settings: Settings, root: Path) -> Settings:
    """Return the settings with every relative folder and SQLite file placed under ``root``."""

    def under(path: Path | None) -> Path | None:
        return None if path is None else root / path.expanduser()

    def key(source: Any) -> Any:
        return source.model_copy(
            update={"keystore": under(source.keystore), "password_file": under(source.password_file)}
        )

    storage, risk = settings.storage, settings.risk
    return settings.model_copy(
        update={
            "web3": settings.web3.model_copy(update={"wallet": key(settings.web3.wallet)}),
            "flashbots": settings.flashbots.model_copy(update={"identity": key(settings.flashbots.identity)}),
            "risk": risk.model_copy(update={"kill_switch_file": under(risk.kill_switch_file)}),
            "storage": storage.model_copy(
                update={
                    "runs_dir": under(storage.runs_dir),
                    "data_root": under(storage.data_root),
                    "database_url": _SQLITE_FILE.sub(rf"\1{root}/\2", storage.database_url),
                    "mlflow_home": under(storage.mlflow_home),
                }
            ),
        }
    )

"""Try the models of a target on its learning rows, and teach the best one all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InputError, ModelError
from models.courses import search_part
from models.experts import Frozen, GivenBaseline
from models.inputs import BASELINE
from models.label_stream import anchor_of
from models.mix import ExpertMix
from models.snapshot import Snapshot
from models.target_learning import learn_target
from models.targets.table import TargetTable
from models.trial_settings import BLIND, MODELS, usual_setting
from models.trials import Trial
from pipeline.evolution.evolve import SEARCHED
from pipeline.evolution.search import Observer


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsed:
    """A model's finished trial on learning rows, and its last report (see ``models.trials.Trial.step``)."""

    trial: Trial
    report: dict[str, float]

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.trial.setting.model

    @property
    def skill(self) -> float:
        """Skill against the hardest baseline on the learning rows that were judged."""
        return self.report["skill"]


def models_to_try(table: TargetTable, model: str = "") -> tuple[str, ...]:
    """Return the models of the target's kind that can serve, or the one that is named.

    Raises
    ------
    InputError
        If the one that is named does not fit.
    """
    there = (*MODELS[table.kind], ExpertMix.name)
    if model and model not in there:
        raise InputError(
            f"no model {model!r} forecasts {table.name}, a {table.kind.value}; there are {', '.join(there)}",
            model=model,
        )
    return (model,) if model else tuple(name for name in there if name not in BLIND)


def rehearse(
    table: TargetTable,
    models: Sequence[str],
    *,
    seed: int,
    observer: Observer,
    frozen: Frozen | None = None,
) -> tuple[Rehearsed, ...]:
    """Run each model with its usual setting over the last learning rows, and return them best first.

    Parameters
    ----------
    table
        The target.
    models
        Names of models of its kind.
    seed
        Seeds them.
    observer
        Told of every chunk.
    frozen
        One more expert of a mix, see :func:`frozen_champion`.

    Raises
    ------
    ModelError
        If the target is too short, or a model forecasts no number.
    """
    part, tried = search_part(table, SEARCHED), []
    for model in models:
        setting = usual_setting(table.name, model)
        trial, report = Trial(part, setting, seed, frozen=frozen), dict[str, float]()
        while not trial.finished:
            report = trial.step()
            observer.reported(model, setting, trial.chunks_done, report)
        observer.ended(model, "")
        tried.append(Rehearsed(trial, report))
    if not tried:
        raise ModelError("name at least one model to try", target=table.name)
    return tuple(sorted(tried, key=lambda one: (-one.skill, one.model)))


def frozen_champion(table: TargetTable, champion: Snapshot) -> tuple[Frozen | None, str]:
    """Return the version that serves as an expert of a mix, or why it cannot be one.

    Its weight must come from rows that it has not learned from: on others it would look better than it is.

    Parameters
    ----------
    table
        The target.
    champion
        What serves, as it stands.
    """
    part, model = search_part(table, SEARCHED), champion.forecaster
    missing = [name for name in champion.schema.names if name not in {*table.names, BASELINE}]
    if isinstance(model, GivenBaseline):
        why = "it is a baseline, which the mix weighs already"
    elif champion.state_block > part.issued[0]:
        why = "it has learned from rows that the mix is weighed on"
    elif champion.corrects != anchor_of(part):
        why = f"it corrects {champion.corrects}, the mix {anchor_of(part)}"
    elif missing or champion.window > usual_setting(table.name, ExpertMix.name).window:
        why = f"it reads {missing[0] if missing else f'{champion.window} rows'}, the mix does not"
    elif isinstance(model, ExpertMix) and Frozen.name in model.weights:
        why = "it holds the champion before it, and versions would grow without end"
    else:
        return Frozen(model), ""
    return None, why


def teach(table: TargetTable, best: Rehearsed, *, seed: int, nominal: float) -> Snapshot:
    """Return the model taught all learning rows. Raises ``ModelError`` if it cannot learn from them."""
    return learn_target(table, best.trial, seed, nominal=nominal)

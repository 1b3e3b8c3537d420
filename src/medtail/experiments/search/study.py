"""The record of a search in a database, which Optuna keeps."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from medtail.errors import InputError
from medtail.evaluation.tuning.search_page import TrialResult

Sampler = Literal["random", "tpe"]
SAMPLERS: tuple[Sampler, ...] = ("random", "tpe")

#: Attribute of a study: the settings that all its trials share.
_SHARED = "shared"


@final
class Study:
    """Trials of a search, each with its settings, its value and its state.

    Args:
        folder: Of the search; the database is ``study.db`` in it unless ``storage`` names another.
        storage: Address of a database, as SQLAlchemy takes it.
        shared: What all trials share. A study of other settings is refused.
        distributions: From the path of a setting to what Optuna may draw.
        sampler: Who proposes settings.
        seed: Of the proposals. Those of trial N depend on it and N, and for ``tpe`` on the results so far.

    Raises:
        InputError: Optuna is missing, the database does not answer, or it holds a search of other settings.
    """

    def __init__(
        self,
        folder: Path,
        storage: str | None,
        shared: Mapping[str, Any],
        distributions: Mapping[str, Any],
        *,
        sampler: Sampler,
        seed: int,
    ) -> None:
        optuna = import_optuna()
        self._optuna = optuna
        self._distributions = dict(distributions)
        self._sampler: Sampler = sampler
        self._seed = seed
        # A search may move with its folder; a database that many searches share needs their places.
        name = "medtail" if storage is None else str(folder.resolve())
        address = storage or f"sqlite:///{folder / 'study.db'}"
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        try:
            self._study = optuna.create_study(
                storage=address, study_name=name, direction="maximize", load_if_exists=True
            )
            saved = self._study.user_attrs.get(_SHARED)
            if saved is None:
                self._study.set_user_attr(_SHARED, dict(shared))
        except Exception as error:
            # Drivers of databases raise whatever they like.
            raise InputError(
                # The address may hold a password.
                f"`storage` must be a database that answers ({type(error).__name__} at the one given); check address "
                f"and driver, or leave it out for a file in the folder of the search"
            ) from error
        changed = [key for key in shared if saved is not None and saved.get(key) != shared[key]]
        if changed:
            raise InputError(
                f"the search in {folder} has other settings ({', '.join(changed)}); give those it was started with, or "
                f"another folder with `out`"
            )

    def __len__(self) -> int:
        return len(self._study.get_trials(deepcopy=False))

    def ask(self) -> tuple[int, dict[str, Any]]:
        """Return the number of a new trial and its settings, which are in the database from now on."""
        number = len(self)
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        samplers = self._optuna.samplers
        self._study.sampler = {
            "random": lambda: samplers.RandomSampler(seed),
            # Settings that other workers try at the moment are kept away from.
            "tpe": lambda: samplers.TPESampler(seed=seed, constant_liar=True),
        }[self._sampler]()
        trial = self._study.ask(self._distributions)
        return trial.number, dict(trial.params)

    def open_trials(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the trials that were proposed and have not ended, with their settings."""
        return [
            (trial.number, dict(trial.params))
            for trial in self._study.get_trials(deepcopy=False)
            if not trial.state.is_finished()
        ]

    def tell(self, number: int, value: float) -> None:
        """Record the value of a trial."""
        self._study.tell(number, value)

    def tell_failed(self, number: int, why: str) -> None:
        """Record that a trial failed."""
        self._study.set_user_attr(_failure(number), why)
        self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)

    def results(self) -> list[TrialResult]:
        """Return every trial that has ended, by number."""
        why = self._study.user_attrs
        return [
            TrialResult(trial.number, dict(trial.params), trial.value, why.get(_failure(trial.number)))
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]

    def importances(self) -> dict[str, float]:
        """Return the share of each setting in the differences between trials; nothing where these are too few."""
        finished = [result.value for result in self.results() if result.value is not None]
        if len(set(finished)) < 2 or len(finished) <= len(self._distributions):
            return {}
        evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=0)
        return dict(self._optuna.importance.get_param_importances(self._study, evaluator=evaluator))


def _failure(number: int) -> str:
    return f"failure of trial {number}"


def import_optuna() -> Any:
    """Return Optuna.

    Raises:
        InputError: It is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise InputError(
            "`tune()` needs the package optuna; install it with pip install 'medtail[tune]'"
        ) from error
    return optuna

"""Where the values of every step and epoch go besides the run's own tables: Lightning's loggers by name."""

import os
from collections.abc import Callable
from importlib.util import find_spec

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from medtail.errors import InputError
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run

#: The project of Weights & Biases, and the experiment of MLflow.
_PROJECT = "medtail"


def _mlflow(run: Run) -> Logger:
    name = run.folder.name
    if "MLFLOW_TRACKING_URI" in os.environ:
        return MLFlowLogger(_PROJECT, run_name=name, tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
    folder = run.folder.resolve()
    return MLFlowLogger(
        _PROJECT,
        run_name=name,
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        artifact_location=(folder / "mlflow").as_uri(),
    )


#: Loggers by the names that ``training.logger`` takes.
LOGGERS: dict[str, Callable[[Run], Logger]] = {
    "tensorboard": lambda run: TensorBoardLogger(run.folder, name="tensorboard", version=""),
    # A continued run gets another version, because Lightning removes what a version holds.
    "csv": lambda run: CSVLogger(run.folder, name="csv"),
    "wandb": lambda run: WandbLogger(name=run.folder.name, project=_PROJECT, save_dir=run.folder),
    "mlflow": _mlflow,
}

#: What to install for those that need a package of their name.
_INSTALLED_BY = {"tensorboard": "'medtail[tensorboard]'", "wandb": "wandb", "mlflow": "mlflow"}


def check_logger(recipe: Recipe) -> None:
    """Make sure that the logger of a recipe can be built.

    Raises:
        InputError: Its package is missing.
    """
    name = recipe.training.logger
    if name in _INSTALLED_BY and find_spec(name) is None:
        raise InputError(
            f"training.logger={name} needs the package {name}; pip install {_INSTALLED_BY[name]}"
        )


def loggers_of(recipe: Recipe, run: Run) -> list[Logger]:
    """Return the logger that ``training.logger`` names, if any. It may write to the run's folder at once."""
    name = recipe.training.logger
    return [] if name is None else [LOGGERS[name](run)]

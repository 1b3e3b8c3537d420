"""Train a run: from data and a recipe to the folder of files that every later step reads."""

import logging
import platform
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast, final

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import Logger
from torch import Tensor

from medtail.backbones import LoadedWeights, weights_of
from medtail.data import ImageCollection, write_splits
from medtail.data.collection_images import read_image
from medtail.data.decoded.cache import PixelCache
from medtail.errors import InputError
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.chosen_epoch import MONITORED, chosen_column, monitored_window
from medtail.evaluation.summaries.summary import protocol_summary, summarize
from medtail.files import remove_left_over, write_json
from medtail.methods import Method
from medtail.progress import Progress
from medtail.recipes.compose import load_recipe
from medtail.recipes.recorded_prior import prior_summary
from medtail.recipes.schema import Recipe
from medtail.runs.claim import claimed
from medtail.runs.facts import DatasetFacts
from medtail.runs.features import SavedFeatures
from medtail.runs.images.attributes import write_attributes
from medtail.runs.predictions import SavedPredictions
from medtail.runs.run import EVALUATED_SPLITS, Run
from medtail.runs.settings import RunSettings
from medtail.runs.stored_files import damaged, digest_of
from medtail.training.batches.loaders import RunData
from medtail.training.build import BuildContext, build_method, check_backbone, without_weights
from medtail.training.callbacks import AngleTable, EpochLine, FinishEpoch, MetricsTable, StopOnBrokenLoss
from medtail.training.checkpoints import START_AGAIN, WholeCheckpoints, checkpoints
from medtail.training.devices import (
    check_sync_batch_norm,
    choose_precision,
    device,
    hardware,
    is_main_process,
    peak_memory_mb,
    with_sync_batch_norm,
)
from medtail.training.earlier_runs.first_stage import FirstStage
from medtail.training.earlier_runs.teacher import load_teacher
from medtail.training.frozen.features import FrozenFeatures, judged_features
from medtail.training.frozen.solver import with_chosen_optimizer, with_saved_optimizer
from medtail.training.inference.condition_sweep import write_conditions
from medtail.training.inference.members import write_members
from medtail.training.inference.trained_model import TrainedModel
from medtail.training.inference.typicality import Typicality
from medtail.training.module import MethodModule
from medtail.training.multi_label import check_multi_label_recipe
from medtail.training.optimization.averaging import MovingAverage
from medtail.training.optimization.optimizers import build_optimizer
from medtail.training.prepare import PreparedData, prepare
from medtail.training.watching.augmented_batch import AugmentedBatch
from medtail.training.watching.loggers import check_logger, loggers_of
from medtail.training.watching.monitor import MonitoredMean

_log = logging.getLogger(__name__)

_RECORDED = ("torch", "torchvision", "timm", "lightning", "torchmetrics", "scikit-learn", "numpy", "pandas")


def train(
    collection: ImageCollection,
    recipe: Recipe,
    run: Run,
    *,
    resume: bool = False,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    callbacks: Sequence[Callback] = (),
    logger: Logger | Sequence[Logger] = (),
    cache: PixelCache | None = None,
) -> dict[str, Any]:
    """Train, choose the checkpoint on validation, read the test split once, write the run's files.

    Args:
        collection: Images with labels; splits are drawn if it has none.
        recipe: Every setting. ``training.precision=auto`` is resolved for this machine, and the result is saved.
        run: The folder to write; it must not hold a run unless ``resume`` is true.
        resume: Continue after the last finished epoch. The result is that of an unbroken training.
        skip_unreadable: Leave unreadable images out instead of refusing them.
        progress: Told about decoding and predicting.
        callbacks: Further Lightning callbacks.
        logger: Further Lightning loggers, besides that of ``training.logger``.
        cache: Where decoded pixels are kept; the user's cache if None.

    Returns:
        The content of ``summary.json``; empty on ranks other than 0.

    Raises:
        InputError: The folder holds another run or is being written by another process, the data has changed since,
            method, loss or sampling need one class per image and the data has several labels, an image cannot be read,
            or training diverged. Files written before stay whole.
        KeyboardInterrupt: The user stopped it; ``resume`` continues after the last finished epoch.
        TerminatedError: A scheduler stopped it (SIGTERM), and the epoch was finished.

    With ``training.devices`` > 1 every process runs this, and rank 0 writes. ``training.batch_size`` counts the images
    of all processes, and losses that use batch statistics see the joined batch.
    """
    return _trained(
        _finish,
        collection,
        recipe,
        run,
        resume=resume,
        skip_unreadable=skip_unreadable,
        progress=progress,
        callbacks=callbacks,
        loggers=logger if isinstance(logger, Sequence) else [logger],
        cache=cache,
    )


def train_trial(
    collection: ImageCollection,
    recipe: Recipe,
    run: Run,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    cache: PixelCache | None = None,
) -> dict[str, Any]:
    """Train, and judge the best epoch on validation alone: no test image is judged, and there is no report.

    Arguments and errors are those of :func:`train`.

    Returns:
        The content of ``summary.json``: the metrics of the validation split.
    """
    return _trained(_finish_trial, collection, recipe, run, resume=resume, progress=progress, cache=cache)


def _trained(
    finish: Callable[..., dict[str, Any]],
    collection: ImageCollection,
    recipe: Recipe,
    run: Run,
    *,
    resume: bool,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
    cache: PixelCache | None = None,
) -> dict[str, Any]:
    """Train, then judge the best epoch as ``finish`` does."""
    started = time.time()
    recipe = with_precision(recipe)
    check_logger(recipe)
    if recipe.training.sync_batch_norm:
        check_sync_batch_norm()

    def work() -> dict[str, Any]:
        if collection.multi_label:
            check_multi_label_recipe(recipe, collection)
        data = prepare(collection, recipe, skip_unreadable=skip_unreadable, progress=progress, cache=cache)
        fitted = _fit(
            data,
            recipe,
            run,
            resume=resume,
            callbacks=callbacks,
            loggers=loggers,
            progress=progress,
            cache=cache,
        )
        return finish(run, fitted, started=started, progress=progress) if is_main_process() else {}

    if not is_main_process():
        return work()
    _check_no_folds(run)
    check_outside(run, collection)
    check_folder(run, recipe, resume=resume)
    if not resume:
        check_backbone(recipe, collection.dimensions)
    with claimed(run):
        # Again, because somebody may have written it before it was ours.
        check_folder(run, recipe, resume=resume)
        _remove_left_over(run)
        return work()


@final
@dataclass(frozen=True)
class _Fitted:
    """What a training leaves besides its files.

    Attributes:
        data: With the facts as they were saved.
        features: Of its images, if the network was frozen throughout.
        sizes: Numbers of parameters.
    """

    data: PreparedData
    features: FrozenFeatures | None
    sizes: Mapping[str, int]


def _fit(
    data: PreparedData,
    recipe: Recipe,
    run: Run,
    *,
    resume: bool,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    progress: Progress | None,
    cache: PixelCache | None,
) -> _Fitted:
    """Train until the last epoch."""
    data = replace(data, facts=_identified(run, recipe, data.facts, resume=resume))
    teacher = load_teacher(recipe, data.facts)
    first_stage = FirstStage.of(recipe, data.collection)
    # After the data, so that its size does not change which weights are drawn.
    lightning.seed_everything(recipe.training.seed, verbose=False)
    last = run.last_checkpoint if resume and run.last_checkpoint.is_file() else None
    # A checkpoint holds all weights; only features that are kept are those of the first ones.
    frozen = recipe.backbone.cached_features or recipe.backbone.frozen_epochs > 0
    restored_later = last is not None and not frozen
    method = build_method(
        BuildContext.of(
            without_weights(recipe) if restored_later else recipe,
            data.facts,
            teacher=teacher,
            first_stage=first_stage,
        )
    )
    if recipe.training.sync_batch_norm:
        method = cast(Method, with_sync_batch_norm(method))
    recipe = with_chosen_optimizer(recipe, method)
    # The module builds its own when the run has files; this one refuses settings before that.
    build_optimizer(recipe, method)
    data = replace(data, facts=_with_weights(run, data.facts, weights_of(method)))
    parameters = sum(parameter.numel() for parameter in method.parameters())
    module = MethodModule(method, recipe, data.facts)
    known = FrozenFeatures.of(method, recipe, data, progress=progress, cache=cache)
    if recipe.backbone.cached_features:
        module.train_on_features()
        learned_from = known.as_images(data) if known else data
    else:
        module.frozen, known, learned_from = known, None, data
    trained = sum(value.numel() for value in method.parameters() if value.requires_grad)
    if recipe.backbone.lora is not None and is_main_process():
        _log.info(f"training {trained:,} of {parameters:,} parameters ({trained / parameters:.2%})")
    finish_epoch, restored = FinishEpoch(), _Restored()
    watch = [
        StopOnBrokenLoss(recipe, data.collection.table["id"].tolist()),
        finish_epoch,
        restored,
        *callbacks,
    ]
    with _quiet_lightning():
        trainer = _trainer(recipe, run, watch, [*loggers_of(recipe, run), *loggers], data.facts.identity)
    if is_main_process():
        write_splits(data.collection, run.splits)
        data.write_subsample(run)
        data.facts.save(run)
        recipe.save(run.recipe)

    with _quiet_lightning():
        try:
            trainer.fit(module, datamodule=RunData(learned_from, recipe), ckpt_path=last)
        except SystemExit:
            # Lightning ends the process on Ctrl-C, which only our caller may decide.
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
        except InputError:
            raise
        except Exception as error:
            if last is None or restored.done:
                raise
            raise damaged(last, f"cannot be continued ({str(error)[:160]})", START_AGAIN) from error
        finally:
            finish_epoch.restore()
    return _Fitted(data, known, {"parameters": parameters, "trained_parameters": trained})


@final
class _Restored(Callback):
    """Knows whether a checkpoint was read to its end."""

    done = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.done = True


def _remove_left_over(run: Run) -> None:
    """Remove what a killed writer of this run left; the run is ours, so nobody else writes it."""
    for folder in (run.folder, *(path for path in run.folder.iterdir() if path.is_dir())):
        remove_left_over(folder)


def check_outside(run: Run, collection: ImageCollection) -> None:
    """Make sure that what the run writes does not become part of the data.

    Raises:
        InputError: The folder of the run lies in the folder of the data.
    """
    data = Path(collection.data).resolve()
    if data.is_dir() and run.folder.resolve().is_relative_to(data):
        raise InputError(
            f"`out` must lie outside DATA, or its files are read as data, but {run.folder} is in {collection.data}; "
            f"choose another folder"
        )


def check_folder(run: Run, recipe: Recipe, *, resume: bool) -> None:
    """Make sure that no run is overwritten, and none continued with other settings.

    Raises:
        InputError: The folder is not empty; with ``resume``, it is missing or holds a run of other settings.
    """
    if not resume:
        if run.folder.exists() and (not run.folder.is_dir() or _holds_something(run)):
            raise InputError(
                f"`out` must be a new or empty folder, {run.folder} is not; choose another name, "
                f"or continue the run in it with `resume=True`"
            )
        return
    if not run.folder.is_dir():
        raise InputError(
            f"`resume=True` needs a run to continue, {run.folder} does not exist; start without `resume=True`"
        )
    check_same_recipe(run, recipe)


def _holds_something(run: Run) -> bool:
    """Whether a folder holds more than a writer that was killed at once would leave."""
    return any(path != run.claim and not path.name.endswith(".tmp") for path in run.folder.iterdir())


def _check_no_folds(run: Run) -> None:
    if run.folds_facts.is_file():
        count = run.read_folds()["folds"]
        raise InputError(
            f"{run.folder} is a cross-validation of {count} folds; continue it with `folds={count}`, or take another "
            f"folder with `out`"
        )


def check_same_recipe(run: Run, recipe: Recipe) -> None:
    """Refuse settings other than those a run was started with, if it got as far as saving them.

    Raises:
        InputError: Naming every difference.
    """
    if not run.recipe.is_file():
        return
    saved = load_recipe(run.recipe)
    recipe = with_saved_optimizer(with_precision(recipe), saved)
    changes = _differences(saved.model_dump(mode="json"), recipe.model_dump(mode="json"))
    if changes:
        raise InputError(
            f"the run in {run.folder} can only continue with its own settings, got {'; '.join(changes)}; "
            f"give the settings it was started with, or another folder with `out`"
        )


def with_precision(recipe: Recipe) -> Recipe:
    """Return the recipe with ``training.precision=auto`` resolved for this machine."""
    if recipe.training.precision != "auto":
        return recipe
    training = recipe.training.model_copy(update={"precision": choose_precision()})
    return recipe.model_copy(update={"training": training})


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    changes = []
    for key in {**saved, **now}:
        old, new = saved.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changes += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key}={new} (saved: {old})")
    return changes


def _identified(run: Run, recipe: Recipe, facts: DatasetFacts, *, resume: bool) -> DatasetFacts:
    """Return the facts with the identity of the run, after a check that a run to continue has the same data.

    Raises:
        InputError: Images, labels or splits are not those the run was started with.
    """
    if not (resume and run.dataset.is_file()):
        settings = recipe.model_dump(mode="json")
        return replace(facts, identity=digest_of({"recipe": settings, "data": facts.fingerprint}))
    saved = DatasetFacts.load(run)
    if saved.fingerprint != facts.fingerprint:
        raise InputError(
            f"`resume=True` needs the data the run was started with, but images, labels or splits of {facts.data} "
            f"differ from those recorded in {run.dataset}; restore them or start a new run"
        )
    if saved.pixels is not None and saved.pixels != facts.pixels:
        what = "pixels" if saved.pixels.startswith("pixels:") else "files (by size and modification time)"
        raise InputError(
            f"`resume=True` needs the images the run was started with, but the {what} of {facts.data} differ from "
            f"those recorded in {run.dataset}; restore them or start a new run"
        )
    return replace(
        facts,
        identity=saved.identity,
        weights=saved.weights,
        mean=saved.mean,
        standard_deviation=saved.standard_deviation,
    )


def _with_weights(run: Run, facts: DatasetFacts, loaded: LoadedWeights | None) -> DatasetFacts:
    """Return the facts with the weights that training starts from, and report them.

    Raises:
        InputError: The run to continue was started with other weights.
    """
    if loaded is None:
        return facts
    (_log.warning if loaded.missing else _log.info)(loaded.sentence)
    weights = {"source": loaded.source} | ({"sha256": loaded.sha256} if loaded.sha256 else {})
    if facts.weights is not None and facts.weights.get("sha256") != loaded.sha256:
        raise InputError(
            f"`resume=True` needs the weights the run was started with, but the SHA-256 of {loaded.source} is not the "
            f"one recorded in {run.dataset}; restore the file or start a new run"
        )
    return replace(facts, weights=weights)


def _trainer(
    recipe: Recipe,
    run: Run,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    identity: str | None,
) -> lightning.Trainer:
    training = recipe.training
    column = MONITORED[training.monitor]
    window = monitored_window(training.monitor, training.monitor_window)
    monitored = chosen_column(training.monitor, training.monitor_window)
    watch: list[Callback] = [
        *([] if column is None else [MonitoredMean(column, window)]),
        MetricsTable(run.metrics),
        AngleTable(run.angles),
        *([] if recipe.backbone.cached_features else [AugmentedBatch(run.augmented)]),
        *checkpoints(run, monitored, window),
    ]
    if training.average_decay is not None:
        watch.append(MovingAverage(training.average_decay))
    if sys.stderr.isatty():
        watch.append(RichProgressBar(leave=True, console_kwargs={"stderr": True}))
    else:
        watch.append(EpochLine(recipe.data.watched_split))
    if training.early_stopping_patience is not None and monitored is not None:
        watch.append(EarlyStopping(monitored, mode="max", patience=training.early_stopping_patience))
    return lightning.Trainer(
        default_root_dir=run.folder,
        max_epochs=training.epochs,
        devices=training.devices,
        strategy="ddp" if training.devices > 1 else "auto",
        precision=training.precision,  # type: ignore[arg-type]
        accumulate_grad_batches=training.accumulate_batches,
        gradient_clip_val=training.gradient_clip_norm,
        callbacks=[*watch, *callbacks],
        logger=list(loggers),
        plugins=[WholeCheckpoints(identity)],
        deterministic="warn",
        num_sanity_val_steps=0,
        limit_val_batches=0 if recipe.data.watched_split is None else None,
        log_every_n_steps=1,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        use_distributed_sampler=False,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Leave out Lightning's notices on hardware and loaders, which name nothing that our users can change.

    Every other warning is shown once, though each epoch may raise it again.
    """
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for message in (
            ".*does not have many workers.*",
            ".*Checkpoint directory.*exists and is not empty.*",
            ".*LeafSpec.*is deprecated.*",
        ):
            warnings.filterwarnings("ignore", message)
        warnings.showwarning = _once(warnings.showwarning)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _once(show: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a warning unless it has shown one of the same text."""
    shown: set[str] = set()

    def show_new(message: Warning | str, *arguments: Any, **settings: Any) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            show(message, *arguments, **settings)

    return show_new


def _finish(run: Run, fitted: _Fitted, *, started: float, progress: Progress | None) -> dict[str, Any]:
    """Judge the best epoch: the validation split, then once the test split."""
    model, data = TrainedModel.load(run), fitted.data
    rows = {split: rows for split in EVALUATED_SPLITS if len(rows := data.collection.rows(split))}
    features_of = judged_features(model, data, fitted.features, progress)
    features = {split: features_of(rows[split]) for split in rows}
    predictions = {split: model.predictions(data.collection, rows[split], features[split]) for split in rows}
    for split, predicted in predictions.items():
        predicted.write(run.predictions(split))
    _saved_features(model, predictions["test"], features["test"]).write(run.features)
    judged = np.concatenate(list(rows.values()))
    own = data.collection.select(judged)
    write_attributes(run, own.table["id"].tolist(), own.attributes)
    if model.method.conditional is not None:
        write_conditions(run, model, predictions, features)
    write_members(run, model, predictions, features)
    if "validation" in rows:
        typicality = Typicality.fit(
            model.described(data.pixels, rows["validation"], features["validation"]),
            predictions["validation"].groups,
            model.described(data.pixels, rows["test"], features["test"]),
        )
        if typicality is not None:
            typicality.write(run)
    summary = summarize(
        predictions["test"],
        "test",
        training_counts=data.facts.training_counts,
        positive=data.facts.positive_id,
    )
    summary |= protocol_summary(RunSettings.load(run)) | prior_summary(run, data.facts)
    surroundings = {**environment(started), **fitted.sizes}
    write_json(run.environment, surroundings)
    write_report(run, read_image(data.collection), summary=summary, environment=surroundings)
    # Last, because it marks a finished run.
    write_json(run.summary, summary)
    return summary


def _finish_trial(run: Run, fitted: _Fitted, *, started: float, progress: Progress | None) -> dict[str, Any]:
    """Judge the best epoch on validation."""
    model, data = TrainedModel.load(run), fitted.data
    rows = data.collection.rows("validation")
    features_of = judged_features(model, data, fitted.features, progress)
    predicted = model.predictions(data.collection, rows, features_of(rows))
    predicted.write(run.predictions("validation"))
    summary = summarize(
        predicted, "validation", training_counts=data.facts.training_counts, positive=data.facts.positive_id
    )
    write_json(run.environment, {**environment(started), **fitted.sizes})
    # Last, because it marks a finished run.
    write_json(run.summary, summary)
    return summary


def _saved_features(model: TrainedModel, images: SavedPredictions, features: Tensor) -> SavedFeatures:
    """Return the last layer's input and weights, which show the geometry of the classes."""
    centres = model.method.class_centres
    return SavedFeatures(
        images.ids,
        images.targets,
        model.embeddings(features).numpy(),
        None if centres is None else centres.detach().float().cpu().numpy(),
    ).thinned()


def environment(started: float) -> dict[str, Any]:
    """Return versions, hardware and duration of a training that began at ``started`` (seconds since 1970)."""
    return {
        "medtail": version("medtail"),
        "python": platform.python_version(),
        **{name: version(name) for name in _RECORDED},
        "device": device().type,
        "hardware": hardware(),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        "peak_memory_mb": peak_memory_mb(),
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """Return the commit of the source tree that medtail runs from; None for an installed package."""
    tree = Path(__file__).resolve().parents[3]
    if not (tree / ".git").exists() or shutil.which("git") is None:
        return None
    result = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tree, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or None

"""Train a run: from data and a recipe to the folder of files that every later step reads."""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast, final

import lightning
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import Logger

from medtail.backbones import weights_of
from medtail.data import ImageCollection, write_splits
from medtail.data.decoded.cache import PixelCache
from medtail.errors import InputError
from medtail.evaluation.summaries.chosen_epoch import MONITORED, chosen_column, monitored_window
from medtail.methods import Method
from medtail.progress import Progress
from medtail.recipes.schema import Recipe
from medtail.runs.claim import claimed
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged
from medtail.training.batches.loaders import RunData
from medtail.training.build import BuildContext, build_method, check_backbone, without_weights
from medtail.training.callbacks import AngleTable, EpochLine, FinishEpoch, MetricsTable, StopOnBrokenLoss
from medtail.training.checkpoints import START_AGAIN, WholeCheckpoints, checkpoints
from medtail.training.devices import (
    check_sync_batch_norm,
    is_main_process,
    with_sync_batch_norm,
)
from medtail.training.earlier_runs.first_stage import FirstStage
from medtail.training.earlier_runs.teacher import load_teacher
from medtail.training.finishing import Fitted, finish, finish_trial
from medtail.training.frozen.features import FrozenFeatures
from medtail.training.frozen.solver import with_chosen_optimizer
from medtail.training.module import MethodModule
from medtail.training.multi_label import check_multi_label_recipe
from medtail.training.optimization.averaging import MovingAverage
from medtail.training.optimization.optimizers import build_optimizer
from medtail.training.optimization.precision import with_precision
from medtail.training.prepare import PreparedData, prepare
from medtail.training.run_folder import (
    check_folder,
    check_no_folds,
    check_outside,
    identified,
    remove_left_over_in,
    with_weights,
)
from medtail.training.watching.augmented_batch import AugmentedBatch
from medtail.training.watching.loggers import check_logger, loggers_of
from medtail.training.watching.monitor import MonitoredMean
from medtail.training.watching.quiet import quiet_lightning

_log = logging.getLogger(__name__)


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
        finish,
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
    return _trained(finish_trial, collection, recipe, run, resume=resume, progress=progress, cache=cache)


def _trained(
    judge: Callable[..., dict[str, Any]],
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
    """Train, then judge the best epoch as ``judge`` does."""
    started = time.time()
    check_logger(recipe)
    if recipe.training.sync_batch_norm:
        check_sync_batch_norm()

    def work() -> dict[str, Any]:
        resolved = with_precision(recipe, run)
        if collection.multi_label:
            check_multi_label_recipe(resolved, collection)
        data = prepare(collection, resolved, skip_unreadable=skip_unreadable, progress=progress, cache=cache)
        fitted = _fit(
            data,
            resolved,
            run,
            resume=resume,
            callbacks=callbacks,
            loggers=loggers,
            progress=progress,
            cache=cache,
        )
        return judge(run, fitted, started=started, progress=progress) if is_main_process() else {}

    if not is_main_process():
        return work()
    check_no_folds(run)
    check_outside(run, collection)
    check_folder(run, recipe, resume=resume)
    if not resume:
        check_backbone(recipe, collection.dimensions)
    with claimed(run):
        # Again, because somebody may have written it before it was ours.
        check_folder(run, recipe, resume=resume)
        remove_left_over_in(run)
        return work()


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
) -> Fitted:
    """Train until the last epoch."""
    data = replace(data, facts=identified(run, recipe, data.facts, resume=resume))
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
    data = replace(data, facts=with_weights(run, data.facts, weights_of(method)))
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
    with quiet_lightning():
        trainer = _trainer(recipe, run, watch, [*loggers_of(recipe, run), *loggers], data.facts.identity)
    if is_main_process():
        write_splits(data.collection, run.splits)
        data.write_subsample(run)
        data.facts.save(run)
        recipe.save(run.recipe)

    with quiet_lightning():
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
    return Fitted(data, known, {"parameters": parameters, "trained_parameters": trained})


@final
class _Restored(Callback):
    """Knows whether a checkpoint was read to its end."""

    done = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.done = True


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

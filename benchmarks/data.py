"""What getting data to the network costs: training end to end, as a ratio to the same step on resident random tensors.

    python benchmarks/data.py DATA_FOLDER --out benchmarks/results/data_cpu.csv

DATA_FOLDER holds ``ham10000_28.npz``, ``ham10000_128`` (JPEG files) and ``adrenalmnist3d.npz``; see each of SETTINGS.

``ratio`` is the throughput of training (batches drawn and read, moved, augmented, normalised, Lightning's loop and its
records, the step) over that of the step alone (forward, loss, backward, optimizer) on random tensors that are ready in
memory. Each training step alternates with a step alone, on a network of its own, and the ratio is the median over
pairs, so that a busy machine slows both. Batches are read in the training process, or the steps alone would hide the
work of others.

``decode_seconds`` is what the first epoch waits for; ``cached_seconds`` the same when the cache has the pixels. Peak
memory is anonymous memory that preparing and training add: pages of a mapped file are the operating system's to drop.
"""

import argparse
import copy
import math
import multiprocessing
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from measuring import results_file, synchronize

from medtail.cli.options import parse_assignments
from medtail.data import load_pixels, open_collection
from medtail.data.decoded.cache import PixelCache
from medtail.recipes.compose import compose
from medtail.training.batches.loaders import RunData
from medtail.training.batches.preparation import memory_format
from medtail.training.build import BuildContext, build_method
from medtail.training.module import MethodModule
from medtail.training.optimization.optimizers import build_optimizer
from medtail.training.prepare import prepare

#: Data, recipe of the data, and what is changed in it.
SETTINGS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "28 px": ("ham10000_28.npz", "ham10000_28", ("backbone.name=resnet8",)),
    "128 px JPEG": (
        "ham10000_128",
        "ham10000_128",
        ("data.image_size=128", "backbone.name=resnet18", "training.batch_size=32"),
    ),
    "28³ voxels": (
        "adrenalmnist3d.npz",
        "small_volumes",
        ("backbone.name=resnet18_3d", "training.batch_size=16"),
    ),
}
STORES = ("memory", "mapped")
COLUMNS = [
    "setting",
    "store",
    "images",
    "network",
    "batch_size",
    "ratio",
    "training_milliseconds",
    "step_milliseconds",
    "pairs",
    "decode_seconds",
    "cached_seconds",
    "pixels_mebibytes",
    "peak_mebibytes",
    "precision",
    "device",
    "hardware",
    "torch",
    "commit",
    "date",
]
_WARM_UP = 3


def main() -> None:
    """Measure what the arguments ask for and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--pairs", type=int, default=20, help="steps of training and steps alone")
    arguments = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with results_file(arguments.out, COLUMNS, device, "src/medtail/data", "src/medtail/training") as write:
        for setting in arguments.settings:
            for store in arguments.stores:
                # A process of its own, so that one measurement's memory is not another's.
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    row = pool.apply(measure, (arguments.data, setting, store, arguments.pairs, device))
                print(f"{setting:12} {store:7} ratio {row['ratio']}", flush=True)
                write({**row, "pairs": arguments.pairs})


def measure(folder: Path, setting: str, store: str, pairs: int, device: str) -> Mapping[str, Any]:
    """Prepare and train one setting, pixels in memory or in a mapped file."""
    name, dataset, assignments = SETTINGS[setting]
    precision = "32-true" if device == "cpu" else "bf16-mixed"
    recipe = compose(
        dataset,
        "balanced_softmax",
        parse_assignments([*assignments, "training.workers=0", f"training.precision={precision}"]),
    )
    collection = open_collection(folder / name)
    with tempfile.TemporaryDirectory() as cache_folder, peak_memory() as peak:
        cache = PixelCache(Path(cache_folder), keeps_all=True)
        form: dict[str, Any] = {"image_size": recipe.data.image_size, "channels": recipe.data.channels}
        limit = {"memory": 2**62, "mapped": 0}[store]
        start = time.perf_counter()
        load_pixels(collection, **form, cache=cache, memory_limit=limit)
        decoded = time.perf_counter()
        pixels = load_pixels(collection, **form, cache=cache, memory_limit=limit)
        cached = time.perf_counter()
        data = replace(prepare(collection, recipe, cache=PixelCache(Path(cache_folder))), pixels=pixels)
        lightning.seed_everything(0, verbose=False)
        module = MethodModule(build_method(BuildContext.of(recipe, data.facts)), recipe, data.facts)
        watch = AlternatingSteps(module, device)
        trainer = lightning.Trainer(
            max_steps=pairs + _WARM_UP,
            limit_val_batches=0,
            precision=recipe.training.precision,  # type: ignore[arg-type]
            callbacks=[watch],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, datamodule=RunData(data, recipe))
    training, alone = watch.training[_WARM_UP:], watch.alone[_WARM_UP:]
    return {
        "setting": setting,
        "store": store,
        "images": len(collection),
        "network": recipe.backbone.name,
        "batch_size": recipe.training.batch_size,
        "ratio": f"{statistics.median(step / whole for whole, step in zip(training, alone, strict=True)):.3f}",
        "training_milliseconds": f"{1e3 * statistics.median(training):.2f}",
        "step_milliseconds": f"{1e3 * statistics.median(alone):.2f}",
        "decode_seconds": f"{decoded - start:.2f}",
        "cached_seconds": f"{cached - decoded:.2f}",
        "pixels_mebibytes": f"{len(collection) * math.prod(pixels.form.shape) / 2**20:.0f}",
        "peak_mebibytes": f"{peak():.0f}",
        "precision": precision,
    }


class AlternatingSteps(Callback):
    """Times each training step from the end of the last, and a step alone between two of them."""

    def __init__(self, module: MethodModule, device: str) -> None:
        self.method = copy.deepcopy(module.method).to(device).train()
        self.optimizer = build_optimizer(module.recipe, self.method)
        self.device = device
        self.training: list[float] = []
        self.alone: list[float] = []
        self.started = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Start the clock of an epoch's first step."""
        self.started = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Stop the clock, do and time the step alone, start the clock."""
        synchronize(self.device)
        self.training.append(time.perf_counter() - self.started)
        images = torch.randn(batch["image"].shape, device=self.device)
        images = images.contiguous(memory_format=memory_format(images.ndim - 2))
        ready = {**batch, "image": images}
        self.method.set_step(trainer.global_step)
        synchronize(self.device)
        start = time.perf_counter()
        with trainer.precision_plugin.train_step_context():
            loss = self.method(ready).loss
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        synchronize(self.device)
        self.alone.append(time.perf_counter() - start)
        self.started = time.perf_counter()


@contextmanager
def peak_memory() -> Iterator[Any]:
    """Yield a function: MiB of anonymous memory at the highest since the block began; NaN without ``/proc``."""
    status = Path("/proc/self/status")
    peaks = [_anonymous(status)]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peaks.append(_anonymous(status))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: max(peaks) - peaks[0]
    finally:
        done.set()
        watcher.join()


def _anonymous(status: Path) -> float:
    if not status.exists():
        return float("nan")
    found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text(encoding="utf-8"))
    return float(found.group(1)) / 1024 if found else float("nan")


if __name__ == "__main__":
    main()

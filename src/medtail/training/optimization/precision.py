"""The precision of training steps where ``training.precision=auto`` leaves it to the machine."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from medtail.backbones.volume_resnets import VOLUME_RESNETS
from medtail.data.decoded.cache import default_cache_folder
from medtail.data.decoded.cache_files import locked
from medtail.errors import InputError
from medtail.files import write_json
from medtail.recipes.compose import load_recipe
from medtail.recipes.schema import Recipe
from medtail.runs.run import Run
from medtail.runs.stored_files import digest_of, read_json
from medtail.training.batches.preparation import memory_format
from medtail.training.build import BuildContext, without_weights
from medtail.training.optimization.low_rank import add_low_rank

_log = logging.getLogger(__name__)

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

#: How many times faster bfloat16 has to be: float32 is the safer one.
_CLEARLY = 1.15

#: Those of which one is chosen.
_TIMED = ("32-true", "bf16-mixed")

#: Images of a timed step at most, and the values of one channel that they hold together.
_IMAGES, _VALUES = 32, 2**17

#: Pairs of timed steps at most, and the seconds after which no further pair is begun.
_PAIRS, _SECONDS = 7, 2.0

#: Of the kept decisions; those of other formats are never read.
_FORMAT = 1


def with_precision(recipe: Recipe, run: Run) -> Recipe:
    """Return the recipe with ``training.precision=auto`` resolved: as the run was begun, or else for this machine."""
    if recipe.training.precision != "auto":
        return recipe
    if run.recipe.is_file():
        return with_saved_precision(recipe, load_recipe(run.recipe))
    return in_precision(recipe, choose_precision(recipe))


def with_saved_precision(recipe: Recipe, saved: Recipe) -> Recipe:
    """Return the recipe with what ``training.precision=auto`` stood for in a saved run.

    Args:
        recipe: That a run is to be continued with.
        saved: Of the run, resolved.
    """
    return in_precision(recipe, saved.training.precision) if recipe.training.precision == "auto" else recipe


def in_precision(recipe: Recipe, precision: str) -> Recipe:
    """Return the recipe with another ``training.precision``."""
    training = recipe.training.model_copy(update={"precision": precision})
    return recipe.model_copy(update={"training": training})


def choose_precision(recipe: Recipe) -> Precision:
    """Return the precision in which this machine trains the network of a recipe.

    A GPU that computes in bfloat16 is faster in it. Among CPUs that do, some are not, for some networks: steps of this
    one are timed in both precisions, once for each kind of machine. The decision is kept in the folder ``precision`` of
    the cache, so that runs never differ in it by the noise of a timing. The caller's random state stays as it is.
    """
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    capabilities: dict[str, Any] = dict(getattr(torch.cpu, "get_capabilities", dict)())
    computes = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    # A head on cached features is too small to gain.
    if not computes or recipe.backbone.cached_features:
        return "32-true"
    kind = {
        "cpu": capabilities,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "network": network_settings(recipe),
    }
    key = digest_of({"format": _FORMAT, **kind})
    path = default_cache_folder() / "precision" / f"{key}.json"
    try:
        with locked(path.parent, key):
            seconds = _kept(path) or seconds_of_steps(recipe)
            if not path.is_file():
                write_json(path, {"seconds": seconds, **kind})
    except OSError as error:
        _log.warning(
            f"training in float32, because a timing of bfloat16 cannot be kept in {path.parent} ({error}); "
            f"`training.precision=bf16-mixed` trains in it"
        )
        return "32-true"
    chosen = faster(seconds)
    _log.info(
        f"training in {'bfloat16' if chosen == 'bf16-mixed' else 'float32'}: a step of {recipe.backbone.name} took "
        f"{seconds['32-true'] * 1000:.3g} ms in float32 and {seconds['bf16-mixed'] * 1000:.3g} ms in bfloat16 when it "
        f"was timed on this machine"
    )
    return chosen


def network_settings(recipe: Recipe) -> dict[str, Any]:
    """Return the settings that the time of a network's step depends on, as plain values."""
    backbone = recipe.backbone.model_dump(mode="json")
    names = ("name", "variant", "lora", "gradient_checkpointing", "cached_features")
    return {
        **{name: backbone[name] for name in names},
        "channels": recipe.data.channels,
        "size": recipe.input_size,
        "images": min(recipe.training.batch_size, _IMAGES),
    }


def faster(seconds: Mapping[str, float]) -> Precision:
    """Return bfloat16 if steps in it are clearly faster, else float32, by the seconds of a step in each."""
    return "bf16-mixed" if seconds["32-true"] / seconds["bf16-mixed"] >= _CLEARLY else "32-true"


def _kept(path: Path) -> dict[str, float] | None:
    """The seconds of an earlier timing; None if there was none, or its file is damaged, which is then removed."""
    if not path.is_file():
        return None
    try:
        kept = read_json(path)["seconds"]
        seconds = {precision: float(kept[precision]) for precision in _TIMED}
        if min(seconds.values()) > 0:
            return seconds
        why = "holds no times"
    except (InputError, LookupError, TypeError, ValueError) as error:
        why = str(error)
    _log.warning(f"both precisions are timed again, because {path} is damaged ({why})")
    path.unlink()
    return None


def seconds_of_steps(recipe: Recipe) -> dict[str, float]:
    """The processor seconds of a step in float32 and in bfloat16, of a network that is built for it and forgotten."""
    dimensions = 3 if recipe.backbone.name in VOLUME_RESNETS else 2
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        network = BuildContext(without_weights(recipe), np.ones(2), dimensions).backbone()
        if recipe.backbone.lora is not None:
            add_low_rank(network, recipe.backbone.lora)
        network.to(memory_format=memory_format(dimensions))
        size = recipe.input_size
        count = max(4, min(recipe.training.batch_size, _IMAGES, _VALUES // size**dimensions))
        images = torch.randn(count, recipe.data.channels, *[size] * dimensions)
        images = images.contiguous(memory_format=memory_format(dimensions))
        for precision in _TIMED:
            _step(network, images, precision)
        taken: dict[str, list[float]] = {precision: [] for precision in _TIMED}
        started = time.perf_counter()
        # One after the other, so that what else the machine does slows both.
        while len(taken[_TIMED[0]]) < _PAIRS and time.perf_counter() - started < _SECONDS:
            for precision in _TIMED:
                taken[precision].append(_step(network, images, precision))
    return {precision: median(seconds) for precision, seconds in taken.items()}


def _step(network: nn.Module, images: Tensor, precision: str) -> float:
    """Processor seconds of a pass forwards and backwards, which do not count those of other programs."""
    network.zero_grad(set_to_none=True)
    started = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        features = network(images)
    features.float().square().mean().backward()
    return time.process_time() - started

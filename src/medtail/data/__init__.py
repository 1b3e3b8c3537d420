"""Labelled images: reading, splitting, decoding, sampling and augmenting them.

A data set is a table plus pixels (:class:`ImageCollection`). Only the training split is ever resampled or augmented.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medtail.data.collection import SPLITS, DataWarning, ImageCollection, Split
    from medtail.data.datasets.opening import BUILT_IN, open_collection
    from medtail.data.datasets.tables.columns import BY_NAME, TableColumns
    from medtail.data.decoded.batches import ImageBatches, PairedBatches, batch_loader
    from medtail.data.decoded.pixels import Pixels, load_pixels
    from medtail.data.decoded.reading import UnreadableImage
    from medtail.data.formats.image_files import ImageFiles, image_paths
    from medtail.data.formats.sources import ImageArray, ImageForm, ImageSource, UnreadableImageError
    from medtail.data.splitting.classes import choose_classes
    from medtail.data.splitting.one_versus_rest import positive_versus_rest
    from medtail.data.splitting.splits import assign_splits, read_splits, shared_groups, write_splits

__all__ = [
    "BUILT_IN",
    "BY_NAME",
    "SPLITS",
    "DataWarning",
    "ImageArray",
    "ImageBatches",
    "ImageCollection",
    "ImageFiles",
    "ImageForm",
    "ImageSource",
    "PairedBatches",
    "Pixels",
    "Split",
    "TableColumns",
    "UnreadableImage",
    "UnreadableImageError",
    "assign_splits",
    "batch_loader",
    "choose_classes",
    "image_paths",
    "load_pixels",
    "open_collection",
    "positive_versus_rest",
    "read_splits",
    "shared_groups",
    "write_splits",
]

#: The module of each name, loaded when the name is first used: PyTorch takes seconds, which listing need not wait for.
_MODULES = {
    "SPLITS": "collection",
    "DataWarning": "collection",
    "ImageCollection": "collection",
    "Split": "collection",
    "BUILT_IN": "datasets.opening",
    "open_collection": "datasets.opening",
    "BY_NAME": "datasets.tables.columns",
    "TableColumns": "datasets.tables.columns",
    "ImageBatches": "decoded.batches",
    "PairedBatches": "decoded.batches",
    "batch_loader": "decoded.batches",
    "Pixels": "decoded.pixels",
    "load_pixels": "decoded.pixels",
    "UnreadableImage": "decoded.reading",
    "ImageFiles": "formats.image_files",
    "image_paths": "formats.image_files",
    "ImageArray": "formats.sources",
    "ImageForm": "formats.sources",
    "ImageSource": "formats.sources",
    "UnreadableImageError": "formats.sources",
    "choose_classes": "splitting.classes",
    "positive_versus_rest": "splitting.one_versus_rest",
    "assign_splits": "splitting.splits",
    "read_splits": "splitting.splits",
    "shared_groups": "splitting.splits",
    "write_splits": "splitting.splits",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

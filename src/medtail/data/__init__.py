"""Labelled images: reading, splitting, decoding, sampling and augmenting them.

A data set is a table plus pixels (:class:`ImageCollection`). Only the training split is ever resampled or augmented.
"""

from typing import TYPE_CHECKING

from medtail.naming import late_names

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
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "collection": ["SPLITS", "DataWarning", "ImageCollection", "Split"],
            "datasets.opening": ["BUILT_IN", "open_collection"],
            "datasets.tables.columns": ["BY_NAME", "TableColumns"],
            "decoded.batches": ["ImageBatches", "PairedBatches", "batch_loader"],
            "decoded.pixels": ["Pixels", "load_pixels"],
            "decoded.reading": ["UnreadableImage"],
            "formats.image_files": ["ImageFiles", "image_paths"],
            "formats.sources": ["ImageArray", "ImageForm", "ImageSource", "UnreadableImageError"],
            "splitting.classes": ["choose_classes"],
            "splitting.one_versus_rest": ["positive_versus_rest"],
            "splitting.splits": ["assign_splits", "read_splits", "shared_groups", "write_splits"],
        },
    )

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

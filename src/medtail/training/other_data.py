"""A trained model on data it was not trained on."""

from medtail.data import load_pixels, open_collection
from medtail.errors import InputError
from medtail.evaluation.label_predictions import AnyPredictions
from medtail.run import EvaluatedSplit, Run
from medtail.training.inference import TrainedModel
from medtail.training.prepare import DatasetFacts, Progress


def predict_other_data(
    run: Run,
    data: str,
    split: EvaluatedSplit,
    *,
    skip_unreadable: bool = False,
    progress: Progress | None = None,
) -> AnyPredictions:
    """Predict one split of other data, or all of it when it brings no splits.

    Raises:
        InputError: The labels are not those of the run, an image cannot be read, or the split is empty.
    """
    facts = DatasetFacts.load(run)
    collection = facts.relabelled(open_collection(data))
    facts.labelling.check_classes(collection, facts.class_names)
    model = TrainedModel.load(run)
    if "split" in collection.table:
        collection = collection.select(collection.rows(split))
    if not len(collection.table):
        raise InputError(f"split {split} of {data} must hold an image, is empty; choose another with --split")
    pixels = load_pixels(
        collection.limited(model.recipe.data.max_pixels),
        image_size=model.facts.image_size,
        channels=model.facts.channels,
        dimensions=model.facts.dimensions,
        fit=model.recipe.data.fit,
        skip_unreadable=skip_unreadable,
        progress=progress,
    )
    return model.predict(collection, pixels, pixels.readable_rows, progress)

"""Training on images of which some labels are unknown: from the loss to the report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medtail.cli.options import parse_assignments
from medtail.data import open_collection
from medtail.data.collection import DataWarning
from medtail.recipes.compose import compose
from medtail.runs import MultiLabelPredictions
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.training.fit import train
from references.stripes import write_stripes

SETTINGS = ["data.image_size=16", "backbone.name=resnet8", "training.epochs=4", "training.batch_size=32"]
SETTINGS += ["optimizer.name=adamw", "optimizer.learning_rate=0.003"]


def test_it_learns_from_the_known_labels_and_counts_them(tmp_path: Path) -> None:
    write_stripes(tmp_path / "data")
    whole = open_collection(str(tmp_path / "data"))
    unknown = np.random.default_rng(0).random((len(whole), 3)) < 0.3
    table = pd.read_csv(tmp_path / "data" / "labels.csv", dtype=str)
    table[whole.label_columns] = table[whole.label_columns].mask(unknown, "")
    table.loc[unknown[:, 0] & (np.arange(len(table)) % 2 == 0), whole.label_columns[0]] = "-1"
    table.to_csv(tmp_path / "data" / "labels.csv", index=False)
    with pytest.warns(DataWarning, match="are unknown where they are empty or -1"):
        collection = open_collection(str(tmp_path / "data"))
    np.testing.assert_array_equal(collection.targets, np.where(unknown, np.nan, whole.targets))
    run = Run(tmp_path / "run")
    summary = train(collection, compose("small_images", "asl", parse_assignments(SETTINGS)), run)

    assert summary["balanced_accuracy"] > 0.8  # guessing gives 0.5
    predictions = MultiLabelPredictions.read(run.predictions("test"))
    rows = [list(whole.table["id"]).index(name) for name in predictions.ids]
    np.testing.assert_array_equal(predictions.targets, collection.targets[rows])
    assert [entry["known"] for entry in summary["classes"]] == predictions.known.sum(axis=0).tolist()
    facts = DatasetFacts.load(run)
    assert np.sum(list(facts.known_labels.values()), axis=0).tolist() == (~unknown).sum(axis=0).tolist()
    assert facts.class_counts["test"] == [entry["n"] for entry in summary["classes"]]
    carried = sum(facts.counts(split) for split in ("train", "validation", "test"))
    assert carried.tolist() == np.nansum(collection.targets, axis=0).tolist()
    np.testing.assert_allclose(np.exp(predictions.log_probabilities), predictions.probabilities, rtol=1e-12)

    page = run.report.read_text(encoding="utf-8")
    assert "Some labels are unknown" in page
    assert f"{(~predictions.known).sum()} are unknown; every metric leaves them out" in page
    assert '<th scope="col">Known</th>' in page

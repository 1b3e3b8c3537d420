"""What authors take from a run: a model card, tables, a paragraph on methods, reporting items, subgroups."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from medtail.evaluation.report.authors.methods_text import methods_text
from medtail.evaluation.report.authors.model_card import model_card
from medtail.evaluation.report.authors.reporting_items import reporting_items
from medtail.evaluation.report.authors.tables import write_tables
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.report import write_report
from medtail.evaluation.summaries.subgroups import subgroup_recalls
from medtail.metrics import wilson_interval
from medtail.operating_point import OperatingPoint
from medtail.operating_point.decisions import ClassThreshold
from medtail.runs.predictions import Predictions
from medtail.runs.run import Run
from references.pages import read_page


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory) -> Run:
    run = make_run(
        tmp_path_factory.mktemp("runs") / "dal-0", resamples=5, class_names=("a_b", "x|y", "df", "nv")
    )
    write_report(run)
    return run


@pytest.fixture(scope="module")
def evidence(run: Run) -> Evidence:
    """With the sex of each image."""
    evidence = Evidence.read(run)
    sex = np.where(np.arange(len(evidence.test.ids)) % 3 == 0, "female", "male")
    return replace(evidence, attributes=pd.DataFrame({"sex": sex}))


def test_the_card_has_metadata_that_hugging_face_reads(run: Run) -> None:
    card = pytest.importorskip("huggingface_hub").ModelCard.load(run.model_card)
    assert card.data.library_name == "medtail"
    assert run.published_card.read_bytes() == run.model_card.read_bytes()
    assert card.data.pipeline_tag == "image-classification"
    summary = run.read_summary()
    reached = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert reached["accuracy"] == pytest.approx(summary["accuracy"], abs=1e-4)
    assert reached["roc_auc"] == pytest.approx(summary["auc"], abs=1e-4)
    assert card.data.eval_results[0].dataset_split == "test"


def test_the_card_says_what_the_files_say(run: Run) -> None:
    text = run.model_card.read_text(encoding="utf-8")
    _, metadata, body = text.split("---\n", 2)
    assert yaml.safe_load(metadata)["model-index"][0]["name"] == "dal-0"
    summary = run.read_summary()
    low, high = summary["intervals"]["balanced_accuracy"]
    assert f"| Balanced accuracy | {summary['balanced_accuracy']:.3f} | {low:.3f} – {high:.3f} |" in body
    entry = summary["classes"][2]
    assert f"| df | {entry['recall']:.3f} |" in body
    assert "| df | 12 | 4 | 8 |" in body
    assert "Test images" not in body and "Fewer than 30 test images: a\\_b (18), x\\|y (26), df (8)." in body
    assert "0.023 h × 2 CPU threads × 10 W = 0.00046 kWh" in body  # 83.4 s on "2 CPU cores"
    assert "images/ham10000" not in text  # no path of this machine


def test_names_are_escaped_in_markdown_and_latex(run: Run) -> None:
    rows = [line for line in run.model_card.read_text().splitlines() if line.startswith("| x")]
    assert rows and all(line.startswith("| x\\|y |") for line in rows)
    assert "a\\_b &" in (run.tables / "classes.tex").read_text()


def test_tables_hold_the_numbers_of_the_summary(run: Run) -> None:
    table = pd.read_csv(run.tables / "metrics.csv").set_index("metric")
    summary = run.read_summary()
    assert table.loc["Brier score", "value"] == pytest.approx(summary["brier"], rel=1e-5)
    assert table.loc["Brier score", ["low", "high"]].tolist() == pytest.approx(
        summary["intervals"]["brier"], rel=1e-5
    )
    classes = pd.read_csv(run.tables / "classes.csv").set_index("class")
    assert classes.index.tolist() == ["nv", "x|y", "a_b", "df"]  # from frequent to rare
    assert classes.loc["df", ["train", "validation", "test"]].tolist() == [12, 4, 8]
    assert classes.loc["df", "recall"] == pytest.approx(summary["classes"][2]["recall"], rel=1e-5)
    confusion = pd.read_csv(run.tables / "confusion.csv").set_index("true class")
    assert confusion.loc["df"].sum() == 8 and confusion.columns.tolist() == classes.index.tolist()


def test_latex_has_an_interval_behind_its_number(run: Run) -> None:
    lines = (run.tables / "metrics.tex").read_text().splitlines()
    summary = run.read_summary()
    low, high = summary["intervals"]["brier"]
    line = next(line for line in lines if line.startswith("Brier score"))
    assert line.startswith(f"Brier score & {summary['brier']:.3f} [{low:.3f}, {high:.3f}] & ")
    assert lines[0] == "\\begin{table}[tbp]" and "\\toprule" in lines and lines[-1] == "\\end{table}"
    assert line.count("&") == next(line for line in lines if line.startswith("metric")).count("&") == 2


def test_the_paragraph_says_how_the_run_was_trained(evidence: Evidence) -> None:
    text = methods_text(evidence)
    for part in (
        "a resnet8 network from random weights on ham10000",
        "862 training, 86 validation and 172 test images of 4 classes, at 28 × 28 pixels",
        "images that share a lesion_id are in one split together",
        "12 epochs in batches of 128, with SGD (learning rate 0.1, momentum 0.9, weight decay 0.0005)",
        "horizontal flip 0.5",
        "highest balanced accuracy on validation",
        "medtail 0.1.0 with PyTorch 2.15.0 on 2 CPU cores",
    ):
        assert part in text
    assert "None" not in text


def test_the_paragraph_says_what_was_trained_of_a_network(evidence: Evidence) -> None:
    values = evidence.settings.values
    backbone = {**values["backbone"], "lora": {"rank": 4, "alpha": 8.0, "dropout": 0.0}}
    training = {**values["training"], "average_decay": 0.99}
    settings = replace(evidence.settings, values={**values, "backbone": backbone, "training": training})
    sizes = {**evidence.environment, "parameters": 3_471_347, "trained_parameters": 100_339}
    text = methods_text(replace(evidence, settings=settings, environment=sizes))
    assert "(LoRA, rank 4, alpha 8): 100,339 of 3,471,347 parameters were trained" in text
    assert "an exponential moving average over the steps of training (decay 0.99)" in text
    assert "LoRA" not in methods_text(evidence) and "moving average" not in methods_text(evidence)


def test_items_of_the_guidelines_are_filled(evidence: Evidence) -> None:
    items = {(row["guideline"], row["item"]): row["report"] for row in reporting_items(evidence)}
    assert "train 862; validation 86; test 172" in items["TRIPOD+AI", "10"]
    assert items["TRIPOD+AI", "14"] == "Recall by sex: table of subgroups."
    assert items["STARD 2015", "12a"].startswith("the most probable class")
    assert "58.3 times" in items["TRIPOD+AI", "13"]
    bare = replace(evidence, attributes=pd.DataFrame())
    assert ("TRIPOD+AI", "14") not in {(row["guideline"], row["item"]) for row in reporting_items(bare)}


def test_subgroups_are_judged_by_their_own_images(evidence: Evidence, tmp_path: Path) -> None:
    test = evidence.test
    own = (evidence.attributes["sex"] == "female").to_numpy() & (test.targets == 3)
    hits = int((test.decisions[own] == 3).sum())
    row = next(
        row
        for row in subgroup_recalls(test, evidence.attributes)
        if (row["value"], row["class"]) == ("female", "nv")
    )
    assert (row["n"], row["recall"]) == (own.sum(), hits / own.sum())
    assert row["recall_interval"] == pytest.approx(wilson_interval(hits, int(own.sum())))
    write_tables(evidence, tmp_path)
    table = pd.read_csv(tmp_path / "subgroups.csv").set_index(["value", "class"])
    assert table.loc[("female", "nv"), "recall"] == pytest.approx(row["recall"], rel=1e-5)
    assert f"| sex | female | nv | {own.sum()} |" in model_card(evidence)


def test_images_without_a_value_are_in_no_subgroup(evidence: Evidence) -> None:
    values = evidence.attributes["sex"].where(np.arange(len(evidence.test.ids)) > 9)
    rows = subgroup_recalls(evidence.test, pd.DataFrame({"sex": values}))
    assert {row["value"] for row in rows} == {"female", "male"}
    assert sum(row["n"] for row in rows) == len(evidence.test.ids) - 10


def test_subgroups_of_numbers_are_in_their_order(evidence: Evidence) -> None:
    ages = np.resize(["45", "5", "unknown", "100"], len(evidence.test.ids))
    values = [row["value"] for row in subgroup_recalls(evidence.test, pd.DataFrame({"age": ages}))]
    assert list(dict.fromkeys(values)) == ["5", "45", "100", "unknown"]


def test_an_operating_point_is_in_the_card_and_a_table(make_run, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", resamples=5, class_names=("no", "yes"), train=(90, 9), test=(40, 8))
    write_report(run)
    assert "No operating point was chosen" in run.model_card.read_text()
    assert not (run.tables / "operating_point.csv").exists()
    test = Predictions.read(run.predictions("test"))
    point = OperatingPoint(class_names=("no", "yes"), decision=ClassThreshold(1, 0.2))
    point.applied_to(test).write(run.operating_point_predictions)
    point.write(run.operating_point)
    write_report(run)
    assert "Choose yes if its probability is at least 0.2" in run.model_card.read_text()
    table = pd.read_csv(run.tables / "operating_point.csv").set_index("rate")
    found = (test.probabilities[:, 1] >= 0.2)[test.targets == 1]
    assert table.loc["Sensitivity", "after"] == pytest.approx(found.mean(), rel=1e-5)


def test_the_page_shows_the_card(run: Run) -> None:
    page = read_page(run.report.read_text(encoding="utf-8"))
    assert "Model card and methods" in page.headings
    assert "It is no medical device" in page.text
    assert ["TRIPOD+AI", "10", "Sample size", "Images: train 862; validation 86; test 172."] in page.rows


def test_more_classes_than_can_be_read_are_not_all_named(make_run, tmp_path) -> None:
    names = [f"class {index:03d}" for index in range(120)]
    run = make_run(tmp_path / "run", class_names=names, train=range(130, 10, -1), test=[4] * 120, resamples=2)
    write_report(run)
    card = run.model_card.read_text(encoding="utf-8")
    assert "class 049 and 70 more" in card and "class 049 (4) and 70 more" in card
    page = run.report.read_text(encoding="utf-8")
    assert "Faint lines are 100 of the 120 classes" in page
    mistakes = pd.read_csv(run.tables / "confusion.csv")
    assert mistakes.columns.tolist() == ["true class", "decided class", "images", "share_of_true_class"]
    test = Predictions.read(run.predictions("test"))
    assert (mistakes["true class"] != mistakes["decided class"]).all()
    assert mistakes["images"].sum() == min(500, (~test.right).sum()) or len(mistakes) == 500
    first = mistakes.iloc[0]
    pair = [names.index(first[column]) for column in ("true class", "decided class")]
    together = (test.targets == pair[0]) & (test.decisions == pair[1])
    assert first["images"] == together.sum() == mistakes["images"].max()
    assert first["share_of_true_class"] == pytest.approx(together.sum() / 4)

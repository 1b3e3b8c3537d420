"""Every loss of the catalogue on one data set with the same short budget: the table in ``docs/results``.

    python benchmarks/catalogue.py DATA --folder runs/catalogue --epochs 8 --out docs/results/NAME.md

It trains the method recipe of each loss with seeds 0, 1, 2, …, continues where it was stopped, and writes one row per
loss: balanced accuracy, CoV and the lowest recall of a class on the test split, mean ± sd over seeds.
"""

import argparse
import shlex
from pathlib import Path

from medtail.data import open_collection
from medtail.evaluation.comparison.comparison import compare_runs
from medtail.experiments.experiment import Experiment
from medtail.experiments.variants import variants_of
from medtail.files import write_text
from medtail.losses import LOSSES
from medtail.runs.run import Run
from medtail.training.devices import hardware
from medtail.training.finishing import git_commit

COLUMNS = {
    "balanced_accuracy": "balanced accuracy",
    "cov": "CoV of recall (lower is more even)",
    "lowest_recall": "lowest recall of a class",
    "accuracy": "accuracy",
}


def main() -> None:
    """Train what is missing and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True, help="Markdown page to write")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(LOSSES), help="all losses by default")
    arguments = parser.parse_args()
    experiment = Experiment(
        variants_of(arguments.methods),
        [arguments.data],
        arguments.folder,
        arguments.seeds,
        changes=[{"training": {"epochs": arguments.epochs}}],
    )
    write_text(arguments.out, page(arguments, [one.run for one in experiment.run()]))


def page(arguments: argparse.Namespace, runs: list[Run]) -> str:
    """Return the page: how it was made, then one row per loss."""
    comparison = compare_runs(runs)
    name = open_collection(arguments.data).name
    seconds = sum(run.read_environment()["seconds"] for run in runs)
    recipe = runs[0].read_recipe()
    options = f"--epochs {arguments.epochs} --seeds {arguments.seeds}"
    command = f"python benchmarks/catalogue.py {shlex.quote(Path(arguments.data).name)} {options}"
    lines = [
        f"# Every loss on {name}",
        "",
        f"`{command}`",
        "",
        f"{comparison.test_images} test images; {recipe['backbone']['name']} at {recipe['data']['image_size']} px, "
        f"{arguments.epochs} epochs, seeds 0 to {arguments.seeds - 1}, mean ± standard deviation; everything but head "
        f"and loss as in recipe `{recipe['recipe']['dataset']}`. {hardware()}, {seconds / 60:.0f} minutes in all, "
        f"commit {(git_commit() or 'unknown')[:9]}.",
        "",
        "The budget is short and nothing is tuned, so the table shows that every loss trains and which way it "
        "leans; it is no ranking. `medtail compare` on the same runs gives intervals and paired tests.",
        "",
        "| loss | " + " | ".join(COLUMNS.values()) + " |",
        "| --- |" + " ---: |" * len(COLUMNS),
    ]
    for row in comparison.rows:
        metrics = [f"{row[f'{column}_mean']:.3f} ± {row[f'{column}_sd']:.3f}" for column in COLUMNS]
        lines.append(f"| `{row['method']}` | " + " | ".join(metrics) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

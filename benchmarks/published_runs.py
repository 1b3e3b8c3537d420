"""What the pages in docs/results publish of the runs of a comparison: one CSV row per run, and a table of their means.

    python benchmarks/published_runs.py collect rows.yaml RUNS RESULTS.csv
    python benchmarks/published_runs.py table RESULTS.csv [--from BEGINNING]
    python benchmarks/published_runs.py ranks --set NAME RESULTS.csv BEGINNING [--set …]
    python benchmarks/published_runs.py place ROW --set NAME RESULTS.csv BEGINNING [--set …]

``rows.yaml`` and ``RUNS`` are the ``--variants`` and the ``--out`` of ``medtail compare``. ``collect`` replaces the
rows of runs that the CSV has already and keeps the others. A run whose scores stand for unequal class shares is
followed by the same run with its prior taken out (``, adapted``). ``table`` prints Markdown: mean ± standard
deviation over seeds. ``ranks`` prints balanced accuracy and mean ranks over data sets; labels are compared without
their BEGINNING, and a set takes part with the seeds that all its rows have. Its RESULTS may be several files, joined by
commas. ``place`` prints how one row fares among them.
"""

import argparse
from pathlib import Path

import pandas as pd

from medtail.evaluation.comparison.comparable import JudgedRun
from medtail.evaluation.comparison.free_rival import ADAPTED, with_adapted
from medtail.evaluation.comparison.ranking import rank
from medtail.evaluation.comparison.tables import TextTable
from medtail.experiments.variants import read_variants
from medtail.files import replacing
from medtail.runs.run import Run

#: Columns of the test split, by their keys.
METRICS = ("balanced_accuracy", "lowest_recall", "macro_f1", "accuracy", "auc", "ece", "cov")

#: The columns of the printed table, with their heads.
SHOWN = {
    "balanced_accuracy": "balanced accuracy",
    "lowest_recall": "lowest recall of a class",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "ece": "ECE",
    "validation": "the same on validation",
}


def collect(variants: Path, runs: Path) -> pd.DataFrame:
    """Return one row per finished run and judgement of it."""
    rows = []
    for variant in read_variants(variants):
        for folder in sorted(runs.glob(f"{variant.folder}-seed*")):
            run = Run(folder)
            if run.summary.is_file():
                rows += _rows(run, variant.label)
    return pd.DataFrame(rows)


def _rows(run: Run, label: str) -> list[dict[str, object]]:
    on_test = with_adapted([JudgedRun.read(run, label)])
    on_validation = with_adapted([JudgedRun.read(run, label, "validation")])
    environment = run.read_environment()
    return [
        {
            "row": test.label,
            "seed": test.seed,
            **{metric: f"{test.metrics[metric]:.4f}" for metric in METRICS},
            "validation": f"{validation.metrics['balanced_accuracy']:.4f}",
            # An adapted run is no training of its own.
            "minutes": "" if test.adapted_from else f"{environment['seconds'] / 60:.2f}",
            "parameters": environment["trained_parameters"],
            "commit": str(environment["git_commit"])[:9],
            "date": str(environment["started"])[:10],
        }
        for test, validation in zip(on_test, on_validation, strict=True)
    ]


def merged(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of both, those of ``new`` where both have a run, by label and seed."""
    rows = pd.concat([old, new], ignore_index=True)
    rows["seed"] = rows["seed"].astype(int)
    return rows.drop_duplicates(["row", "seed"], keep="last").sort_values(["row", "seed"])


def table(results: pd.DataFrame) -> str:
    """Return the means over seeds in Markdown, the highest balanced accuracy first."""
    values = results.astype(dict.fromkeys(SHOWN, float)).groupby("row")
    means, deviations, seeds = values[list(SHOWN)].mean(), values[list(SHOWN)].std(), values.size()
    lines = []
    for row in means.sort_values("balanced_accuracy", ascending=False, kind="stable").index:
        cells = [cell(means.at[row, column], deviations.at[row, column]) for column in SHOWN]
        lines.append([str(row), str(seeds[row]), *cells])
    return markdown(["row", "seeds", *SHOWN.values()], lines)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(TextTable("", header, rows).markdown())


def cell(mean: float, deviation: float) -> str:
    """A mean and its deviation; blank where it was not measured, alone where there is one seed."""
    if pd.isna(mean):
        return ""
    return f"{mean:.3f}" if pd.isna(deviation) else f"{mean:.3f} ± {deviation:.3f}"


def means_of(paths: str, beginning: str) -> pd.DataFrame:
    """Return the means of rows that begin so, without the beginning, over the seeds that all of them have."""
    results = pd.concat([pd.read_csv(path) for path in paths.split(",")])
    own = results[results["row"].str.startswith(beginning)]
    rows = own.groupby("seed")["row"].nunique()
    own = own[own["seed"].isin(rows.index[rows == rows.max()])]
    return own.groupby(own["row"].str.removeprefix(beginning))[["balanced_accuracy", "ece"]].mean()


def place(row: str, sets: list[list[str]]) -> str:
    """Return how a row fares against cross-entropy, the best row and all trainings of each data set, in Markdown."""
    lines = []
    for name, paths, beginning in sets:
        means = means_of(paths, beginning)
        values = means["balanced_accuracy"]
        trained = values[~values.index.str.endswith(ADAPTED)]
        above, best = int((trained > values[row]).sum()), str(values.idxmax())
        gain, loss = 100 * (values[row] - values["ce"]), 100 * (values[best] - values[row])
        cells = [f"{values[row]:.3f}", f"{gain:.1f}", f"{loss:.1f} (`{best}`)", f"{above + 1}"]
        lines.append([name, f"{len(trained)}", *cells, f"{means.loc[row, 'ece']:.3f}"])
    heads = ["data", "trainings", row, "over `ce`, points", "below the best row, points", "place", "ECE"]
    return markdown(heads, lines)


def ranks(sets: list[list[str]]) -> str:
    """Return balanced accuracy on every data set, the best mean rank first, in Markdown, and Friedman's test.

    Rows that some set lacks have no rank and stand at the end.
    """
    columns, errors = {}, {}
    for name, paths, beginning in sets:
        means = means_of(paths, beginning)
        columns[name], errors[name] = means["balanced_accuracy"], means["ece"]
    values, calibration = pd.DataFrame(columns), pd.DataFrame(errors)
    ranking = rank(values.dropna())
    mean_ranks = ranking.mean_ranks
    lines = []
    for row in [*mean_ranks.index, *values.index.difference(mean_ranks.index)]:
        cells = [f"{value:.3f}" if pd.notna(value) else "" for value in values.loc[row]]
        mean_rank = f"{mean_ranks[row]:.1f}" if row in mean_ranks.index else ""
        lines.append([str(row), mean_rank, *cells, f"{calibration.loc[row].mean():.3f}"])
    shown = markdown(["method", "mean rank", *values, "mean ECE"], lines)
    critical = f"The critical difference of mean ranks is {ranking.critical_difference:.1f}."
    return "\n".join([shown, "", ranking.sentence, critical])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("variants", type=Path)
    collecting.add_argument("runs", type=Path)
    collecting.add_argument("results", type=Path)
    printing = commands.add_parser("table")
    printing.add_argument("results", type=Path)
    printing.add_argument("--from", dest="beginning", default="", help="only rows that begin so")
    ranking, placing = commands.add_parser("ranks"), commands.add_parser("place")
    placing.add_argument("row")
    for command in (ranking, placing):
        command.add_argument(
            "--set",
            dest="sets",
            nargs=3,
            action="append",
            required=True,
            metavar=("NAME", "RESULTS", "BEGINNING"),
        )
    arguments = parser.parse_args()
    if arguments.command == "collect":
        found = collect(arguments.variants, arguments.runs)
        if arguments.results.exists():
            found = merged(pd.read_csv(arguments.results, dtype=str, keep_default_na=False), found)
        with replacing(arguments.results) as temporary:
            found.to_csv(temporary, index=False)
    elif arguments.command == "ranks":
        print(ranks(arguments.sets))
    elif arguments.command == "place":
        print(place(arguments.row, arguments.sets))
    else:
        published = pd.read_csv(arguments.results)
        print(table(published[published["row"].str.startswith(arguments.beginning)]))

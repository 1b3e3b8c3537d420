"""A table of methods: one row per variant, one column per metric."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, final

from pydantic import AfterValidator, Field

from medtail.evaluation.comparison.significance.paired import paired_t_test
from medtail.experiments.reproductions.data_sets import GivenData
from medtail.experiments.reproductions.kinds.base import Findings, OfVariants, Reached
from medtail.experiments.reproductions.measures import JudgedSplit, check_measure, classes_of, measure
from medtail.experiments.reproductions.plan import PlannedPart
from medtail.naming import listing
from medtail.runs.run import EvaluatedSplit

Measure = Annotated[str, AfterValidator(check_measure)]


@final
class MethodsTable(OfVariants):
    """Rows are variants, columns are measures.

    Attributes:
        columns: From the name of a column to its measure.
        percent: Columns that the paper prints in percent.
        columns_by_part: The columns of parts that have their own.
        split: The split that the paper judges on.
        tested_against: The row that the others are tested against: a paired t-test of balanced accuracy over seeds,
            in the column ``p-value``.
    """

    name: Literal["methods"]
    columns: dict[str, Measure] = Field(default_factory=dict)
    columns_by_part: dict[str, dict[str, Measure]] = Field(default_factory=dict)
    percent: list[str] | Literal["all"] = Field(default_factory=list)
    split: EvaluatedSplit = "test"
    tested_against: str | None = None

    def columns_of(self, part: str) -> Sequence[str]:
        tested = [] if self.tested_against is None else ["p-value"]
        return [*self.columns_by_part.get(part, self.columns), *tested]

    def findings(self, part: PlannedPart) -> Findings:
        judged = {
            row.label: [JudgedSplit(run, self.split) for run in part.runs(row)] for row in part.trained_rows
        }
        columns = self.columns_by_part.get(part.title, self.columns)
        remarks = []
        if part.given is not None and judged:
            first = next(iter(judged.values()))[0]
            empty = _of_other_classes(columns, part.given, first)
            columns = {column: name for column, name in columns.items() if column not in empty}
            if empty:
                remarks.append(
                    f"{part.title}: {listing(empty, most=40)} are empty, because the classes of the data are others: "
                    f"{listing(first.predictions.class_names, most=20)}."
                )
        cells = {
            (label, column): Reached(tuple(self._factor(column) * measure(run, name) for run in runs))
            for label, runs in judged.items()
            for column, name in columns.items()
        }
        if self.tested_against in judged:
            values = {
                label: [measure(run, "balanced_accuracy") for run in runs] for label, runs in judged.items()
            }
            reference = values.pop(self.tested_against)
            for label, own in values.items():
                differences = [one - other for one, other in zip(own, reference, strict=True)]
                cells[label, "p-value"] = Reached((paired_t_test(differences).p,))
        return Findings(cells, remarks=remarks)

    def _factor(self, column: str) -> float:
        return 100.0 if self.percent == "all" or column in self.percent else 1.0


def _of_other_classes(columns: Mapping[str, str], given: GivenData, judged: JudgedSplit) -> list[str]:
    """The columns of classes that the data do not have.

    Data that stand in for others know a class by its name alone: their class 0 is another one.
    """

    def known(names: str) -> bool:
        own = [name for name in names.split("|") if given.stands_in_for is None or not name.isdigit()]
        return given.same_classes and judged.class_id("|".join(own)) is not None

    named = {column: names for column, name in columns.items() if (names := classes_of(name)) is not None}
    return [column for column, names in named.items() if not known(names)]

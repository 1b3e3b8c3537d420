"""The experts of an ensemble one by one: what each of them reaches, and what they reach together."""

from medtail.errors import InputError
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.runs.stored_files import check_numbers, read_csv


def members(evidence: Evidence) -> Section | None:
    """The test metrics of each expert beside those of all; None if the model is no ensemble.

    Raises:
        InputError: A column is missing.
    """
    path = evidence.run.members
    if not path.is_file():
        return None
    metrics = evidence.facts.task.metrics
    table = read_csv(path)
    missing = [name for name in ("split", "member", *metrics) if name not in table]
    if missing:
        raise InputError(
            f"{path} must have all metrics, is missing columns {', '.join(missing)}; restore the file"
        )
    check_numbers(path, table, metrics)
    test = table[table["split"] == "test"]
    return Section(
        "members",
        "One expert and all experts",
        "section_members.html",
        {
            "members": list(test["member"]),
            "rows": [
                (metric.heading, [float(value) for value in test[key]]) for key, metric in metrics.items()
            ],
        },
    )

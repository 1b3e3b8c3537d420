"""The settings in which the rows of a comparison differ."""

from medtail.evaluation.comparison.comparison import Comparison
from medtail.evaluation.comparison.labels import WITHOUT_EFFECT


def recipe_differences(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return each setting that is not the same in all trained rows, with its value in each of them.

    A setting that also differs between the seeds of a row shows all of its values.
    """
    flat: dict[str, list[dict[str, object]]] = {}
    for run in comparison.judged:
        if run.adapted_from is None:
            flat.setdefault(run.label, []).append(run.settings.flat)
    keys = sorted({key for runs in flat.values() for values in runs for key in values} - set(WITHOUT_EFFECT))
    rows = []
    for key in keys:
        values = [
            ", ".join(dict.fromkeys(str(values.get(key, "–")) for values in flat[label]))
            for label in comparison.labels
            if label in flat
        ]
        if len(set(values)) > 1:
            rows.append((key, values))
    return rows

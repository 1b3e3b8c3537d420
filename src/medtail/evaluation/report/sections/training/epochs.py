"""How the training went, epoch by epoch."""

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medtail.evaluation.report.drawing import INK, MUTED, SERIES, draw, shortened
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.report.sections.layout import CLASSES_IN_COLOUR
from medtail.evaluation.summaries.chosen_epoch import MONITORED, chosen_column, chosen_row, monitored_window

_CRITERIA = {
    "validation_balanced_accuracy": "balanced accuracy",
    "validation_auc": "area under ROC",
    "validation_accuracy": "accuracy",
}


def epochs(evidence: Evidence) -> Section:
    """Losses, validation metrics, the learning rate, and the recall of each class where lines can be told apart."""
    table = evidence.epochs
    monitor = evidence.settings.monitor
    window = monitored_window(monitor, evidence.settings.monitor_window)
    best, column = chosen_row(table, monitor, window), MONITORED[monitor]
    chosen = int(table["epoch"].iloc[best])
    # Columns are named after validation, whichever split was watched.
    watched = "test" if evidence.settings.validation == "test" else "validation"
    panels = [
        _lines(
            table,
            "Loss",
            {"training": "train_loss", watched: "validation_loss"},
            chosen,
        ),
        _lines(
            table,
            f"{watched.capitalize()} metrics",
            {
                "balanced accuracy": "validation_balanced_accuracy",
                "area under ROC": "validation_auc",
                "accuracy": "validation_accuracy",
                "macro F1": "validation_macro_f1",
            },
            chosen,
        ),
    ]
    if len(evidence.class_names) <= CLASSES_IN_COLOUR:
        names = [evidence.class_names[index] for index in evidence.from_frequent_to_rare]
        recalls = {name: f"validation_recall_{name}" for name in names}
        panels.append(_lines(table, f"Recall of each class on {watched}", recalls, chosen))
    if evidence.settings.validation == "none":
        # Nothing was judged: only the training loss has a line.
        panels = panels[:1]
    panels.append(_lines(table, "Learning rate", {"learning rate": "learning_rate"}, chosen))
    return Section(
        "training",
        "Training",
        "section_epochs.html",
        {
            "epochs": len(table),
            "chosen": chosen,
            "watched": watched if evidence.settings.validation != "none" else None,
            "criterion": None if column is None else _CRITERIA[column],
            "window": window,
            "value": None if column is None else float(table[chosen_column(monitor, window)].iloc[best]),
            "figures": panels,
            "at_the_end": column is not None and chosen == int(table["epoch"].iloc[-1]) and len(table) > 1,
        },
    )


def _lines(epochs: pd.DataFrame, title: str, columns: dict[str, str], chosen: int) -> Markup:
    known = {label: column for label, column in columns.items() if column in epochs}
    marker = "o" if len(epochs) < 3 else None

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for colour, (label, column) in zip(SERIES, known.items(), strict=False):
            axes.plot(epochs["epoch"], epochs[column], color=colour, label=shortened(label), marker=marker)
        axes.axvline(chosen, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.set_xlim(epochs["epoch"].iloc[0] - 0.5, epochs["epoch"].iloc[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(known) > 1:
            figure.legend(
                loc="outside lower left", ncols=3, labelcolor=INK, handlelength=1.4, columnspacing=1.4
            )

    at_choice = epochs.loc[epochs["epoch"] == chosen].iloc[0]
    values = ", ".join(
        f"{label} {at_choice[column]:.3g}" for label, column in known.items() if pd.notna(at_choice[column])
    )
    return draw(
        paint,
        width=4.8,
        height=3.3,
        description=f"{title} over {len(epochs)} epochs; at epoch {chosen}: {values}",
    )

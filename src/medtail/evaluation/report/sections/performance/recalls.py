"""How well each class is recognised, and how sure that is."""

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from medtail.evaluation.report.drawing import INK, MUTED, SERIES, draw, plain_powers, shortened
from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section
from medtail.evaluation.summaries.frequency_groups import MANY_CLASSES


def recalls(evidence: Evidence) -> Section | None:
    """Recall of each class with Wilson's interval, by training count if there are many; None for labels."""
    if evidence.facts.multi_label:
        return None
    entries: list[dict[str, Any]] = [
        {**evidence.summary["classes"][index], "train": int(evidence.counts("train")[index])}
        for index in evidence.from_frequent_to_rare
    ]
    many = len(entries) >= MANY_CLASSES
    return Section(
        "classes",
        "Recall of each class",
        "section_recalls.html",
        {
            "classes": entries,
            "many": many,
            "groups": _groups(evidence) if many else [],
            "mean": evidence.summary["balanced_accuracy"],
            "grouped_by": evidence.facts.group_column,
            "figure": _against_count(entries, evidence) if many else _one_line_per_class(entries, evidence),
        },
    )


def _groups(evidence: Evidence) -> list[dict[str, Any]]:
    groups = []
    for name, members in evidence.frequency_groups.items():
        known = [
            entry["recall"]
            for entry in (evidence.summary["classes"][index] for index in members)
            if entry["recall"] is not None
        ]
        groups.append(
            {
                "name": name,
                "size": len(members),
                "mean": float(np.mean(known)) if known else None,
                "lowest": min(known, default=None),
                "highest": max(known, default=None),
            }
        )
    return groups


def _one_line_per_class(entries: list[dict[str, Any]], evidence: Evidence) -> Markup:
    tested = [(position, entry) for position, entry in enumerate(entries) if entry["n"]]

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for position, entry in tested:
            low, high = entry["recall_interval"]
            axes.plot(
                [low, high],
                [position, position],
                color=SERIES[0],
                linewidth=5,
                alpha=0.35,
                solid_capstyle="butt",
            )
            axes.plot(entry["recall"], position, "o", color=SERIES[0], markersize=7)
        axes.axvline(evidence.summary["balanced_accuracy"], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "mean", (evidence.summary["balanced_accuracy"], 1), xycoords=("data", "axes fraction"),
            xytext=(0, 3), textcoords="offset points", ha="center", color=MUTED, fontsize=9,
        )  # fmt: skip
        axes.set_yticks(
            range(len(entries)), [f"{shortened(entry['name'])}  (n = {entry['n']})" for entry in entries]
        )
        axes.set_ylim(len(entries) - 0.4, -0.6)
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel(f"recall on {evidence.judged.split}")
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    values = ", ".join(f"{entry['name']} {entry['recall']:.2f}" for _, entry in tested)
    return draw(
        paint,
        width=8,
        height=1.0 + 0.38 * len(entries),
        description=f"Recall with 95 % interval of each class: {values}",
    )


def _against_count(entries: list[dict[str, Any]], evidence: Evidence) -> Markup:
    tested = [entry for entry in entries if entry["n"]]
    counts = np.array([entry["train"] for entry in tested])
    values = np.array([entry["recall"] for entry in tested])
    bounds = np.array([entry["recall_interval"] for entry in tested])
    train = evidence.counts("train")

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        plain_powers(axes.xaxis)
        axes.vlines(counts, bounds[:, 0], bounds[:, 1], color=SERIES[0], alpha=0.25, linewidth=2)
        axes.plot(counts, values, "o", color=SERIES[0], markersize=4.5, alpha=0.9)
        for group in _groups(evidence):
            members = evidence.frequency_groups[group["name"]]
            if group["mean"] is not None:
                ends = [train[members].min(), train[members].max()]
                axes.plot(ends, [group["mean"]] * 2, color=SERIES[1], linewidth=2.4)
                axes.annotate(
                    f"{group['name'].split(' (')[0]}  {group['mean']:.2f}", (np.sqrt(ends[0] * ends[1]), 1.0),
                    xycoords=("data", "axes fraction"), xytext=(0, 4), textcoords="offset points", ha="center",
                    color=INK, fontweight="bold",
                )  # fmt: skip
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("training images of the class (logarithmic)")
        axes.set_ylabel(f"recall on {evidence.judged.split}")

    means = ", ".join(
        f"{group['name']}: {group['mean']:.2f}" for group in _groups(evidence) if group["mean"] is not None
    )
    return draw(
        paint,
        width=9,
        height=4,
        description=f"Recall of {len(tested)} classes against their training images. Means: {means}",
    )

"""``medtail inspect``: what is wrong with a data set, and what to try first."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medtail.cli.data_options import (
    Classes,
    GroupColumn,
    ImageColumn,
    LabelColumn,
    LabelSeparator,
    Merge,
    Negative,
    SplitColumn,
    parse_classes,
    parse_merge,
)
from medtail.cli.label_errors import inspect_run
from medtail.cli.tables import reason_lines
from medtail.cli.wording import in_options
from medtail.errors import InputError
from medtail.naming import listing

if TYPE_CHECKING:
    from medtail.inspection.audit import Audit
    from medtail.inspection.copies import Copies


def inspect(
    data: Annotated[
        str,
        typer.Argument(
            help="Folder of class folders, table with images, .npz, or MedMNIST or built-in name; or a run."
        ),
    ],
    classes: Classes = None,
    merge: Merge = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    split_column: SplitColumn = None,
    label_separator: LabelSeparator = None,
    positive: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Inspect this class (or a+b) against the rest.")
    ] = None,
    negative: Negative = None,
    max_pixels: Annotated[
        int,
        typer.Option(
            metavar="N",
            envvar="MEDTAIL_MAX_PIXELS",
            help="Report larger images as unreadable, without decoding them.",
        ),
    ] = 80_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    write_groups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Write a table in which images that show the same share a group."
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with code 1 if something is wrong, and say what on stderr."),
    ] = False,
) -> None:
    """Count classes, sizes and unreadable files; find shared patients and repeated images; suggest a recipe.

    Of a run, or a cross-validation: list the images whose label its predictions doubt, with a table and a page.
    """
    from medtail.cli.progress import progress_bar
    from medtail.data import TableColumns, choose_classes, open_collection, positive_versus_rest
    from medtail.inspection.audit import audit
    from medtail.runs.run import Run

    if Run(Path(data)).recipe.is_file():
        given = {
            "--classes": classes,
            "--merge": merge,
            "--image-column": image_column,
            "--label-column": label_column,
            "--group-column": group_column,
            "--split-column": split_column,
            "--label-separator": label_separator,
            "--positive": positive,
            "--negative": negative,
            "--write-groups": write_groups,
        }
        of_data = [option for option, value in given.items() if value is not None]
        inspect_run(Run(Path(data)), of_data, as_json=as_json, strict=strict)
        return
    if negative is not None and positive is None:
        raise InputError("--negative goes with --positive, which is missing; name the positive class as well")
    columns = TableColumns(image_column, label_column, group_column, split_column, label_separator)
    collection = open_collection(data, columns=columns, max_pixels=max_pixels)
    collection = choose_classes(collection, parse_classes(classes), parse_merge(merge))
    if positive is not None:
        collection = positive_versus_rest(collection, positive, negative)
    with progress_bar() as progress:
        findings = audit(collection, progress=progress)
    if write_groups is not None:
        from medtail.inspection.groups_file import write_groups as write

        write(collection, findings.groups, write_groups)
    if as_json:
        typer.echo(json.dumps(findings.to_dict(), indent=2, ensure_ascii=False))
    else:
        for line in lines(findings):
            typer.echo(line)
    if strict and findings.problems:
        for problem in findings.problems:
            typer.echo(f"wrong: {problem}", err=True)
        raise typer.Exit(1)


def lines(findings: "Audit") -> list[str]:
    """The findings as text."""
    ratio, column = findings.imbalance_ratio, findings.group_column
    groups = "unknown" if column is None else f"{findings.num_groups} by {column}"
    return [
        f"{findings.name}: {findings.num_images} images of {len(findings.class_names)} classes",
        "",
        *_count_lines(findings),
        "",
        *_several_labels_lines(findings),
        f"imbalance ratio: {'undefined' if ratio is None else f'{ratio:.4g}'}",
        f"sizes: {_tally(findings.sizes)}",
        f"pixel formats: {_tally(findings.modes)}",
        f"channels: {_tally(findings.channels)}",
        f"groups: {groups}",
        *_trouble_lines(findings),
        *_section("label told by things beside the picture", [clue.text for clue in findings.shortcuts]),
        *_section("wrong", findings.problems),
        *_section("worth knowing", [in_options(line, {}) for line in findings.warnings]),
        *_suggestion_lines(findings),
    ]


def _count_lines(findings: "Audit") -> list[str]:
    width = max(len("total"), *(len(name) for name in findings.class_names))
    columns = list(findings.counts)
    images = {} if findings.several_labels is None else findings.several_labels.images

    def row(name: str, cells: Iterable[object]) -> str:
        return " ".join([f"{name:<{width}}", *(f"{cell:>10}" for cell in cells)])

    return [
        row("class", columns),
        *(
            row(name, (findings.counts[column][target] for column in columns))
            for target, name in enumerate(findings.class_names)
        ),
        row("total", (images.get(column, sum(findings.counts[column])) for column in columns)),
    ]


def _several_labels_lines(findings: "Audit") -> list[str]:
    several = findings.several_labels
    if several is None:
        return []
    return [f"labels per image: {several.mean:.2f} on average, {several.without} images carry none"]


def _trouble_lines(findings: "Audit") -> list[str]:
    exact, near = findings.duplicates, findings.near_duplicates
    return [
        *_section("unreadable images", [f"{image.id} {image.reason}" for image in findings.unreadable]),
        *_section("images of one colour", findings.constant),
        *_section("groups in several splits", findings.crossing_groups),
        *_section("images repeated across splits", _texts(exact, crossing=True)),
        *_section("images repeated, no split crossed", _texts(exact, crossing=False)),
        *_section("images that look the same across splits", _texts(near, crossing=True)),
        *_section("images that look the same, no split crossed", _texts(near, crossing=False)),
        *_section(
            "images repeated with different labels",
            [f"{copies.text}: {listing(copies.labels)}" for copies in findings.label_conflicts],
        ),
    ]


def _suggestion_lines(findings: "Audit") -> list[str]:
    suggestion = findings.suggestion
    if suggestion is None:
        return []
    return [
        "",
        f"try first: medtail train {findings.data} --out RUN "
        f"(method {suggestion.method}, recipe {suggestion.recipe})",
        *reason_lines(suggestion),
    ]


def _texts(copies: "Sequence[Copies]", *, crossing: bool) -> list[str]:
    return [one.text for one in copies if one.crosses_splits == crossing]


def _tally(counts: Mapping[str, int]) -> str:
    return listing((f"{name} ({count})" for name, count in counts.items()), most=5) or "none"


def _section(title: str, entries: Sequence[str], most: int = 10) -> list[str]:
    shown = [f"  {entry}" for entry in entries[:most]]
    rest = [f"  and {len(entries) - most} more (--json lists all)"] if len(entries) > most else []
    return [f"{title}: {len(entries)}", *shown, *rest]

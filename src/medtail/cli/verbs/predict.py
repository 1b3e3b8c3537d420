"""``medtail predict``: probabilities and decisions for new images."""

from pathlib import Path
from typing import Annotated

import typer

from medtail.cli.options import Combine, HeatMap, OperatingPointFile, TestTimeAugmentation
from medtail.errors import InputError
from medtail.naming import one_line


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, or of a cross-validation.")],
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Images, folders of images, or tables of cases of several sequences; and more runs, which predict "
            "together with the first."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; by default the table is printed.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of --out and pictures in --explain.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an --out that was stopped, with the same run and images."),
    ] = False,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read, and name them.")
    ] = False,
    operating_point: Annotated[
        bool, typer.Option("--operating-point", help="Decide as medtail adapt chose.")
    ] = False,
    combine: Combine = None,
    test_time_augmentation: TestTimeAugmentation = None,
    operating_point_file: OperatingPointFile = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also write a picture per image: heat maps of what its decision rests on."
        ),
    ] = None,
    heat_map: HeatMap = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            metavar="N", envvar="MEDTAIL_MAX_PIXELS", help="Refuse larger images; as in training if left out."
        ),
    ] = None,
) -> None:
    """Print one line per image: its path, the decision (for each label, if multi-label), and the probabilities.

    Several runs, the folds of a cross-validation, or several views of each image give the mean of their probabilities,
    and the table says how far they differ. Names that a spreadsheet would run as a formula (=, +, - or @ first) stand
    behind an apostrophe in CSV.
    """
    from medtail.cli.ensembles import asked_point
    from medtail.cli.options import are_runs, check_heat_map, check_output, check_picture_folder
    from medtail.cli.progress import progress_bar
    from medtail.inference.loading import assemble
    from medtail.inference.members import members_of
    from medtail.inference.new_images import image_files
    from medtail.inference.prediction_file import PredictionFile, predictions_csv
    from medtail.runs.facts import DatasetFacts
    from medtail.training.inference.typicality import UNLIKE

    more = are_runs(paths)
    images = [path for path in paths if path not in more]
    if not images:
        raise InputError(
            f"predict needs images besides runs, got {', '.join(map(str, more))}; name files or folders"
        )
    runs = members_of([run, *more])
    point = asked_point(runs, operating_point, operating_point_file, test_time_augmentation)
    if resume and out is None:
        raise InputError("--resume continues the file of --out, which is missing; give both")
    taken: list[str | Path] = [*(DatasetFacts.load(one).data for one in runs), *images]
    if out is not None:
        check_output(out, overwrite=overwrite, data=taken)
    explained = None
    check_heat_map(heat_map, explains=explain is not None)
    if explain is not None:
        from medtail.training.explanation.explained_images import ExplainedImages
        from medtail.training.explanation.heat_maps import GRAD_CAM

        check_picture_folder(explain, filled=overwrite or resume, data=taken)
        explained = ExplainedImages(explain, heat_map or GRAD_CAM)
    classifier = assemble(runs, combine=combine, test_time_augmentation=test_time_augmentation)
    classifier = classifier.deciding_by(point)
    file = None if out is None else PredictionFile(out, classifier.identity, resume=resume)
    skipped: list[str] = []
    written = unlike = 0
    with progress_bar() as progress:
        parts = classifier.in_parts(
            image_files(classifier.facts, images),
            done=file.images if file else (),
            skip_unreadable=skip_unreadable,
            max_pixels=max_pixels,
            unreadable=skipped,
            explained=explained,
            progress=progress,
        )
        for number, table in enumerate(parts):
            written += len(table)
            if "atypicality" in table:
                unlike += int((table["atypicality"] >= UNLIKE).sum())
            if file is None:
                typer.echo(predictions_csv(table, header=number == 0), nl=False)
            else:
                file.append(table)
    if classifier.words is not None:
        typer.echo(f"note: {classifier.words}", err=True)
    if unlike > 2 * (1 - UNLIKE) * written:
        typer.echo(
            f"note: {unlike} of {written} images are unlike the validation images of the run (atypicality from "
            f"{UNLIKE:g} on); see whether they are of the kind that it was made for",
            err=True,
        )
    if explain is not None:
        typer.echo(f"{written} pictures: {explain}", err=True)
    for reason in skipped:
        typer.echo(f"left out: {one_line(reason)}", err=True)
    if file is not None:
        written = file.finish()
        typer.echo(f"{written} images: {out}" + (f", {len(skipped)} left out" if skipped else ""), err=True)

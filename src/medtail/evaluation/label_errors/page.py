"""Doubted labels as a table and as a page with the images."""

from collections import Counter
from pathlib import Path

from medtail.evaluation.label_errors.doubts import Doubt, LabelDoubts
from medtail.evaluation.report.embedded_pictures import SMALL, data_url
from medtail.evaluation.report.evidence import ReadImage
from medtail.evaluation.report.page import Section, render_page
from medtail.files import replacing, with_cells, write_text
from medtail.runs.run import Run

#: Images that are shown, and the pixels along their longer side.
_SHOWN, _LARGEST = 120, 256


def write_label_errors(run: Run, found: LabelDoubts, read_image: ReadImage | None = None) -> Path:
    """Write ``label_errors.csv`` and ``label_errors.html`` into a run.

    Args:
        run: The run that was judged.
        found: From :func:`medtail.evaluation.label_errors.doubts.doubted_labels`.
        read_image: From the id of an image to its pixels; without it the page says that images were not at hand.

    Returns:
        The path of the page.
    """
    with replacing(run.label_errors) as temporary:
        with_cells(found.table).to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    path = run.label_errors.with_suffix(".html")
    judged = len(found.predictions.ids)
    source = "out-of-fold predictions" if found.out_of_fold else "predictions of validation and test"
    page = render_page(
        f"Labels in doubt: {run.folder.name}",
        f"{len(found.doubts)} labels of {judged} images, by {source}",
        [_overview(found), _images(found, read_image), _table(found)],
    )
    write_text(path, page)
    return path


def _overview(found: LabelDoubts) -> Section:
    pairs = Counter((doubt.label, doubt.suggestion) for doubt in found.doubts)
    content = {
        "out_of_fold": found.out_of_fold,
        "judged": len(found.predictions.ids),
        "doubted": len(found.doubts),
        "pairs": [(*pair, count) for pair, count in pairs.most_common(20)],
        "rest": max(0, len(pairs) - 20),
    }
    return Section("overview", "In short", "label_errors_overview.html", content)


def _images(found: LabelDoubts, read_image: ReadImage | None) -> Section:
    shown = [] if read_image is None else [_shown(doubt, read_image) for doubt in found.doubts[:_SHOWN]]
    content = {"at_hand": read_image is not None, "images": shown, "doubted": len(found.doubts)}
    return Section("images", "Images", "label_errors_images.html", content)


def _shown(doubt: Doubt, read_image: ReadImage) -> dict[str, object]:
    pixels = read_image(doubt.image)
    return {"source": data_url(pixels, _LARGEST), "small": max(pixels.shape[:2]) <= SMALL, "doubt": doubt}


def _table(found: LabelDoubts) -> Section:
    return Section("table", "All of them", "label_errors_table.html", {"doubts": found.doubts})

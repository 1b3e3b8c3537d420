"""The pictures of gallery.md: `python docs/gallery.py FOLDER` trains on digits-lt in FOLDER and photographs the pages.

It needs Playwright and Chromium and takes some minutes on two cores; what FOLDER holds already is not trained again.
"""

import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from medtail.cli import app

PICTURES = Path(__file__).with_name("gallery")

#: What is shown: file, page, part of it.
SHOWN = (
    ("overview", "dal-seed0/report.html", "#short"),
    ("recalls", "dal-seed0/report.html", "#classes"),
    ("confusion", "dal-seed0/report.html", "#confusion"),
    ("curves", "dal-seed0/report.html", "#curves"),
    ("calibration", "dal-seed0/report.html", "#calibration"),
    ("angles", "dal-seed0/report.html", "#angles"),
    ("mistakes", "dal-seed0/report.html", "#gallery"),
    ("operating_point", "dal-seed0/report.html", "#operating-point"),
    ("comparison", "comparison.html", "#methods"),
    ("explorer", "explorer.html", "body"),
)

#: Pixels of a picture; a part that is taller is cut, since the gallery says how to see the whole.
WIDTH, HEIGHT = 900, 760

#: The explorer stands in two columns where there is room.
WIDE = 1400


def run(*arguments: object) -> None:
    """Run ``medtail ARGUMENTS``."""
    app([str(argument) for argument in arguments], standalone_mode=False)


def make(folder: Path) -> None:
    """Train, compare, adapt and write the explorer."""
    run(
        "compare",
        "digits-lt",
        "--methods",
        "ce,dal",
        "--seeds",
        2,
        "--epochs",
        15,
        "--jobs",
        1,
        "--out",
        folder,
    )
    run("adapt", folder / "dal-seed0", "--balanced-accuracy")
    explorer = folder / "explorer.html"
    explorer.unlink(missing_ok=True)
    run("explore", folder / "dal-seed0", "--out", explorer)


def photograph(window: Page, page: Path, part: str, picture: Path) -> None:
    """Save a part of a page in at most 64 colours."""
    width = WIDE if part == "body" else WIDTH
    window.set_viewport_size({"width": width, "height": HEIGHT})
    window.goto(page.resolve().as_uri())
    box = window.locator(part).first.bounding_box()
    assert box is not None, f"{page} has no {part}"
    clip = {"x": 0, "y": box["y"], "width": width, "height": min(HEIGHT, box["height"])}
    window.screenshot(path=picture, full_page=True, clip=clip)
    with Image.open(picture) as shot:
        shot.convert("RGB").quantize(64).save(picture, optimize=True)


def main() -> None:
    """Make all pictures."""
    folder = Path(sys.argv[1])
    make(folder)
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        window = browser.new_page()
        for name, page, part in SHOWN:
            photograph(window, folder / page, part, PICTURES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()

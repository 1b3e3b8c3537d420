"""The code of the pages runs: every Python block alone, and every command is one that medtail has.

A block that cannot run follows a comment ``<!-- not run: REASON -->``, and one that needs packages which
medtail does not ``<!-- needs: PACKAGE, PACKAGE -->``.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from medtail.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<kind>not run|needs): (?P<reason>[^>]+) -->\n+ *)?"
    r"```(?P<language>\w+)\n(?P<code>.*?)^ *```",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    number: int
    language: str
    code: str
    not_run: str | None
    needs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}#{self.number}"


def blocks(page: Path) -> list[Block]:
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [
        Block(
            str(page.relative_to(ROOT)),
            number,
            match["language"],
            re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE),
            match["reason"] if match["kind"] == "not run" else None,
            tuple(match["reason"].split(", ")) if match["kind"] == "needs" else (),
        )
        for number, match in enumerate(found)
    ]


def commands(page: Path) -> list[str]:
    """The commands of a page's indented and fenced blocks, without what wraps them."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^ {4,}(?:\.venv/bin/)?(medtail [^|>\n]*)", text, flags=re.MULTILINE)


BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "python"]
COMMANDS = [(str(page.relative_to(ROOT)), command) for page in PAGES for command in commands(page)]


@pytest.fixture(scope="module")
def folder_with_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where ``runs/ce`` and ``runs/dal`` are short trainings on digits."""
    from medtail.data import open_collection
    from medtail.recipes.choose_recipe import choose_recipe
    from medtail.runs.run import Run
    from medtail.training import train

    folder = tmp_path_factory.mktemp("pages")
    collection = open_collection("digits-lt")
    for method in ("ce", "dal"):
        recipe = choose_recipe(collection, method, None, [{"training": {"epochs": 1}}])
        train(collection, recipe, Run(folder / "runs" / method))
    return folder


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_python_blocks_run_alone(
    block: Block, folder_with_runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if block.not_run is not None:
        pytest.skip(f"{block}: {block.not_run}")
    for package in block.needs:
        pytest.importorskip(package)
    (tmp_path / "runs").symlink_to(folder_with_runs / "runs", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    exec(compile(block.code, str(block), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_exist(page: str, command: str) -> None:
    verb, *arguments = shlex.split(command, comments=True)[1:] or [""]
    # [option] and … stand for what the reader adds.
    arguments = [argument.strip("[]") for argument in arguments if argument not in ("…", "...")]
    group: Any = typer.main.get_command(app)
    command_of: Any = group.commands.get(verb)
    if verb.startswith("-"):
        command_of, arguments = group, [verb, *arguments]
    assert command_of is not None, f"{page}: medtail has no {verb}"
    # The parser refuses options that are not there.
    command_of.make_parser(command_of.context_class(command_of)).parse_args(args=arguments)


def test_most_blocks_run() -> None:
    assert len(BLOCKS) > 15
    assert sum(block.not_run is None for block in BLOCKS) > 0.8 * len(BLOCKS)
    assert len(COMMANDS) > 50

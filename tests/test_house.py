"""The order of the house: what the library leaves to the command line, and what no module does."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import medtail
from medtail import methods

SOURCE = Path(medtail.__file__).parent
LIBRARY = [
    path for path in SOURCE.rglob("*") if path.suffix in (".py", ".yaml", ".html") and "cli" not in path.parts
]

#: Not the custom properties of style sheets, ``--share: 1%`` and ``var(--share)``.
OPTION = re.compile(r"(?<![\w(-])--[a-z][\w-]*\b(?!:)")


def places(found: Callable[[ast.AST], bool]) -> list[str]:
    """The lines of the library at which a part of the syntax tree is found."""

    def lines(path: Path) -> Iterator[str]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if found(node):
                yield f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', '?')}"

    return [line for path in LIBRARY if path.suffix == ".py" for line in lines(path)]


def is_call_of(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function


def test_the_library_names_no_options() -> None:
    named = [
        f"{path.relative_to(SOURCE)}:{number}: {option}"
        for path in LIBRARY
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for option in OPTION.findall(line)
    ]
    assert named == []


def test_the_library_does_not_print() -> None:
    assert places(lambda node: is_call_of(node, "print")) == []


def test_the_library_does_not_import_typer() -> None:
    def imports_typer(node: ast.AST) -> bool:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        return "typer" in names or (isinstance(node, ast.ImportFrom) and node.module == "typer")

    assert places(imports_typer) == []


def test_no_signature_is_overwritten() -> None:
    def overwrites(node: ast.AST) -> bool:
        stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        return stored and node.attr == "__signature__"

    assert places(overwrites) == []


def kinds_of(kind: type) -> Iterator[str]:
    """The name of a class and of every class below it."""
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from kinds_of(below)


def test_a_method_is_asked_what_it_can_do_and_not_what_it_is() -> None:
    names = set(kinds_of(methods.Method))

    def asks(node: ast.AST) -> bool:
        if not is_call_of(node, "isinstance"):
            return False
        asked = ast.walk(node.args[1])
        return any(getattr(part, "id", getattr(part, "attr", None)) in names for part in asked)

    assert {"Method", "Supervised", "LossConditional"} <= names
    assert places(asks) == []


def test_no_folder_holds_more_than_twelve_modules() -> None:
    modules = [path for path in SOURCE.rglob("*.py") if path.name != "__init__.py"]
    counts = Counter(str(path.parent.relative_to(SOURCE)) for path in modules)
    assert {folder: count for folder, count in counts.items() if count > 12} == {}

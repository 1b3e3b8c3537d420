"""The command line: one small module per verb. Nothing heavy is imported before a verb runs."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import typer

from medtail import __version__
from medtail.cli.adapt import adapt
from medtail.cli.compare import compare
from medtail.cli.evaluate import evaluate
from medtail.cli.inspect import inspect
from medtail.cli.list import list_names
from medtail.cli.predict import predict
from medtail.cli.train import train
from medtail.cli.wording import in_options
from medtail.errors import InputError

app = typer.Typer(
    name="medtail",
    help="Image classification when the classes are imbalanced and the rare ones matter most.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("inspect")(inspect)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("adapt")(adapt)
app.command("predict")(predict)
app.command("list")(list_names)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medtail {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; bad input is one sentence on stderr and exit code 2."""
    warnings.formatwarning = _one_line
    # Images that are too large are refused by our own limit, max_pixels, which says what to do.
    warnings.filterwarnings("ignore", message=".*could be decompression bomb", category=RuntimeWarning)
    try:
        with _shown_log():
            app()
    except InputError as error:
        _stop(f"error: {in_options(str(error), _options_by_parameter())}", 2)
    except BrokenPipeError:
        # The reader of a pipe, such as head, has seen enough. Nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        _stop(f"error: cannot use{place}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        _stop("stopped; what was finished is kept, a run goes on with train … --resume", 130)


@contextmanager
def _shown_log() -> Iterator[None]:
    """Print what the library reports, line by line, on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_InOptions("%(message)s"))
    logger = logging.getLogger("medtail")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@final
class _InOptions(logging.Formatter):
    """Words reports as the command line does."""

    def format(self, record: logging.LogRecord) -> str:
        return in_options(super().format(record), _options_by_parameter())


def _options_by_parameter() -> dict[str, str]:
    """From the name of a parameter to its option, of the command that runs or else of another."""
    commands = typer.main.get_group(app).commands
    running = next((word for word in sys.argv[1:] if word in commands), None)
    return {
        str(parameter.name): parameter.opts[0]
        if parameter.opts[0].startswith("--")
        else str(parameter.name).upper()
        for name in sorted(commands, key=lambda name: name == running)
        for parameter in commands[name].params
    }


def _one_line(message: Warning | str, *_: object, **__: object) -> str:
    """A warning without the line of our source that Python would add."""
    return f"warning: {in_options(str(message), _options_by_parameter())}\n"


def _stop(sentence: str, code: int) -> None:
    print(sentence, file=sys.stderr)
    sys.exit(code)

"""The command line: one small module per verb. Nothing heavy is imported before a verb runs."""

import errno
import io
import logging
import os
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TextIO, final

import typer

from medtail import __version__
from medtail.cli.verbs.adapt import adapt
from medtail.cli.verbs.compare import compare
from medtail.cli.verbs.evaluate import evaluate
from medtail.cli.verbs.explore import explore
from medtail.cli.verbs.export import export
from medtail.cli.verbs.inspect import inspect
from medtail.cli.verbs.list import list_names
from medtail.cli.verbs.predict import predict
from medtail.cli.verbs.reproduce import reproduce
from medtail.cli.verbs.serve import serve
from medtail.cli.verbs.train import train
from medtail.cli.verbs.tune import tune
from medtail.cli.wording import in_options
from medtail.errors import InputError, TerminatedError
from medtail.naming import one_line

app = typer.Typer(
    name="medtail",
    help="Image classification when the classes are imbalanced and the rare ones matter most.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    # Plain help: typer's panels import Rich's Markdown, which takes as long as all the rest.
    rich_markup_mode=None,
)
app.command("inspect")(inspect)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("tune")(tune)
app.command("adapt")(adapt)
app.command("predict")(predict)
app.command("export")(export)
app.command("reproduce")(reproduce)
app.command("serve")(serve)
app.command("explore")(explore)
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
    max_pixels: int | None = typer.Option(
        None,
        "--max-pixels",
        min=1,
        envvar="MEDTAIL_MAX_PIXELS",
        help="Refuse images with more pixels, slices and samples counted.",
    ),
    max_unpacked: int | None = typer.Option(
        None,
        "--max-unpacked",
        min=1,
        envvar="MEDTAIL_MAX_UNPACKED",
        help="Refuse archives that unpack to more bytes, if these are over 100 times their size.",
    ),
) -> None:
    # Variables, so that the processes of several devices have the same limits.
    for variable, limit in (("MEDTAIL_MAX_PIXELS", max_pixels), ("MEDTAIL_MAX_UNPACKED", max_unpacked)):
        if limit is not None:
            os.environ[variable] = str(limit)


def main() -> None:
    """Run the command line; bad input is one sentence on stderr and exit code 2.

    Any other error is a bug: one sentence with the path of a file that holds the traceback, and exit code 1.
    """
    warnings.formatwarning = _one_line
    # Images that are too large are refused by our own limit, max_pixels, which says what to do.
    warnings.filterwarnings("ignore", message=".*could be decompression bomb", category=RuntimeWarning)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show is escaped, not an error.
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        _refuse_empty(sys.argv[1:])
        with _shown_log():
            app()
    except InputError as error:
        _stop(f"error: {in_options(str(error), _options_by_parameter())}", 2)
    except BrokenPipeError:
        # The reader of a pipe, such as head, has seen enough. Nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _stop(_about_files(error), 2)
    except KeyboardInterrupt:
        _stop(
            "stopped; what was finished is kept, and the same command continues it (train with --resume)", 130
        )
    except TerminatedError as error:
        _stop(
            "terminated; finished epochs are kept, and the same command continues them (train with --resume)",
            int(str(error.code)),
        )
    except Exception as error:
        _stop(_about_memory(error) or _about_a_bug(error), 2 if _about_memory(error) else 1)


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse empty arguments and values: as paths they would be the current folder, whatever it holds.

    Raises:
        InputError: There is one.
    """
    for place, word in enumerate(words):
        if not word or (word.startswith("--") and word.endswith("=") and word.count("=") == 1):
            what = word.removesuffix("=") or (
                f"what follows {words[place - 1]}" if place else "the first argument"
            )
            raise InputError(
                f"{what} must not be empty; give a value, or leave it out (a variable of the shell may be unset)"
            )


def _terminate(number: int, frame: FrameType | None) -> None:
    raise TerminatedError


def _about_files(error: OSError) -> str:
    place = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"error: no space is left on the disk of{place or ' the output'}; free some, then continue (a run with "
            f"train … --resume)"
        )
    return f"error: cannot use{place}: {error.strerror or error}"


def _about_memory(error: Exception) -> str | None:
    """What to do where memory is exhausted, which PyTorch reports in several ways; None for other errors."""
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return (
            "error: memory is exhausted; lower --batch-size, --image-size or the size of the model, or keep decoded "
            "pixels on disk with --set data.cache=always"
        )
    return None


def _about_a_bug(error: Exception) -> str:
    """One sentence with the file that holds the traceback."""
    what = f"{type(error).__name__}: {error}"[:200]
    try:
        handle, path = tempfile.mkstemp(prefix="medtail-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"medtail {__version__}, {sys.argv}\n\n")
            traceback.print_exception(error, file=file)
    except OSError:
        return f"error: this is a bug in medtail ({what}); please report it with the command"
    return f"error: this is a bug in medtail ({what}); please report it with the details in {path}"


@contextmanager
def _shown_log() -> Iterator[None]:
    """Print what the library reports, line by line, on stderr."""
    handler = _OnStderr()
    handler.setFormatter(_InOptions("%(message)s"))
    logger = logging.getLogger("medtail")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@final
class _OnStderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at the time: a live progress bar puts itself in its place, and lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr)
        super().emit(record)


@final
class _InOptions(logging.Formatter):
    """Words reports as the command line does."""

    def format(self, record: logging.LogRecord) -> str:
        return one_line(in_options(super().format(record), _options_by_parameter()))


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
    return f"warning: {one_line(in_options(str(message), _options_by_parameter()))}\n"


def _stop(sentence: str, code: int) -> None:
    print(one_line(sentence), file=sys.stderr)
    sys.exit(code)

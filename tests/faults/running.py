"""Running the command line in this process on broken, hostile and unlucky input, and judging what it did."""

import contextlib
import io
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import medtail.cli

#: Seconds after which a run hangs, on a machine that does other things too.
PATIENCE = 60

#: Bytes of address space that a refusal may take beside what is loaded already.
ROOM = 3 * 2**30


class HangError(BaseException):
    """The watchdog's patience is at its end. No ``Exception``, so that nothing handles it."""


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        code: Exit code, or None where it hung or an exception escaped.
        output: What it printed on standard output.
        errors: What it printed on standard error.
        seconds: How long it took.
        escaped: The traceback of an exception that left ``main``.
    """

    code: int | None
    output: str
    errors: str
    seconds: float
    escaped: str = ""

    @property
    def kind(self) -> str:
        """Refused, accepted, traceback, hang or wrong (a refusal that is not one sentence)."""
        if self.escaped == "hang":
            return "hang"
        if self.escaped or "Traceback" in self.errors or self.code in (None, 1):
            return "traceback"
        if self.code == 0:
            return "accepted"
        sentences = [line for line in self.errors.splitlines() if line.startswith("error: ")]
        usage = "Usage: " in self.errors and "Error" in self.errors
        return "refused" if self.code == 2 and (len(sentences) == 1 or usage) else "wrong"


@dataclass(frozen=True)
class Fault:
    """One input.

    Attributes:
        name: What is wrong with it.
        arguments: Of the command line.
        prepare: Makes the input; nothing by default.
        accepts: Whether the outcome of a command that accepts it is right; None where it must refuse.
        sentence: A part of the sentence that must be said.
    """

    name: str
    arguments: tuple[object, ...]
    prepare: Callable[[], object] = lambda: None
    accepts: Callable[[Outcome], bool] | None = None
    sentence: str = ""


@dataclass
class Counts:
    """The counts of a campaign, in the form of docs/results/faults.md."""

    runs: int = 0
    refused: int = 0
    accepted: int = 0
    traceback: int = 0
    wrong: int = 0
    hang: int = 0
    failures: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        """One row of the table."""
        numbers = (self.runs, self.refused, self.accepted, self.traceback, self.wrong, self.hang)
        return f"| {name} | {' | '.join(map(str, numbers))} |"


def run(arguments: tuple[object, ...], patience: float = PATIENCE) -> Outcome:
    """Run ``medtail ARGUMENTS`` in this process."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    before = sys.argv, signal.getsignal(signal.SIGTERM), resource.getrlimit(resource.RLIMIT_AS)
    code: int | None = None
    escaped = ""
    started = time.monotonic()
    sys.argv = ["medtail", *map(str, arguments)]
    with _limited(patience), contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            medtail.cli.main()
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        except HangError:
            escaped = "hang"
        except BaseException:
            escaped = traceback.format_exc()
    sys.argv = before[0]
    signal.signal(signal.SIGTERM, before[1])
    texts = [stream.buffer.getvalue().decode(errors="replace") for stream in streams]
    return Outcome(code, *texts, time.monotonic() - started, escaped)


@contextlib.contextmanager
def _limited(patience: float) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise HangError

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, patience)
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def judged(fault: Fault) -> tuple[str, Outcome]:
    """Return what became of one input: refused, accepted, traceback, hang or wrong."""
    fault.prepare()
    outcome = run(fault.arguments)
    kind = outcome.kind
    if kind == "accepted" and not (fault.accepts and fault.accepts(outcome)):
        kind = "wrong"
    if kind == "refused" and (
        fault.sentence not in outcome.errors or "memory is exhausted" in outcome.errors
    ):
        kind = "wrong"
    return kind, outcome


def campaign(faults: Iterator[Fault], report: Callable[[str], object] = lambda text: None) -> Counts:
    """Run every input and count."""
    counts = Counts()
    for fault in faults:
        kind, outcome = judged(fault)
        counts.runs += 1
        setattr(counts, kind, getattr(counts, kind) + 1)
        if kind in ("traceback", "wrong", "hang"):
            said = (outcome.escaped or outcome.errors or outcome.output).strip().splitlines()[-3:]
            counts.failures.append(
                f"{kind}: {fault.name}: medtail {' '.join(map(str, fault.arguments))}: {said}"
            )
            report(counts.failures[-1])
    return counts

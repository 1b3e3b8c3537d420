"""A run folder belongs to one writer at a time."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from medtail.errors import InputError
from medtail.runs.run import Run

#: Folders this process claims: a lock is between processes, and a process is never kept out by its own.
_OURS: set[Path] = set()


@contextmanager
def claimed(run: Run) -> Iterator[None]:
    """Claim a run folder, which is made if it is missing, for as long as the block runs.

    The operating system releases the claim when its process ends, however it ends, so the claim of a dead process is
    simply taken over. A folder that is still empty at the end is removed again.

    Raises:
        InputError: Another process claims it; the message names its number, its machine and when it began.
    """
    created = [place for place in (run.folder, *run.folder.parents) if not place.exists()]
    run.folder.mkdir(parents=True, exist_ok=True)
    key = run.folder.resolve()
    if key in _OURS:
        raise _taken(run)
    _OURS.add(key)
    try:
        file = _locked(run)
        try:
            file.write(json.dumps(_owner()) + "\n")
            file.flush()
            yield
        finally:
            # Removed while the lock is held, so that nobody's claim but our own is removed.
            run.claim.unlink(missing_ok=True)
            file.close()
    finally:
        _OURS.discard(key)
        for place in created:
            with suppress(OSError):
                place.rmdir()


def _owner() -> dict[str, object]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": now}


def _locked(run: Run) -> IO[str]:
    """The claim file of a run, open and locked by this process."""
    while True:
        file = run.claim.open("a+", encoding="utf-8")
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows: two processes are not kept apart.
            return file
        try:
            # Not flock: worker processes would inherit it, and hold it for a while after their parent was killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise _taken(run) from error
        # The owner before us may have removed the file after we opened it.
        with suppress(FileNotFoundError):
            if os.fstat(file.fileno()).st_ino == run.claim.stat().st_ino:
                file.truncate(0)
                return file
        file.close()


def _taken(run: Run) -> InputError:
    try:
        owner = json.loads(run.claim.read_text(encoding="utf-8"))
        who = f"process {owner['process']} on {owner['host']} since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        who = "another process"
    return InputError(
        f"{run.folder} is being written by {who}; wait until it ends, or take another folder with `out`"
    )

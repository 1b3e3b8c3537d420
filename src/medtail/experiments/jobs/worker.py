"""``python -m medtail.experiments.jobs.worker``: does the jobs that standard input names, one line of JSON for each.

Every job is answered by one line with its outcome on standard output. The process ends with its standard input, which
the caller holds: when the caller is killed, nobody goes on writing its run folders.
"""

import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import TextIO

from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.outcome import outcome_of


def main() -> None:
    """Answer jobs until standard input ends."""
    # The caller decides what Ctrl-C ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What libraries print is no answer.
    os.dup2(2, 1)
    jobs: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, jobs), daemon=True).start()
    while True:
        outcome = outcome_of(Job.from_dict(json.loads(jobs.get())))
        answers.write(json.dumps(outcome.to_dict()) + "\n")
        answers.flush()


def _listen(requests: TextIO, jobs: "SimpleQueue[str]") -> None:
    for line in requests:
        jobs.put(line)
    # At once, as if it were killed: every file is whole at any moment.
    os._exit(0)


if __name__ == "__main__":
    main()

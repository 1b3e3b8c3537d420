"""The exception for input that a person can fix."""


class InputError(ValueError):
    """A setting, file or argument is wrong, and the message says how to fix it.

    The message is one sentence: argument, rule, value, remedy. An argument that the command line offers as an option,
    and a function that is a command there, stand in backticks, as in "`out` must be a new folder; continue the run in
    it with `resume=True`": the command line translates them into its own words, prints the sentence on stderr and exits
    with code 2. In Python the error is an ordinary ``ValueError``.
    """


class TerminatedError(SystemExit):
    """The process was asked to end (SIGTERM), as batch schedulers do; what was finished is kept.

    It is a ``SystemExit`` with the code 143 that shells give such an end.
    """

    def __init__(self) -> None:
        super().__init__(143)

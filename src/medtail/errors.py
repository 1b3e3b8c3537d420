"""The one exception for input a person can mend."""


class InputError(ValueError):
    """A setting, file or argument is wrong, and the message says how to mend it.

    The message is one sentence: argument, rule, value, remedy. The command line prints it on stderr and
    exits with code 2; in Python it is an ordinary ``ValueError``.
    """

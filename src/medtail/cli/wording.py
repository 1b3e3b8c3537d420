"""From the words of the library, which name arguments and functions, to those of the command line."""

import re
from collections.abc import Mapping

#: An argument in backticks, with its value where one is given, or a call.
_MARKED = re.compile(r"`([A-Za-z_][\w.]*)(\(\))?(?:=([^`]*))?`")


def in_options(sentence: str, options: Mapping[str, str]) -> str:
    """Return a sentence of the library with its arguments as options and its calls as commands.

    Args:
        sentence: A sentence with arguments and functions in backticks.
        options: From the name of a parameter to its option.

    Example:
        >>> options = {"out": "--out", "resume": "--resume", "grid_points": "--grid-points"}
        >>> in_options("`out` must be new; continue with `resume=True` and `optimizer.momentum=0.5`", options)
        '--out must be new; continue with --resume and --set optimizer.momentum=0.5'
        >>> in_options("choose it again with `adapt()`", options)
        'choose it again with medtail adapt'
    """

    def translated(match: re.Match[str]) -> str:
        name, call, value = match.groups()
        if call:
            return f"medtail {name.rpartition('.')[2]}"
        if name in options:
            return options[name] if value in (None, "True") else f"{options[name]} {value}"
        if "." in name and value is not None:
            return f"--set {name}={value}"
        return name if value is None else f"{name}={value}"

    return _MARKED.sub(translated, sentence)

"""Starting a server, and what it says about its model."""

import logging
import socket
from typing import Any

from medtail.checks import whole_number
from medtail.errors import InputError
from medtail.runs.run import Run
from medtail.serving.explorer import explorer_page
from medtail.serving.export.metadata import metadata
from medtail.serving.server.limits import Limits
from medtail.serving.server.predictor import Predictor

_log = logging.getLogger(__name__)

#: Where only this machine can reach the server.
LOOPBACK = ("127.0.0.1", "::1", "localhost")

#: Facts of the summary that ``/metadata`` tells.
_SUMMARY = ("split", "n", "classes", "accuracy", "balanced_accuracy", "macro_f1", "mcc", "auc", "intervals")


def serve(
    run: Run,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    key: str | None = None,
    limits: Limits | None = None,
) -> None:
    """Answer requests until the process is interrupted or terminated; then finish those that were admitted.

    Args:
        run: A finished run.
        host: Address to listen on; others than those of this machine alone need a key.
        port: Port to listen on; 0 takes a free one.
        key: What requests must know; None lets everybody in.
        limits: What is accepted.

    Raises:
        InputError: The run is not finished, the address cannot be used or is open without a key, or a package is
            missing.
    """
    limits = limits or Limits()
    check_address(host, port, key)
    uvicorn = _uvicorn()
    predictor = Predictor.load(run, limits.pixels)
    # Imported late: FastAPI is optional.
    from medtail.serving.server.app import create_app

    listening = _socket(host, port)
    app = create_app(
        predictor,
        describe(run, predictor),
        limits=limits,
        hosts=[*LOOPBACK, "[::1]"] if host in LOOPBACK else ["*"],
        key=key,
        page=explorer(run),
    )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )
    address = listening.getsockname()
    shown = f"[{address[0]}]" if ":" in address[0] else address[0]
    _log.info(f"serving {run.folder} at http://{shown}:{address[1]}; stop with Ctrl-C")
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def check_address(host: str, port: int, key: str | None) -> None:
    """Refuse an address that others can reach, unless a key is needed.

    Raises:
        InputError: It is open, the key is empty or not plain, or the port is none.
    """
    if whole_number("port", port, low=0) > 65535:
        raise InputError(f"`port` must be from 0 to 65535, got {port}; e.g. 8000")
    if key is not None and not (key.isascii() and key.isprintable() and len(key) >= 8 and " " not in key):
        raise InputError("`api_key` must be at least 8 ASCII characters without blanks; draw a random one")
    if host not in LOOPBACK and key is None:
        raise InputError(
            f"`host` must be 127.0.0.1 where there is no key, got {host}, which other machines may reach; give an "
            f"`api_key`"
        )


def describe(run: Run, predictor: Predictor) -> dict[str, Any]:
    """Return what ``/metadata`` answers: what an exported file says of itself, facts of the run and its model card."""
    outputs = [
        "probabilities",
        "decision",
        *(["set"] if predictor.point and predictor.point.set_rule else []),
    ]
    facts = predictor.model.facts
    summary = run.read_summary()
    return {
        **metadata([predictor.model], predictor.point, outputs, None),
        "training_images": dict(zip(facts.class_names, facts.class_counts["train"], strict=True)),
        "summary": {key: summary[key] for key in _SUMMARY if key in summary},
        "use": "For research; not a medical device.",
        # Runs of earlier versions have none.
        **({"model_card": run.model_card.read_text(encoding="utf-8")} if run.model_card.is_file() else {}),
    }


def explorer(run: Run) -> str | None:
    """Return the page at ``/``, the explorer of the run; None, saying why, for a run that has none."""
    try:
        return explorer_page([run])
    except InputError as error:
        _log.info(f"/ describes the routes in place of the explorer: {error}")
        return None


def _uvicorn() -> Any:
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise InputError(
            f"serving needs the package {error.name}, which is not installed; install it with "
            f"pip install 'medtail[serve]'"
        ) from None
    return uvicorn


def _socket(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that an address that is taken is a sentence and not a log."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # Who connects before the application has started waits for it.
        listening.listen()
    except OSError as error:
        raise InputError(
            f"`port` must be free on the host, but {host}:{port} cannot be used ({error.strerror or error}); choose "
            f"another `port`, 0 for any"
        ) from error
    return listening

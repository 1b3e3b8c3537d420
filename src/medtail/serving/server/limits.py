"""How much a server takes on before it refuses."""

from dataclasses import dataclass
from typing import final

from medtail import checks


@final
@dataclass(frozen=True)
class Limits:
    """What one server accepts.

    Attributes:
        upload_bytes: Of one request; larger ones are answered 413.
        images: Files in one request; more are answered 413.
        pixels: Of one image, slices and samples counted, before it is decoded; larger ones are answered 413. None takes
            the limit of the training.
        waiting: Files that are being decoded or predicted, of all requests; 503 beyond.
        connections: Open connections; 503 beyond.
        seconds: In which a request must be sent, and answered: 408 and 504 otherwise.
        batch: Images that the network takes at once.

    Raises:
        InputError: A limit is not positive.
    """

    upload_bytes: int = 64 * 2**20
    images: int = 64
    pixels: int | None = None
    waiting: int = 256
    connections: int = 128
    seconds: float = 30.0
    batch: int = 32

    def __post_init__(self) -> None:
        for name in ("upload_bytes", "images", "waiting", "connections", "batch"):
            checks.whole_number(name, getattr(self, name), low=1)
        checks.positive("seconds", self.seconds)

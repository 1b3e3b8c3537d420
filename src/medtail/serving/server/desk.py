"""The way of one request: admitted, decoded, computed with others, answered in time."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import final

from medtail.data.decoded.reading import num_threads
from medtail.serving.server.batching import Answer, Batching
from medtail.serving.server.limits import Limits
from medtail.serving.server.predictor import Predictor
from medtail.serving.server.uploads import Upload, UploadError, decode


@final
class Desk:
    """Takes files and gives answers, within limits.

    Args:
        predictor: What answers.
        limits: What is accepted.

    Attributes:
        waiting: Files that were admitted and are not done.
    """

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self._predictor = predictor
        self._limits = limits
        self._decoders = ThreadPoolExecutor(num_threads(), thread_name_prefix="decoder")
        self._batching = Batching(predictor.answers, limits.batch)
        self._tasks: set[asyncio.Task[list[Answer]]] = set()
        self.waiting = 0

    def open(self) -> None:
        """Begin to work; call it within an event loop."""
        self._batching.start()

    async def close(self) -> None:
        """Finish what was admitted, then end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._batching.stop()
        self._decoders.shutdown()

    async def answers(self, uploads: Sequence[Upload]) -> list[Answer]:
        """Return the answer for each image.

        Raises:
            UploadError: 413 for too many files, 503 where too many wait, 504 where it takes too long, and as
                :func:`medtail.serving.server.uploads.decode`.
        """
        limits = self._limits
        if len(uploads) > limits.images:
            raise UploadError(
                413, f"a request must have at most {limits.images} files, got {len(uploads)}; send fewer"
            )
        if self.waiting + len(uploads) > limits.waiting:
            raise UploadError(503, "too many images are waiting; try again later")
        # The work goes on when nobody waits for it any longer, because threads cannot be stopped; what it takes is
        # free again only when it is done.
        task = asyncio.create_task(self._work(uploads))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=limits.seconds)
        if not done:
            task.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise UploadError(
                504, f"the answer took more than {limits.seconds:g} seconds; send fewer images at once"
            )
        return task.result()

    async def _work(self, uploads: Sequence[Upload]) -> list[Answer]:
        self.waiting += len(uploads)
        try:
            loop = asyncio.get_running_loop()
            decoded = await loop.run_in_executor(self._decoders, decode, self._predictor, uploads)
            answers = await asyncio.gather(*(self._batching.answer(image) for _, image in decoded))
            return [{"image": name, **answer} for (name, _), answer in zip(decoded, answers, strict=True)]
        finally:
            self.waiting -= len(uploads)

"""Images of several requests go through the network together: a batch is whatever waits when the last one is done."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final

import numpy as np

Answer = dict[str, Any]


@final
class Batching:
    """One thread for the network, and the images that wait for it.

    Args:
        compute: From decoded images to one answer each; called by one thread at a time.
        largest: Images per call at most.
    """

    def __init__(self, compute: Callable[[Sequence[np.ndarray]], list[Answer]], largest: int) -> None:
        self._compute = compute
        self._largest = largest
        self._waiting: asyncio.Queue[tuple[np.ndarray, asyncio.Future[Answer]]] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to compute; call it within an event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Finish what waits, then end."""
        await self._waiting.join()
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown()

    async def answer(self, image: np.ndarray) -> Answer:
        """Return the answer for one image, when its batch is done."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((image, future))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._largest and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            images = [image for image, _ in batch]
            try:
                answers = await loop.run_in_executor(self._thread, self._compute, images)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            finally:
                for _ in batch:
                    self._waiting.task_done()

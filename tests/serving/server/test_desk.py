"""Batches form by themselves, what is too much is refused, and what was admitted is finished."""

import asyncio
import io
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medtail.serving.server.desk import Desk
from medtail.serving.server.limits import Limits
from medtail.serving.server.uploads import Upload, UploadError


class SlowPredictor:
    """Answers with the first byte of each file, as slowly as it is told."""

    volumes = False

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[int] = []
        self.released = threading.Event()
        self.released.set()

    def decode(self, path: Path, name: str) -> np.ndarray:
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)

    def answers(self, images: Sequence[np.ndarray]) -> list[dict[str, object]]:
        self.released.wait(10)
        time.sleep(self.seconds)
        self.batches.append(len(images))
        return [{"decision": int(image[0])} for image in images]


def uploads(*values: int) -> list[Upload]:
    return [Upload(f"{value}.png", io.BytesIO(bytes([value]))) for value in values]


def test_requests_share_batches_and_get_their_own_answers() -> None:
    predictor = SlowPredictor(0.02)

    async def work() -> list[list[dict[str, object]]]:
        desk = Desk(predictor, Limits(batch=8))
        desk.open()
        found = await asyncio.gather(*(desk.answers(uploads(number, 100 + number)) for number in range(20)))
        await desk.close()
        return found

    found = asyncio.run(work())
    for number, answers in enumerate(found):
        assert answers == [{"image": f"{value}.png", "decision": value} for value in (number, 100 + number)]
    assert sum(predictor.batches) == 40
    assert max(predictor.batches) == 8 and len(predictor.batches) < 20


def test_more_than_may_wait_is_refused_and_later_accepted_again() -> None:
    predictor = SlowPredictor()
    predictor.released.clear()

    async def work() -> None:
        desk = Desk(predictor, Limits(waiting=3))
        desk.open()
        first = asyncio.create_task(desk.answers(uploads(1, 2)))
        await asyncio.sleep(0.05)
        assert desk.waiting == 2
        with pytest.raises(UploadError) as refusal:
            await desk.answers(uploads(3, 4))
        assert refusal.value.status == 503
        predictor.released.set()
        assert len(await first) == 2
        assert desk.waiting == 0
        assert len(await desk.answers(uploads(3, 4))) == 2
        await desk.close()

    asyncio.run(work())


def test_an_answer_that_takes_too_long_is_given_up_and_its_place_is_free_when_it_is_done() -> None:
    predictor = SlowPredictor()
    predictor.released.clear()

    async def work() -> None:
        desk = Desk(predictor, Limits(seconds=0.05))
        desk.open()
        with pytest.raises(UploadError) as refusal:
            await desk.answers(uploads(1))
        assert refusal.value.status == 504
        assert desk.waiting == 1
        predictor.released.set()
        await desk.close()
        assert desk.waiting == 0

    asyncio.run(work())


def test_what_was_admitted_is_answered_before_the_end() -> None:
    predictor = SlowPredictor(0.1)

    async def work() -> list[dict[str, object]]:
        desk = Desk(predictor, Limits())
        desk.open()
        task = asyncio.create_task(desk.answers(uploads(7)))
        await asyncio.sleep(0.01)
        await desk.close()
        return await task

    assert asyncio.run(work()) == [{"image": "7.png", "decision": 7}]

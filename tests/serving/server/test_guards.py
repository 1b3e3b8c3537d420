"""Bodies that come too slowly, which only a connection can show."""

import asyncio
import json
from collections.abc import Sequence

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
from fastapi import FastAPI, Request

from medtail.serving.server.guards import BodyGuard

app = FastAPI()


@app.post("/")
async def length(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


def answered(parts: Sequence[bytes], pause: float) -> tuple[int, dict]:
    """Send parts of a body with a pause before each; return status and answer."""
    guard = BodyGuard(app, most_bytes=100, seconds=0.2)
    waiting = list(parts)
    sent: list[dict] = []

    async def receive() -> dict:
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_a_body_in_parts_is_passed_on() -> None:
    assert answered([b"abc"] * 5, 0.0) == (200, {"bytes": 15})


@pytest.mark.parametrize(("parts", "pause"), [(1, 1.0), (1000, 0.01)], ids=["nothing", "drop by drop"])
def test_a_body_that_comes_too_slowly_is_given_up(parts: int, pause: float) -> None:
    status, answer = answered([b""] * parts, pause)
    assert status == 408 and "within 0.2 seconds" in answer["detail"]


def test_a_body_is_counted_as_it_comes() -> None:
    status, answer = answered([b"x" * 60] * 3, 0.0)
    assert status == 413 and "at most 100 bytes" in answer["detail"]

"""What a request must pass before its body is parsed: the key, the size and the time."""

import asyncio
import base64
import binascii
import hmac
from typing import final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Answers whoever asks: a supervisor has no key.
OPEN_PATHS = ("/health",)


@final
class KeyGuard:
    """Answer 401 to requests without the key, as a bearer token or the password of basic authentication.

    Args:
        app: What is guarded.
        key: The key.
    """

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS and not self._knows_the_key(scope):
            refusal = JSONResponse(
                {"detail": "send the key as Authorization: Bearer KEY"},
                status_code=401,
                headers={"WWW-Authenticate": 'Basic realm="medtail"'},
            )
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _knows_the_key(self, scope: Scope) -> bool:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, given = header.partition(b" ")
        if kind.lower() == b"basic":
            try:
                _, _, given = base64.b64decode(given, validate=True).partition(b":")
            except binascii.Error:
                return False
        # Takes equally long wherever the first wrong character is.
        return hmac.compare_digest(given, self._key)


@final
class BodyGuard:
    """Answer 413 to bodies that are too large, as soon as that is known, and 408 to those that come too slowly.

    Args:
        app: What is guarded.
        most_bytes: Of one body.
        seconds: For the whole body.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, seconds: float) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if announced.isdigit() and int(announced) > self._most_bytes:
            refusal = JSONResponse(
                {"detail": self._too_large}, status_code=413, headers={"Connection": "close"}
            )
            await refusal(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        received = 0
        complete = False

        async def limited() -> Message:
            nonlocal received, complete
            if complete:
                # What is awaited now is the end of the connection.
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(end - loop.time(), 0.001))
            except TimeoutError:
                raise HTTPException(
                    408, f"the request must be sent within {self._seconds:g} seconds", {"Connection": "close"}
                ) from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._most_bytes:
                raise HTTPException(413, self._too_large, {"Connection": "close"})
            return message

        await self._app(scope, limited, send)

    @property
    def _too_large(self) -> str:
        return f"a request must have at most {self._most_bytes} bytes; send fewer or smaller images"

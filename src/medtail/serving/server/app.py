"""The routes of a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, File, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from medtail import __version__
from medtail.serving.server.desk import Desk
from medtail.serving.server.guards import BodyGuard, KeyGuard
from medtail.serving.server.limits import Limits
from medtail.serving.server.pages import described
from medtail.serving.server.predictor import Predictor
from medtail.serving.server.uploads import Upload, UploadError


class Prediction(BaseModel):
    """The answer for one image."""

    image: str = Field(description="the name of the file, without folders")
    decision: str | list[str] = Field(description="a class, or the labels that are present")
    probabilities: dict[str, float]
    set: list[str] | None = Field(
        None, description="classes that the image may be of, where a coverage was chosen"
    )


class Predictions(BaseModel):
    """The answers of one request, in the order of its files."""

    predictions: list[Prediction]


class Health(BaseModel):
    """That the server answers, and how much waits."""

    status: str
    waiting: int


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The key is missing or wrong."},
    408: {"model": Problem, "description": "The request was sent too slowly."},
    413: {"model": Problem, "description": "Too many bytes, files or pixels."},
    422: {"model": Problem, "description": "An image cannot be read; each is named with its reason."},
    503: {"model": Problem, "description": "Too many images are waiting."},
    504: {"model": Problem, "description": "The answer took too long."},
}


def create_app(
    predictor: Predictor,
    metadata: dict[str, Any],
    *,
    limits: Limits,
    hosts: list[str],
    key: str | None = None,
    page: str | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        predictor: What answers.
        metadata: What ``/metadata`` answers.
        limits: What is accepted.
        hosts: Names that requests may call the server by; ``*`` allows all.
        key: What requests must know; None lets everybody in.
        page: HTML at ``/``; None takes the description of the routes.
    """
    desk = Desk(predictor, limits)

    @asynccontextmanager
    async def working(app: FastAPI) -> AsyncIterator[None]:
        desk.open()
        yield
        await desk.close()

    # The usual pages of FastAPI load their scripts from elsewhere.
    app = FastAPI(title="medtail", version=__version__, docs_url=None, redoc_url=None, lifespan=working)

    @app.exception_handler(UploadError)
    async def refuse(request: Request, refusal: UploadError) -> JSONResponse:
        headers = {"Retry-After": "1"} if refusal.status == 503 else None
        return JSONResponse({"detail": refusal.reason}, status_code=refusal.status, headers=headers)

    @app.exception_handler(RequestValidationError)
    async def refuse_form(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": "send one or more files in the field images"}, status_code=422)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": "the server failed; its log says why"}, status_code=500)

    @app.post("/predict", responses=_PROBLEMS, response_model_exclude_none=True)
    async def predict(
        images: Annotated[list[UploadFile], File(description="pictures, DICOM or NIfTI, one file per image")],
    ) -> Predictions:
        """Return probabilities and the decision for each image."""
        uploads = [Upload(image.filename or "image", image.file) for image in images]
        answers = await desk.answers(uploads)
        return Predictions(predictions=[Prediction(**answer) for answer in answers])

    @app.get("/health")
    async def health() -> Health:
        """Say that the server answers; it needs no key."""
        return Health(status="ok", waiting=desk.waiting)

    @app.get("/metadata")
    async def about() -> dict[str, Any]:
        """Return classes, form of the images, operating point, and data and metrics of the run."""
        return metadata

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def routes() -> str:
        return described(app.openapi())

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def start() -> str:
        return described(app.openapi()) if page is None else page

    app.add_middleware(BodyGuard, most_bytes=limits.upload_bytes, seconds=limits.seconds)
    if key is not None:
        app.add_middleware(KeyGuard, key=key)
    # A page elsewhere could reach a server on this machine under a name that it made up.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    return app

"""The server as its clients see it: answers, refusals, and nothing about the machine that it runs on."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtail.inference import load
from medtail.runs.run import Run
from medtail.serving.server.limits import Limits
from medtail.serving.server.predictor import Predictor
from medtail.serving.server.serving import describe
from medtail.training.inference import TrainedModel

pytest.importorskip("fastapi", reason="the extra serve is not installed")
from starlette.testclient import TestClient

from medtail.serving.server.app import create_app

HOSTS = ["127.0.0.1"]
LIMITS = Limits(upload_bytes=200_000, images=4, pixels=10_000)
KEY = "correct-horse"


@pytest.fixture(scope="module")
def start(single_run: Run) -> Iterator[Callable[..., TestClient]]:
    """Serve a run in this process."""
    clients = []

    def begin(run: Run = single_run, *, raises: bool = True, **settings: object) -> TestClient:
        predictor = Predictor.load(run, LIMITS.pixels)
        app = create_app(predictor, describe(run, predictor), limits=LIMITS, hosts=HOSTS, **settings)
        client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=raises)
        clients.append(client.__enter__())
        return clients[-1]

    yield begin
    for client in clients:
        client.__exit__()


@pytest.fixture(scope="module")
def client(start) -> TestClient:
    return start()


def picture(seed: int, size: int = 20) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def header_of(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    form = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", form)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def post(client: TestClient, *files: tuple[str, bytes], **settings: object):
    return client.post("/predict", files=[("images", file) for file in files], **settings)


def refused(response, status: int) -> str:
    """The reason of a refusal, which is one sentence."""
    assert response.status_code == status, response.text
    detail = response.json()["detail"]
    assert isinstance(detail, str) and "\n" not in detail
    return detail


def test_answers_are_those_of_predict(client: TestClient, single_run: Run, tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(3)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(picture(number))
    table = load(single_run).predict_files([tmp_path / name for name in names])
    response = post(client, *((name, (tmp_path / name).read_bytes()) for name in names))
    assert response.status_code == 200
    answers = response.json()["predictions"]
    assert [answer["image"] for answer in answers] == names
    assert [answer["decision"] for answer in answers] == table["decision"].tolist()
    assert ["|".join(answer["set"]) for answer in answers] == table["set"].tolist()
    for answer, (_, row) in zip(answers, table.iterrows(), strict=True):
        # A batch of one and one of three are not rounded alike.
        expected = {name: pytest.approx(row[f"probability_{name}"], abs=0.01) for name in "012"}
        assert answer["probabilities"] == expected


def test_labels_are_answered_by_their_names(start, label_run: Run) -> None:
    (answer,) = post(start(label_run), ("a.png", picture(1))).json()["predictions"]
    present = [name for name, value in answer["probabilities"].items() if value >= 0.5]
    assert answer["decision"] == present and "set" not in answer


def test_metadata_tell_classes_form_operating_point_and_metrics(client: TestClient, single_run: Run) -> None:
    about = client.get("/metadata").json()
    assert about["class_names"] == ["0", "1", "2"]
    assert about["inputs"]["pixels"]["shape"] == ["N", 1, 12, 12]
    assert about["operating_point"]["decision"]["name"] == "class_threshold"
    assert about["training_images"] == {"0": 60, "1": 20, "2": 8}
    saved = json.loads(single_run.summary.read_text())
    assert about["summary"]["balanced_accuracy"] == saved["balanced_accuracy"]


def test_the_routes_are_described_without_anything_from_elsewhere(client: TestClient) -> None:
    assert set(client.get("/openapi.json").json()["paths"]) == {"/predict", "/health", "/metadata"}
    for path in ("/docs", "/"):
        page = client.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert "POST /predict" in page.text
        assert not any(text in page.text for text in ("<script", "<link", "src=", "https://", "@import"))


def test_a_page_takes_the_place_of_the_description(start) -> None:
    assert start(page="<p>mine</p>").get("/").text == "<p>mine</p>"


@pytest.mark.parametrize(
    ("name", "content", "status", "reason"),
    [
        ("note.png", b"no image", 422, "'note.png' is not an image"),
        ("empty.png", b"", 422, "is empty (0 bytes)"),
        ("../../etc/passwd", b"root", 422, "'passwd' is not an image"),
        ("..\\..\\x.png", b"root", 422, "'x.png' is not an image"),
        ("line\nbreak.png", b"root", 422, "is not an image"),
        ("large.png", header_of(101, 100), 413, "more than the limit of 10000 (max_pixels)"),
        ("huge.png", header_of(60_000, 60_000), 413, "max_pixels"),
        ("cut.png", picture(0)[:90], 422, "'cut.png' is"),
        ("no.dcm", b"\0" * 128 + b"DICM" + b"\1" * 60, 422, "'no.dcm'"),
        ("no.nii.gz", b"\x1f\x8b" + b"\1" * 60, 422, "'no.nii.gz'"),
        ("no.tif", b"II*\0" + b"\1" * 60, 422, "'no.tif'"),
    ],
)
def test_hostile_images_are_refused_by_name(
    client, name: str, content: bytes, status: int, reason: str
) -> None:
    detail = refused(post(client, (name, content)), status)
    assert reason in detail
    assert "/" not in detail.replace("and/or", "")
    assert client.get("/health").json() == {"status": "ok", "waiting": 0}


def test_every_bad_image_is_named(client: TestClient) -> None:
    detail = refused(post(client, ("a.png", b"1"), ("b.png", picture(0)), ("c.png", b"2")), 422)
    assert "'a.png'" in detail and "'c.png'" in detail and "'b.png'" not in detail


def test_requests_that_are_too_large_are_refused(client: TestClient) -> None:
    assert "at most 4 files, got 5" in refused(post(client, *[("a.png", picture(0))] * 5), 413)
    assert "at most 200000 bytes" in refused(post(client, ("a.png", b"\0" * 300_000)), 413)


def test_a_body_without_an_announced_size_is_counted(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        yield b'--a\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
        for _ in range(30):
            yield b"\0" * 10_000

    response = client.post(
        "/predict", content=parts(), headers={"content-type": "multipart/form-data; boundary=a"}
    )
    assert "at most 200000 bytes" in refused(response, 413)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\n\r\n"),
        ("application/json", b"{"),
        ("text/plain", b"x"),
    ],
)
def test_forms_that_are_none_are_refused(client: TestClient, content_type: str, body: bytes) -> None:
    response = client.post("/predict", content=body, headers={"content-type": content_type})
    assert response.status_code in (400, 422), response.text
    assert isinstance(response.json()["detail"], str)


def test_what_is_not_there_is_refused(client: TestClient, single_run: Run) -> None:
    assert client.get("/predict").status_code == 405
    assert client.get("/../../etc/passwd").status_code == 404
    assert client.get("/health", headers={"host": "elsewhere.example"}).status_code == 400


def test_no_answer_names_a_place_on_this_machine(client: TestClient, single_run: Run) -> None:
    texts = [client.get(path).text for path in ("/", "/metadata", "/openapi.json", "/health")]
    texts.append(post(client, ("a.png", b"1")).text)
    for place in (str(single_run.folder.parent), "/tmp", "site-packages", str(Path(__file__).parents[3])):
        assert not any(place in text for text in texts)


def test_a_key_is_needed_where_there_is_one(start) -> None:
    client = start(key=KEY)
    assert client.get("/health").status_code == 200
    basic = base64.b64encode(f"anybody:{KEY}".encode()).decode()
    for header in (f"Bearer {KEY}", f"bearer {KEY}", f"Basic {basic}"):
        assert client.get("/metadata", headers={"Authorization": header}).status_code == 200
    for header in (None, "Bearer wrong", f"Bearer {KEY}x", "Basic !", "Bearer", KEY):
        headers = {} if header is None else {"Authorization": header}
        for path in ("/metadata", "/", "/docs", "/openapi.json"):
            assert client.get(path, headers=headers).status_code == 401
        assert post(client, ("a.png", picture(0)), headers=headers).status_code == 401


def test_a_failure_of_the_server_says_nothing_of_it(start, monkeypatch) -> None:
    client = start(raises=False)
    monkeypatch.setattr(TrainedModel, "probabilities", lambda *arguments: 1 / 0)
    detail = refused(post(client, ("a.png", picture(0))), 500)
    assert detail == "the server failed; its log says why"
    monkeypatch.undo()
    assert post(client, ("a.png", picture(0))).status_code == 200

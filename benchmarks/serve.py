"""A server under load: what it answers per second beside the bare model, how long answers take, and what it survives.

Server and clients run on this machine, over loopback, for a bounded number of requests:

    python benchmarks/serve.py RUN RUN
"""

import argparse
import io
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
from measuring import results_file
from PIL import Image

from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.runs.settings import RunSettings
from medtail.serving.server.predictor import Predictor

RESULTS = Path(__file__).parent / "results" / "serve_cpu.csv"
COLUMNS = (
    "model", "what", "clients", "images_per_request", "requests", "images_per_second",
    "bare_model_images_per_second", "ratio", "p50_ms", "p99_ms", "answers", "device", "hardware",
    "torch", "commit", "date",
)  # fmt: skip

#: Images per second, seconds of each request, and how often each status was answered.
Measured = tuple[float, list[float], Counter[int]]


def pictures(count: int, size: int = 64) -> list[bytes]:
    """Random PNG files."""
    files = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        files.append(file.getvalue())
    return files


@contextmanager
def served(run: Path, *options: str) -> Iterator[str]:
    """Start a server, yield its address, and stop it."""
    command = [sys.executable, "-m", "medtail", "serve", str(run), "--port", "0", *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        address = re.search(r"http://\S+:\d+", server.stderr.readline())
        assert address is not None, server.stderr.read()
        # What it logs must not fill the pipe.
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield address[0]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    finally:
        server.kill()


def bare_model(run: Path, files: list[bytes], seconds: float) -> float:
    """Images per second of decoding and the network alone, in one thread and in batches of 32."""
    predictor = Predictor.load(Run(run))
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name, f"{number}.png") for number in range(len(files))]
        for path, content in zip(paths, files, strict=True):
            path.write_bytes(content)
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            predictor.answers([predictor.decode(path, path.name) for path in paths])
            done += len(paths)
        return done / (time.perf_counter() - start)


def load(address: str, files: list[bytes], clients: int, images: int, requests: int) -> Measured:
    """Send requests from several clients at once; return images per second, latencies and the statuses."""
    latencies: list[float] = []
    statuses: Counter[int] = Counter()

    def client(number: int) -> None:
        with httpx2.Client(base_url=address, timeout=120) as session:
            for request in range(requests // clients):
                chosen = [files[(number + request + index) % len(files)] for index in range(images)]
                start = time.perf_counter()
                answer = session.post(
                    "/predict", files=[("images", ("a.png", content)) for content in chosen]
                )
                latencies.append(time.perf_counter() - start)
                statuses[answer.status_code] += 1

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for _ in pool.map(client, range(clients)):
            pass
    elapsed = time.perf_counter() - start
    return statuses[200] * images / elapsed, latencies, statuses


def empty_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    form = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", form)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def hostile(address: str) -> Counter:
    """Send what no client should; return the statuses."""
    file = pictures(1)[0]
    multipart = {"Content-Type": "multipart/form-data; boundary=a"}
    statuses: Counter[str] = Counter()

    def send(**settings: object) -> None:
        try:
            statuses[str(httpx2.post(f"{address}/predict", timeout=60, **settings).status_code)] += 1
        except httpx2.HTTPError:
            statuses["connection closed"] += 1

    def image(name: str, content: bytes, count: int = 1) -> None:
        send(files=[("images", (name, content))] * count)

    image("bomb.png", empty_png(60_000, 60_000))
    image("cut.png", file[: len(file) // 2])
    image("../../etc/passwd", b"root")
    image("a.dcm", b"\0" * 128 + b"DICM" + b"\xff" * 500)
    image("a.nii.gz", b"\x1f\x8b" + b"\xff" * 500)
    image("a.png", file, 100)
    image("a" * 5000 + ".png", file[:50])
    send(content=b"\0" * (70 * 2**20), headers=multipart)
    send(content=(b"\0" * 2**20 for _ in range(70)), headers=multipart)
    send(content=b"--a\r\n" * 1000, headers=multipart)
    send(content=b"{" * 10_000, headers={"Content-Type": "application/json"})
    generator = np.random.default_rng(0)
    for _ in range(50):
        # Bytes changed at random, in otherwise sound files.
        changed = bytearray(file)
        for place in generator.integers(0, len(changed), 20):
            changed[place] = generator.integers(0, 256)
        image("changed.png", bytes(changed))
    return statuses


def slow_clients(address: str, count: int) -> None:
    """Open connections that announce a body and hardly send it, then drop them."""
    host, _, port = address.removeprefix("http://").partition(":")
    connections = [socket.create_connection((host, int(port))) for _ in range(count)]
    for connection in connections:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            b"Content-Type: multipart/form-data; boundary=a\r\n\r\n--a"
        )
    time.sleep(0.5)
    for connection in connections:
        connection.close()


def main() -> None:
    """Measure and write the CSV."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=8.0, help="of the bare model")
    options = parser.parse_args()
    with results_file(RESULTS, COLUMNS, "cpu", "src") as write:
        for run in options.runs:
            measure(run, options.requests, options.seconds, write)


def measure(
    run: Path, requests: int, seconds: float, write: Callable[[Mapping[str, object]], object]
) -> None:
    """Load the server of one run, be hostile to it, and overload it."""
    files = pictures(32)
    facts, settings = DatasetFacts.load(Run(run)), RunSettings.load(Run(run))
    model = f"{settings.get('backbone.name')} at {facts.image_size} pixels"

    def row(what: str, clients: int, images: int, requests: int) -> None:
        bare = bare_model(run, files, seconds)
        rate, latencies, statuses = load(address, files, clients, images, requests)
        p50, p99 = (1000 * np.quantile(latencies, share) for share in (0.5, 0.99))
        print(f"{model}, {what}: {rate:.0f} of {bare:.0f} images/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms")
        print(f"  {said(statuses)}")
        write(
            {
                "model": model, "what": what, "clients": clients, "images_per_request": images,
                "requests": len(latencies), "images_per_second": f"{rate:.1f}",
                "bare_model_images_per_second": f"{bare:.1f}", "ratio": f"{rate / bare:.3f}",
                "p50_ms": f"{p50:.1f}", "p99_ms": f"{p99:.1f}", "answers": said(statuses),
            }
        )  # fmt: skip

    with served(run) as address:
        load(address, files, 2, 4, 20)
        for clients, images in ((1, 1), (8, 1), (4, 16)):
            row("load", clients, images, requests if images == 1 else requests // 3)
        slow_clients(address, 20)
        refused = hostile(address)
        print(f"hostile requests: {said(refused)}")
        write(
            {"model": model, "what": "hostile", "requests": sum(refused.values()), "answers": said(refused)}
        )
        row("load after hostile requests", 8, 1, requests)
    with served(run, "--max-waiting", "16") as address:
        row("overload", 32, 8, 128)


def said(statuses: Counter) -> str:
    """Statuses and how often each was answered."""
    return " ".join(f"{status}:{count}" for status, count in sorted(statuses.items()))


if __name__ == "__main__":
    main()

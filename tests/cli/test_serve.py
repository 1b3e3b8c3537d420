"""``medtail serve`` from its first request to its end."""

import io
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from cli.conftest import PROGRAM, environment
from PIL import Image

pytest.importorskip("uvicorn", reason="the extra serve is not installed")


def test_a_server_answers_and_ends_when_it_is_asked_to(digits_run: Path) -> None:
    server = subprocess.Popen(
        [PROGRAM, "serve", digits_run, "--port", "0"], stderr=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert server.stderr is not None
        started = server.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", started)
        assert address is not None, started + server.stderr.read()
        file = io.BytesIO()
        Image.new("L", (8, 8), 90).save(file, "PNG")
        body = b'--a\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
        request = urllib.request.Request(
            f"{address[0]}/predict",
            body + file.getvalue() + b"\r\n--a--\r\n",
            {"Content-Type": "multipart/form-data; boundary=a"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert b'"decision"' in answer.read()
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=60)
    finally:
        server.kill()
    assert server.returncode == 0, rest
    assert rest == "stopped; every request that was admitted is answered\n"


def test_an_open_address_needs_a_key(refuses, digits_run: Path) -> None:
    assert "--api-key" in refuses("serve", digits_run, "--host", "0.0.0.0")

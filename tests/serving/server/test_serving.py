"""Where a server may listen."""

import logging
import socket
import sys

import pytest

from medtail.runs.run import Run
from medtail.serving.server.limits import Limits
from medtail.serving.server.serving import check_address, explorer, serve


def test_other_machines_need_a_key(refuses) -> None:
    assert "127.0.0.1 where there is no key" in refuses(check_address, "0.0.0.0", 8000, None)
    check_address("0.0.0.0", 8000, "long-enough-key")
    check_address("127.0.0.1", 0, None)


@pytest.mark.parametrize("key", ["", "short", "with a blank", "schlüssel-schlüssel"])
def test_keys_that_nobody_should_use_are_refused(refuses, key: str) -> None:
    sentence = refuses(check_address, "127.0.0.1", 8000, key)
    assert "at least 8 ASCII characters" in sentence and (not key or key not in sentence)


@pytest.mark.parametrize("port", [-1, 65536])
def test_ports_that_are_none_are_refused(refuses, port: int) -> None:
    assert "port" in refuses(check_address, "127.0.0.1", port, None)


@pytest.mark.parametrize("limit", ["upload_bytes", "images", "waiting", "connections", "batch", "seconds"])
def test_limits_are_positive(refuses, limit: str) -> None:
    assert limit in refuses(Limits, **{limit: 0})


def test_a_missing_package_is_named_with_its_extra(single_run: Run, monkeypatch, refuses) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "medtail[serve]" in refuses(serve, single_run)


def test_a_port_that_is_taken_is_refused(single_run: Run, refuses) -> None:
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port} cannot be used" in refuses(serve, single_run, port=port)


def test_the_explorer_is_the_page_of_a_run_that_has_one(single_run: Run, label_run: Run, caplog) -> None:
    page = explorer(single_run)
    assert page is not None and page.lower().startswith("<!doctype html>") and "<script" in page
    assert str(single_run.folder.parent) not in page
    with caplog.at_level(logging.INFO, logger="medtail"):
        assert explorer(label_run) is None
    assert "describes the routes" in caplog.text

"""Benchmarks, of which tests use the data that they make and the slow ways that they measure against."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

_FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")


def benchmark(name: str) -> ModuleType:
    """The module of a benchmark."""
    sys.path.insert(0, _FOLDER)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(_FOLDER)

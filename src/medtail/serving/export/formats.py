"""The forms of an exported file: ONNX and PyTorch's exported programs."""

import json
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from medtail.errors import InputError
from medtail.serving.export.metadata import KEY

#: A loaded file: arrays in, arrays out.
Loaded = Callable[[Sequence[np.ndarray]], list[np.ndarray]]

#: Files of the package's Protocol Buffers cannot be larger.
_LARGEST_ONNX = 2**31 - 2**20


class Format(ABC):
    """A form of exported files; abstract."""

    @abstractmethod
    def check(self) -> None:
        """Refuse to start where a package is missing.

        Raises:
            InputError: It is missing.
        """

    @abstractmethod
    def write(
        self,
        program: nn.Module,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        description: Mapping[str, Any],
        path: Path,
    ) -> None:
        """Write a program of any batch size to one file.

        Args:
            program: From the inputs to a tuple of outputs.
            inputs: Examples by name; only the first, ``(N, …)``, has a size that may vary: N.
            outputs: Names of the outputs.
            description: Plain values, kept in the file.
            path: The file.
        """

    @abstractmethod
    def load(self, path: Path) -> Loaded:
        """Return the program in a file."""


@final
class ExportedProgram(Format):
    """PyTorch's own form, ``.pt2``, for ``torch.export.load``; the description is its extra file ``medtail``."""

    def check(self) -> None:
        """Accept: it takes PyTorch alone."""

    def write(
        self,
        program: nn.Module,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        description: Mapping[str, Any],
        path: Path,
    ) -> None:
        with _quiet():
            exported = _exported(program, inputs)
            # PyTorch takes no file by its name unless that ends in .pt2.
            with path.open("wb") as file:
                torch.export.save(exported, file, extra_files={KEY: _text(description)})

    def load(self, path: Path) -> Loaded:
        with _quiet(), path.open("rb") as file:
            module = torch.export.load(file).module()

        def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [output.numpy(force=True) for output in module(*map(torch.from_numpy, arrays))]

        return run


@final
class Onnx(Format):
    """ONNX, which many runtimes read; the description is the entry ``medtail`` of the model's metadata."""

    def check(self) -> None:
        for package in ("onnx", "onnxscript", "onnxruntime"):
            try:
                import_module(package)
            except ImportError:
                raise InputError(
                    f"`format=onnx` needs the package {package}, which is not installed; install it with "
                    f"pip install 'medtail[export]'"
                ) from None

    def write(
        self,
        program: nn.Module,
        inputs: Mapping[str, Tensor],
        outputs: Sequence[str],
        description: Mapping[str, Any],
        path: Path,
    ) -> None:
        import onnx

        size = sum(value.numel() * value.element_size() for value in program.state_dict().values())
        if size > _LARGEST_ONNX:
            raise InputError(
                f"`format=onnx` takes models of up to 2 GiB in one file, this one has {size / 2**30:.1f} GiB; use "
                f"`format=torch`"
            )
        with _quiet():
            converted = torch.onnx.export(
                _exported(program, inputs),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamo=True,
                verbose=False,
                external_data=False,
            )
        assert converted is not None
        model = converted.model_proto
        onnx.helper.set_model_props(model, {KEY: _text(description)})
        path.write_bytes(model.SerializeToString())

    def load(self, path: Path) -> Loaded:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]

        def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [np.asarray(output) for output in session.run(None, dict(zip(names, arrays, strict=True)))]

        return run


#: Forms by the names that users give.
FORMATS: Mapping[str, Format] = {"onnx": Onnx(), "torch": ExportedProgram()}


def _exported(program: nn.Module, inputs: Mapping[str, Tensor]) -> Any:
    """The program for any number of images."""
    batch = torch.export.Dim("N", min=1)
    shapes = tuple({0: batch} if number == 0 else {} for number in range(len(inputs)))
    return torch.export.export(
        program, tuple(inputs.values()), dynamic_shapes={"inputs": shapes}, strict=False
    )


def _text(description: Mapping[str, Any]) -> str:
    return json.dumps(description, ensure_ascii=False, allow_nan=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the progress and the deprecations of PyTorch's exporter, which concern its developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""Elements of a DICOM dataset, which may belong to one frame, to all frames or to the file."""

from typing import Any

from medtail.errors import InputError


def pydicom_package() -> Any:
    """Import pydicom.

    Raises:
        InputError: It is not installed.
    """
    try:
        import pydicom
        import pydicom.encaps
        import pydicom.pixels
    except ModuleNotFoundError as error:
        raise InputError(
            "DICOM files need the package pydicom, which is not installed; pip install 'medtail[dicom]'"
        ) from error
    return pydicom


def num_frames(dataset: Any) -> int:
    """Number of frames of a file, 1 for a single image."""
    return int(dataset.get("NumberOfFrames") or 1)


def frame_element(dataset: Any, frame: int, sequence: str, keyword: str) -> Any:
    """The first value of an element for one frame: its own, that of all frames, or the file's; None if missing."""
    for groups, position in (
        ("PerFrameFunctionalGroupsSequence", frame),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        items = dataset.get(groups)
        inner = items[position].get(sequence) if items else None
        if inner and inner[0].get(keyword) is not None:
            return _first(inner[0].get(keyword))
    return _first(dataset.get(keyword))


def _first(value: Any) -> Any:
    """The first of several values; None for an empty element."""
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return value
    return value[0] if len(value) else None

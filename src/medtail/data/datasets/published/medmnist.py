"""MedMNIST by name, downloaded once by the package of that name."""

import re
from pathlib import Path
from typing import Any

from medtail.data.collection import ImageCollection
from medtail.data.datasets.npz import open_npz
from medtail.errors import InputError
from medtail.naming import nearest

_NAME = re.compile(r"(?P<flag>[a-z]+mnist(3d)?)(_(?P<size>\d+))?")


def is_medmnist_name(text: str) -> bool:
    """Whether DATA looks like a name in MedMNIST, such as ``dermamnist`` or ``adrenalmnist3d_64``.

    Example:
        >>> is_medmnist_name("adrenalmnist3d_64"), is_medmnist_name("digits-lt")
        (True, False)
    """
    return _NAME.fullmatch(text) is not None


def open_medmnist(name: str) -> ImageCollection:
    """Open a data set of MedMNIST, with the names of its classes.

    The archive is taken from the folder of the package (``~/.medmnist``), or downloaded to it, and its checksum is
    compared with the published one.

    Args:
        name: A key of the package's ``INFO``, followed by ``_64``, ``_128`` or ``_224`` for larger images.

    Raises:
        InputError: The package is missing, there is no data set of this name, or the download fails.
    """
    package = _package()
    parts = _NAME.fullmatch(name)
    flag, size = (parts["flag"], parts["size"]) if parts else (name, None)
    if flag not in package.INFO:
        raise InputError(
            f"MedMNIST has no data set {flag!r}{nearest(flag, package.INFO)}; the names are {', '.join(package.INFO)}"
        )
    info = package.INFO[flag]
    ending = "" if size is None else f"_{size}"
    if f"url{ending}" not in info:
        sizes = [key.removeprefix("url_") for key in info if key.startswith("url_")]
        raise InputError(
            f"{flag} comes in 28 (no ending) and {', '.join(sizes)} pixels, got {name!r}; use one of these endings"
        )
    archive = _archive(package, name, info[f"url{ending}"], info[f"MD5{ending}"])
    class_names = [label for _, label in sorted(info["label"].items(), key=lambda item: int(item[0]))]
    return open_npz(archive, name, class_names=class_names)


def _package() -> Any:
    try:
        import medmnist
    except ModuleNotFoundError as error:
        raise InputError(
            "names of MedMNIST need the package medmnist, which is not installed; pip install 'medtail[medmnist]', "
            "or give the path of the .npz file"
        ) from error
    return medmnist


def _archive(package: Any, name: str, url: str, checksum: str) -> Path:
    from torchvision.datasets.utils import check_integrity, download_url

    folder = Path(package.info.DEFAULT_ROOT or Path.home() / ".medmnist")
    archive = folder / f"{name}.npz"
    if check_integrity(archive, checksum):
        return archive
    try:
        download_url(url, str(folder), archive.name, checksum)
    # Every transport has its own exceptions; all of them mean that the file cannot be reached.
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{archive.name} cannot be downloaded from {url} ({' '.join(str(error).split()) or type(error).__name__}); "
            f"check the network, or download it elsewhere and give the path of the .npz file"
        ) from error
    return archive

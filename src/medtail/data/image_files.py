"""The former place of :mod:`medtail.data.formats.image_files`, kept for imports."""

from medtail.data.formats.image_files import ImageFiles

__all__ = ["ImageFiles"]

"""A trained model as one file that needs no medtail."""

from medtail.serving.export.exporting import Export, export

__all__ = ["Export", "export"]

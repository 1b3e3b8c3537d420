"""The explorer: a page on which an operating point is moved, and everything that follows from it is seen."""

from medtail.serving.explorer.page import explorer_page, write_explorer

__all__ = ["explorer_page", "write_explorer"]

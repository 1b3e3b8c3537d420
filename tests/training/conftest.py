"""Trainings end with a report: what it shows is tested in ``evaluation``, and here where a test goes to the report."""

# Imported for the tests to use.
from references.figures import rendered_figures, unrendered_figures  # noqa: F401

"""Layouts of data sets on disk: one file per layout."""

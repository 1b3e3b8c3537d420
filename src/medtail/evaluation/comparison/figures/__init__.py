"""The figures of a page that compares runs."""

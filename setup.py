"""What `pyproject.toml` cannot say: an index shows README.md without links into the repository."""

import re
from pathlib import Path

from setuptools import setup

README = Path(__file__).with_name("README.md").read_text(encoding="utf-8")

setup(
    # An index has no docs folder: a link to one would lead nowhere, so its text stays.
    long_description=re.sub(r"\[([^\]]+)\]\((?!https://)[^)]+\)", r"\1", README),
    long_description_content_type="text/markdown",
)

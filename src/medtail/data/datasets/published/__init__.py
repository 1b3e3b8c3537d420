"""Data sets that are known by name, or by the files that their authors publish."""

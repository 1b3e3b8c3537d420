"""How one image lies on disk: one file per format."""

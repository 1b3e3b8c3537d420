"""File formats of images: one module per format."""

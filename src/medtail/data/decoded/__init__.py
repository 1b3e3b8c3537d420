"""Decoded pixels: resized, stored, cached and batched."""

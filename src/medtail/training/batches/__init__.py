"""Batches of a training step: drawn, prepared and mixed."""

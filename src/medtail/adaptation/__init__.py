"""Choosing an operating point on validation, without retraining."""

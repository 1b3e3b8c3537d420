"""Hyper-parameters chosen on validation, and what test says of them."""

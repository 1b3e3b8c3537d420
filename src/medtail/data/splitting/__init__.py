"""Which images are trained on, chosen by and judged by."""

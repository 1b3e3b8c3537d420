"""What each data set that needs no file is, readable without PyTorch or pandas."""

#: The first line of the docstring of each function in ``BUILT_IN``.
BUILT_IN_DESCRIPTIONS: dict[str, str] = {
    "digits-lt": "scikit-learn's handwritten digits (8 x 8), training subsampled to imbalance ratio 50; no file needed",
}

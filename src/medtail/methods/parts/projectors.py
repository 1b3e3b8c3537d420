"""Small networks from features to the space in which they are compared."""

from torch import nn


def projector(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    """Return Linear → BatchNorm → ReLU → Linear, which BCL and GML have."""
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, out_features),
    )


def plain_projector(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    """Return Linear → ReLU → Linear, which NCL has."""
    return nn.Sequential(
        nn.Linear(in_features, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out_features)
    )

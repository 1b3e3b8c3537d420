"""medtail: image classification when the classes are imbalanced and the rare ones matter most.

The parts are imported by name, so that each costs only what it needs:
``medtail.losses``, ``medtail.heads``, ``medtail.backbones``, ``medtail.methods``, ``medtail.data``,
``medtail.metrics``, ``medtail.training``, ``medtail.evaluation``.
"""

__version__ = "0.1.0"

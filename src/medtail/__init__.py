"""medtail: image classification when the classes are imbalanced and the rare ones matter most.

Import its rooms by name, so that each loads only what it needs: ``medtail.losses``, ``medtail.heads``,
``medtail.backbones``, ``medtail.sam``, ``medtail.metrics``, ``medtail.methods``, ``medtail.data``,
``medtail.training``, ``medtail.inference``, ``medtail.operating_point``, ``medtail.evaluation``.
"""

__version__ = "0.1.0"

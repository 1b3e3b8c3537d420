"""Arrays as a page carries them: bytes in base64, which JavaScript reads without parsing numbers."""

import base64
from typing import Any

import numpy as np


def packed(values: np.ndarray) -> dict[str, Any]:
    """Return the kind, shape and bytes of an array, in the smallest kind that holds every value exactly.

    Example:
        >>> packed(np.array([1, 2, 3]))
        {'kind': 'Uint8Array', 'shape': [3], 'base64': 'AQID'}
        >>> packed(np.array([0.1]))["kind"], packed(np.array([0.5]))["kind"]
        ('Float64Array', 'Float32Array')
    """
    kinds = _FLOATS if np.issubdtype(values.dtype, np.floating) else _WHOLE
    name, small = next(
        (name, small)
        for name, kind in kinds.items()
        if np.array_equal(small := values.astype(kind), values) or kind == list(kinds.values())[-1]
    )
    content = base64.b64encode(np.ascontiguousarray(small).tobytes()).decode("ascii")
    return {"kind": name, "shape": list(values.shape), "base64": content}


#: Names of JavaScript, all little-endian, as every browser has them.
_FLOATS = {"Float32Array": "<f4", "Float64Array": "<f8"}
_WHOLE = {"Uint8Array": "<u1", "Uint16Array": "<u2", "Int32Array": "<i4"}

"""Pictures inside a page, so that it loads nothing."""

import base64
import io

import numpy as np
from PIL import Image

#: Pictures of at most this many pixels along each side are kept as they are.
SMALL = 96


def data_url(pixels: np.ndarray, largest: int) -> str:
    """Return pixels as an address that holds them: small ones as PNG, larger ones shrunk and as JPEG.

    Args:
        pixels: uint8 ``(H, W, 3)``.
        largest: Pixels along the longer side of what is stored.
    """
    image = Image.fromarray(pixels)
    buffer = io.BytesIO()
    if max(image.size) <= SMALL:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.thumbnail((largest, largest))
        image.save(buffer, "JPEG", quality=85)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"

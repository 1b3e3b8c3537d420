"""The size that compressed pixels say of themselves, which decoders go by, whatever the header around them says.

JPEG and JPEG-LS: ITU-T T.81 B.2.2 and T.87 C.2.2; JPEG 2000: ITU-T T.800 A.5.1.
"""

#: Markers that stand alone, without a length: TEM, RST0 to RST7, SOI.
_ALONE = {0x01, *range(0xD0, 0xD9)}

#: Start of frame, of every process of JPEG and of JPEG-LS; DHT, JPG and DAC lie between them.
_FRAMES = ({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}) | {0xF7}

_JPEG_2000 = b"\xff\x4f\xff\x51"


def codestream_sides(codestream: bytes) -> tuple[int, int, int] | None:
    """Return height, width and samples per pixel; None for compressions that have no size of their own.

    Raises:
        ValueError: It begins as a codestream, but does not say its size.

    Example:
        >>> jpeg = bytes.fromhex("ffd8 ffc0 0011 08 0020 0010 03 011100 021100 031100")
        >>> codestream_sides(jpeg), codestream_sides(b"runs of bytes")
        ((32, 16, 3), None)
    """
    if codestream.startswith(b"\xff\xd8"):
        return _jpeg(codestream)
    start = codestream.find(_JPEG_2000, 0, 2**16)
    return _jpeg_2000(codestream[start + 4 : start + 42]) if start >= 0 else None


def _jpeg(codestream: bytes) -> tuple[int, int, int]:
    place = 2
    while place + 4 <= len(codestream):
        if codestream[place] != 0xFF:
            raise ValueError("a marker is missing in its JPEG codestream")
        marker = codestream[place + 1]
        if marker == 0xFF:  # fill bytes
            place += 1
        elif marker in _ALONE:
            place += 2
        elif marker in _FRAMES:
            frame = codestream[place + 5 : place + 10]
            if len(frame) < 5:
                break
            return int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big"), frame[4]
        else:
            place += 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
    raise ValueError("its JPEG codestream does not say its size")


def _jpeg_2000(siz: bytes) -> tuple[int, int, int]:
    if len(siz) < 38:
        raise ValueError("its JPEG 2000 codestream does not say its size")
    right, bottom, left, top = (int.from_bytes(siz[start : start + 4], "big") for start in (4, 8, 12, 16))
    return bottom - top, right - left, int.from_bytes(siz[36:38], "big")

"""Smaller PNG files of pages: 256 colours are enough for text and a few areas, and make a third of the bytes."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_COLOURS = 256
CHANNELS = {2: 3, 6: 4}
"""Bytes of a pixel by PNG's colour type: RGB, and RGB with alpha."""

Colour = tuple[int, int, int]


def shrink(picture: bytes) -> bytes:
    """Return a picture (8 bits for each channel, not interlaced) with the nearest of its 256 most frequent colours.

    Raises:
        KeyError: the picture is of another kind.
    """
    width, height, pixels = _decode(picture)
    frequencies = Counter(pixels)
    palette = [colour for colour, _ in frequencies.most_common(MAX_COLOURS)]
    numbers = {colour: number for number, colour in enumerate(palette)}
    for colour in frequencies:
        if colour not in numbers:
            numbers[colour] = min(range(len(palette)), key=lambda number: _distance(palette[number], colour))
    indexes = bytes(numbers[pixel] for pixel in pixels)
    lines = b"".join(b"\0" + indexes[row * width : (row + 1) * width] for row in range(height))
    return b"".join(
        (
            SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(channel for colour in palette for channel in colour)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(SIGNATURE)
    while position < len(picture):
        (length,) = struct.unpack_from(">I", picture, position)
        yield picture[position + 4 : position + 8], picture[position + 8 : position + 8 + length]
        position += length + 12


def _decode(picture: bytes) -> tuple[int, int, list[Colour]]:
    """Return width, height and all pixels, row after row."""
    parts: dict[bytes, bytes] = {}
    for kind, content in _chunks(picture):
        parts[kind] = parts.get(kind, b"") + content
    width, height, _, colour_type, *_ = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    channels = CHANNELS[colour_type]
    raw, size = zlib.decompress(parts[b"IDAT"]), width * channels
    pixels: list[Colour] = []
    above = bytearray(size)
    for start in range(0, len(raw), size + 1):
        line = bytearray(raw[start + 1 : start + 1 + size])
        _undo_filter(raw[start], line, above, channels)
        pixels += zip(line[::channels], line[1::channels], line[2::channels], strict=True)
        above = line
    return width, height, pixels


def _undo_filter(kind: int, line: bytearray, above: bytearray, channels: int) -> None:
    """Undo what PNG subtracted from each byte of a line: nothing, left, above, their mean, or the nearest (Paeth)."""
    if kind == 0:
        return
    for at in range(len(line)):
        left = line[at - channels] if at >= channels else 0
        corner = above[at - channels] if at >= channels else 0
        guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]
        line[at] = (line[at] + guess) & 255


def _paeth(left: int, above: int, corner: int) -> int:
    estimate = left + above - corner
    return min((left, above, corner), key=lambda value: abs(estimate - value))

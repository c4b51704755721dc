"""Turning a JPEG upright, as its EXIF header says, inside of a graph.

Layout of the header: CIPA DC-008 (Exif 2.32), §4.5 and §4.6.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# The header is one of the first segments, each of which is below 64 KiB.
_SEARCHED = 2**17
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_ORIENTATION = 0x0112
_SHORT, _LONG = 3, 4
_BIG_ENDIAN, _LITTLE_ENDIAN = 0x4D4D002A, 0x49492A00


def jpeg_orientation(data: tf.Tensor) -> tf.Tensor:
    """The orientation tag of a JPEG file, 1 where there is none that makes sense.

    Args:
        data: () string, beginning like a JPEG.

    Returns:
        () int32 in 1…8.
    """
    values = tf.io.decode_raw(tf.strings.substr(data, 0, _SEARCHED), tf.uint8)
    read = _Bytes(tf.cast(values, tf.int32), tf.size(values))
    start, end, found = _find_exif(read)
    header = _Bytes(read.values, tf.minimum(end, read.length))
    return tf.cond(found, lambda: _orientation(header, start), lambda: tf.constant(1))


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn and mirror pixels (H, W, C) as an orientation in 1…8 asks for."""
    turned = tf.cond(
        orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels
    )
    for axis, orientations in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        turned = tf.cond(
            tf.reduce_any(tf.equal(orientation, orientations)),
            lambda: tf.reverse(turned, [axis]),  # noqa: B023, traced at once
            lambda: turned,  # noqa: B023
        )
    return turned


class _Bytes(NamedTuple):
    """Numbers in bytes, 0 behind `length`, so that a damaged header ends nothing."""

    values: tf.Tensor
    length: tf.Tensor

    def numbers(self, position, size, little=False):
        """Unsigned integers of `size` bytes at each position: int32."""
        places = tf.convert_to_tensor(position)[..., None] + tf.range(size)
        inside = (places >= 0) & (places < self.length)
        values = tf.gather(self.values, tf.where(inside, places, 0))
        values = tf.where(inside, values, 0)
        power = tf.where(little, tf.range(size), tf.range(size - 1, -1, -1))
        return tf.reduce_sum(tf.bitwise.left_shift(values, 8 * power), -1)


def _find_exif(read):
    """Where the TIFF part of the first EXIF segment starts and ends, and if any is."""

    def marker(place):
        return read.numbers(place + 1, 1)

    def is_exif(place):
        name = read.numbers(place + tf.constant([4, 6, 8]), 2)
        return tf.equal(marker(place), _APP1) & tf.reduce_all(
            tf.equal(name, [0x4578, 0x6966, 0])  # "Exif\0\0"
        )

    def goes_on(place):
        in_header = tf.equal(read.numbers(place, 1), 0xFF) & tf.not_equal(
            marker(place), _START_OF_SCAN
        )
        return (place + 4 <= read.length) & in_header & ~is_exif(place)

    def step(place):
        # A segment's length counts its own two bytes; 0xFF may be repeated as filling.
        length = tf.maximum(read.numbers(place + 2, 2), 2)
        is_filling = tf.equal(marker(place), 0xFF)
        return (place + tf.where(is_filling, 1, 2 + length),)

    (place,) = tf.while_loop(goes_on, step, (tf.constant(2),))
    end = place + 2 + read.numbers(place + 2, 2)
    return place + 10, end, (place + 4 <= read.length) & is_exif(place)


def _orientation(read, start):
    order = read.numbers(start, 4)
    little = tf.equal(order, _LITTLE_ENDIAN)
    directory = start + read.numbers(start + 4, 4, little)
    count = tf.minimum(read.numbers(directory, 2, little), _SEARCHED // 12)
    entries = directory + 2 + 12 * tf.range(count)
    kind = read.numbers(entries + 2, 2, little)
    values = tf.where(
        tf.equal(kind, _SHORT),
        read.numbers(entries + 8, 2, little),
        tf.where(tf.equal(kind, _LONG), read.numbers(entries + 8, 4, little), 0),
    )
    wanted = tf.equal(read.numbers(entries, 2, little), _ORIENTATION)
    value = tf.reduce_max(tf.concat([tf.where(wanted, values, 0), [0]], 0))
    usable = (little | tf.equal(order, _BIG_ENDIAN)) & (value >= 1) & (value <= 8)
    return tf.where(usable, value, 1)

"""Bilinear enlargement with gathers: the same with and without XLA, any batch."""

from __future__ import annotations

import tensorflow as tf


def resize_bilinear(values: tf.Tensor, height, width) -> tf.Tensor:
    """Resize bilinearly between pixel centres, edges repeated.

    Output pixel i lies at (i + ½)·h/H − ½ of the input, as in `tf.image.resize`
    without antialiasing, PIL and OpenCV (half-pixel centres; not the corners of
    TensorFlow 1, which shift a map by up to half a cell).

    Args:
        values: (N, h, w, C) float32.
        height, width: H and W, integers or () int32.

    Returns:
        (N, H, W, C) float32.
    """
    for axis, size in ((1, height), (2, width)):
        length = tf.shape(values)[axis]
        step = tf.cast(length, tf.float32) / tf.cast(size, tf.float32)
        places = (tf.range(tf.cast(size, tf.float32)) + 0.5) * step - 0.5
        below, above, share = neighbours(places, length)
        share = share[:, None, None] if axis == 1 else share[:, None]
        low = tf.gather(values, below, axis=axis)
        high = tf.gather(values, above, axis=axis)
        values = low + share * (high - low)
    return values


def neighbours(places: tf.Tensor, length) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The two pixels beside each place on an axis, and the second one's share.

    Args:
        places: float32 of any shape, in pixels, 0 the centre of the first; places
            outside are moved to the nearest pixel.
        length: number of pixels on the axis, () int32.

    Returns:
        Indices below and above (int32) and share (float32, in [0, 1)), of the shape
        of `places`: the value there is (1 − share)·below + share·above.
    """
    last = tf.cast(length, tf.float32) - 1
    places = tf.clip_by_value(places, 0.0, last)
    floor = tf.floor(places)
    below = tf.cast(floor, tf.int32)
    above = tf.minimum(below + 1, tf.cast(last, tf.int32))
    return below, above, places - floor

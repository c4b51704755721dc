"""`tss.demo.prepare` in TensorFlow operations: photos resized inside of a graph."""

from __future__ import annotations

import tensorflow as tf

RESIZES = ("crop", "squeeze")


def prepared(pixels: tf.Tensor, height: int, width: int, resize: str) -> tf.Tensor:
    """Cut out what has the model's shape and resize it.

    The same numbers as `tss.demo.prepare`, up to float32's last bit: reduced sides by
    area, enlarged ones bilinearly between pixel centres.

    Args:
        pixels: (h, w, 3) uint8 of any size.
        height, width: H and W.
        resize: "crop" keeps the largest central part of the shape H : W, the central
            square for a square; "squeeze" keeps everything and changes the shape.

    Returns:
        (H, W, 3) float32 in 0…255.
    """
    if resize == "crop":
        pixels = _cropped(pixels, height, width)
    rows = tf.transpose(_resized(pixels, height), [1, 0, 2])
    resized = tf.transpose(_resized(rows, width), [1, 0, 2])
    return tf.ensure_shape(tf.cast(resized, tf.float32), [height, width, 3])


def _cropped(pixels, height, width):
    size = tf.cast(tf.shape(pixels)[:2], tf.int64)
    fitting = tf.stack([size[1] * height // width, size[0] * width // height])
    kept = tf.cast(tf.maximum(tf.minimum(size, fitting), 1), tf.int32)
    top, left = tf.unstack((tf.shape(pixels)[:2] - kept) // 2)
    return pixels[top : top + kept[0], left : left + kept[1]]


def _resized(pixels, size):
    """The first axis: (L, …) → (size, …) float64."""
    return tf.cond(
        size <= tf.shape(pixels)[0],
        lambda: _reduced(pixels, size),
        lambda: _enlarged(pixels, size),
    )


def _reduced(pixels, size):
    """Means over equal shares of the first axis."""
    length = tf.shape(pixels)[0]
    edges = tf.range(size, dtype=tf.float64) * (tf.cast(length, tf.float64) / size)
    edges = tf.concat([edges, [tf.cast(length, tf.float64)]], 0)
    first = tf.cast(tf.floor(edges), tf.int32)
    # The sum from each edge's pixel on to before the next edge's. Whole numbers are
    # summed exactly.
    kind = tf.int32 if pixels.dtype == tf.uint8 else tf.float64
    flat = tf.cast(tf.reshape(pixels, [length, -1]), kind)
    group = tf.searchsorted(first[1:], tf.range(length), side="right")
    sums = tf.reshape(
        tf.math.segment_sum(flat, group), tf.concat([[size], tf.shape(pixels)[1:]], 0)
    )
    # Its first pixel is covered in part, as is that of the next edge.
    share = (edges - tf.floor(edges))[:, None, None]
    edge = tf.gather(pixels, tf.minimum(first, length - 1))
    partial = share * tf.cast(edge, tf.float64)
    covered = tf.cast(sums, tf.float64) + partial[1:] - partial[:-1]
    return covered / (edges[1:] - edges[:-1])[:, None, None]


def _enlarged(pixels, size):
    """Linear between pixel centres, edges repeated."""
    length = tf.shape(pixels)[0]
    centres = (tf.range(size, dtype=tf.float64) + 0.5) * tf.cast(length, tf.float64)
    centres = tf.clip_by_value(
        centres / size - 0.5, 0.0, tf.cast(length - 1, tf.float64)
    )
    below = tf.cast(tf.floor(centres), tf.int32)
    above = tf.minimum(below + 1, length - 1)
    share = (centres - tf.floor(centres))[:, None, None]
    low, high = (
        tf.cast(tf.gather(pixels, places), tf.float64) for places in (below, above)
    )
    return (1 - share) * low + share * high

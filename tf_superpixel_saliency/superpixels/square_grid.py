"""Squares as super-pixels: the control that knows nothing of the image."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.superpixels.arguments import whole_number
from tf_superpixel_saliency.superpixels.control import ControlLayer, check_one_given


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SquareGrid(ControlLayer):
    """Squares on a grid, a control: do groups have to follow the image at all?

    Give exactly one of `size`, `n_segments` and `like`. With `size` the squares
    start at the upper left, and the last row and column may be cut. With the others
    pixel (i, j) of an image of H×W is in cell (⌊i·r/H⌋, ⌊j·c/W⌋) of r rows and c
    columns: of the grids whose r·c is within 5 % of the number wanted, the one with
    the most nearly square cells; of a tiny image, where there may be none, one
    whose r·c is nearest. TensorFlow operations throughout, XLA included, unless
    `like` runs on the host.

    Args:
        size: side of a square in pixels, at least 1.
        n_segments: number of groups of every image, roughly, at least 1.
        like: another super-pixel layer; each image gets roughly as many squares
            as this layer has groups on it.
        value_range: (low, high) of the images; that of `like`, or else (0, 255),
            unless given.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Input shape:
        (N, H, W, C) float or integer, any C of at least 1, in `value_range`.

    Output shape:
        (N, H, W) int32, labels 0…p−1 in raster order of first appearance.

    Raises:
        ValueError: if not exactly one of the three is given, for a number below 1,
            for more segments than pixels, for a `like` that is no super-pixel
            layer, or a `value_range` other than that of `like`.
    """

    def __init__(
        self, size=None, n_segments=None, like=None, value_range=None, **kwargs
    ):
        name = type(self).__name__
        check_one_given(name, size=size, n_segments=n_segments, like=like)
        super().__init__(
            n_segments=n_segments, like=like, value_range=value_range, **kwargs
        )
        self.size = None if size is None else whole_number(name, "size", size, 1)

    def segment(self, images):
        shape = tf.shape(images)
        batch, height, width = shape[0], shape[1], shape[2]
        if self.size is not None:
            side = min(self.size, tf.int32.max)
            columns = (width - 1) // side + 1
            row, column = tf.range(height) // side, tf.range(width) // side
            grid = row[:, None] * columns + column
            return tf.tile(grid[None], [batch, 1, 1])
        rows, columns = _near_square_grid(self._group_counts(images), height, width)
        row = tf.range(height) * rows[:, None] // height
        column = tf.range(width) * columns[:, None] // width
        return row[:, :, None] * columns[:, None, None] + column[:, None, :]

    def get_config(self):
        config = super().get_config()
        config["size"] = self.size
        return config


def _near_square_grid(counts, height, width):
    """Rows and columns of near-square cells, r·c within 5 % of the count.

    Whole numbers decide what is within 5 %, so that no rounding can differ between
    XLA and plain TensorFlow.

    Args:
        counts: (N,) int32, at least 1.
        height: () int32, at least 1.
        width: () int32, at least 1.

    Returns:
        Rows and columns, (N,) int32 each.
    """
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    wanted = tf.cast(counts, tf.int64)[:, None]
    rows = tf.range(1, height + 1, dtype=tf.int64)[None]
    # For each number of rows the nearest number of columns.
    columns = tf.clip_by_value((2 * wanted + rows) // (2 * rows), 1, width)
    total = rows * columns
    error = tf.abs(total - wanted)
    least = tf.reduce_min(error, axis=1, keepdims=True)
    near = (20 * error <= wanted) | (error == least)
    stretch = _ratio(rows * width, columns * height) * _ratio(total, wanted)
    best = tf.argmin(tf.where(near, stretch, float("inf")), axis=1)
    columns = tf.gather(columns, best, axis=1, batch_dims=1)
    return tf.cast(best + 1, tf.int32), tf.cast(columns, tf.int32)


def _ratio(one, other):
    """The larger over the smaller, float64, at least 1."""
    larger, smaller = tf.maximum(one, other), tf.minimum(one, other)
    return tf.cast(larger, tf.float64) / tf.cast(smaller, tf.float64)

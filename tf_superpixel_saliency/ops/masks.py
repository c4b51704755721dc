"""Masks that hide parts of images: random smooth ones, and what fills the gaps."""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.ops.resizing import neighbours


def smooth_masks(
    numbers: tf.Tensor, height, width, grid: int, probability: float, seed: int
) -> tf.Tensor:
    """Random masks, each set by (seed, its number) alone.

    Petsiuk, Das and Saenko, BMVC 2018, §3.2, with the sizes of its authors' code: a
    grid × grid array of independent cells, 1 with a probability and else 0, is
    enlarged bilinearly to (grid + 1)·⌈H/grid⌉ × (grid + 1)·⌈W/grid⌉ pixels, out of
    which H × W are cut, shifted by 0 … ⌈H/grid⌉ − 1 rows and as many columns. Every
    mask has a shift of its own.

    Args:
        numbers: (k,) int32.
        height, width: H and W, integers or () int32.
        grid: cells on a side, at least 1.
        probability: in [0, 1], the expected value of each pixel.
        seed: 0 … 2³¹ − 1.

    Returns:
        (k, H, W) float32 in [0, 1], the same with and without XLA.
    """

    def draw(number):
        return tf.random.stateless_uniform(
            [grid * grid + 2],
            seed=tf.stack([tf.constant(seed, tf.int32), tf.cast(number, tf.int32)]),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
            alg="philox",
        )

    bits = tf.map_fn(draw, numbers, fn_output_signature=tf.uint32)
    # The upper 24 bits, the most that float32 holds exactly.
    top = tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.int32)
    cells = tf.cast(top[:, :-2] < round(probability * 2**24), tf.float32)
    cells = tf.reshape(cells, [-1, grid, grid])
    shifts = tf.cast(top[:, -2:], tf.float32) * 2.0**-24  # in [0, 1)
    rows = _enlarged(cells, height, shifts[:, 0])
    columns = _enlarged(tf.transpose(rows, [0, 2, 1]), width, shifts[:, 1])
    return tf.transpose(columns, [0, 2, 1])


def _enlarged(cells, size, shifts):
    """Enlarge axis 1 and cut `size` out of it: (k, grid, …) → (k, size, …)."""
    grid = cells.shape[1]
    cell = -(-size // grid)
    offset = tf.floor(shifts * tf.cast(cell, tf.float32))
    pixels = tf.range(tf.cast(size, tf.float32)) + offset[:, None]
    step = grid / tf.cast((grid + 1) * cell, tf.float32)
    below, above, share = neighbours((pixels + 0.5) * step - 0.5, grid)
    low = tf.gather(cells, below, axis=1, batch_dims=1)
    high = tf.gather(cells, above, axis=1, batch_dims=1)
    return low + share[..., None] * (high - low)


def apply_masks(images: tf.Tensor, masks: tf.Tensor, fill: tf.Tensor) -> tf.Tensor:
    """fill + mask·(image − fill): 1 keeps a pixel, 0 replaces it.

    Args:
        images: (N, H, W, C) float32.
        masks: (k, N, H, W) float32, or (k, 1, H, W) for the same in all images.
        fill: float32 that broadcasts to (N, H, W, C).

    Returns:
        (k·N, H, W, C) float32, mask by mask.
    """
    rows = fill + masks[..., None] * (images - fill)
    rows = tf.reshape(rows, tf.concat([[-1], tf.shape(images)[1:]], axis=0))
    return tf.ensure_shape(rows, [None, *images.shape[1:]])

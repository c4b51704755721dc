"""Sparsification of gradients, as in Levine, Singla and Feizi, 'Certifiably Robust
Interpretation in Deep Learning' (arXiv:1905.12105).
"""

from __future__ import annotations

import tensorflow as tf


def kth_largest(values: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
    """The k-th largest of each row, exactly, by bisection over the float's bits.

    Non-negative floats are ordered as their bit patterns are, so 31 counts find the
    threshold; a sort of 150,000 values would cost as much as a network's gradient.

    Args:
        values: (N, d) float32, non-negative, without NaN.
        k: () int32, 1 … d.

    Returns:
        (N,) float32.
    """
    bits = tf.bitcast(values, tf.int32)

    def step(bit, found):
        candidate = found + tf.bitwise.left_shift(tf.constant(1, tf.int32), bit)
        count = tf.reduce_sum(tf.cast(bits >= candidate[:, None], tf.int32), axis=1)
        return bit - 1, tf.where(count >= k, candidate, found)

    _, found = tf.while_loop(
        lambda bit, _: bit >= 0,
        step,
        (tf.constant(30, tf.int32), tf.zeros(tf.shape(bits)[:1], tf.int32)),
        parallel_iterations=1,
        maximum_iterations=31,
    )
    return tf.bitcast(found, tf.float32)


def sparsify(
    gradients: tf.Tensor,
    top_fraction: float,
    saturation_fraction: float | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Keep the largest values of each |gradient|, as 1 or as a share of a high one.

    Over all d = H·W·C values z of |gradient| of one image: 1 where z is at least the
    ⌈τ·d⌉-th largest, else 0. Relaxed: min(z / z_(γ), 1) there, z_(γ) being the
    ⌈γ·d⌉-th largest. Ties at the threshold are kept whole, and zeros never are.

    Args:
        gradients: (N, H, W, C) float32.
        top_fraction: τ in (0, 1].
        saturation_fraction: γ in (0, τ], or None for the binary form.

    Returns:
        (N, H, W, C) float32 in [0, 1], and the share kept, (N,) float32: above τ
        where ties were kept, below it where zeros were not.
    """
    shape = tf.shape(gradients)
    size = tf.reduce_prod(shape[1:])
    flat = tf.reshape(tf.abs(gradients), [shape[0], size])
    kept = flat >= kth_largest(flat, _rank(size, top_fraction))[:, None]
    kept = tf.cast(kept & (flat > 0), tf.float32)
    share = tf.reduce_mean(kept, axis=1)
    if saturation_fraction is not None:
        level = kth_largest(flat, _rank(size, saturation_fraction))[:, None]
        # Where fewer than γ·d values are not 0, the level is 0 and all kept are 1.
        relaxed = tf.math.divide_no_nan(flat, level)
        kept *= tf.where(flat < level, relaxed, 1.0)
    return tf.reshape(kept, shape), share


def _rank(size, fraction):
    # In float64: float32 would misplace the rank of images beyond 16 M values. A hair
    # less than the product: 0.07 · 100 rounds to above 7 and must not become 8.
    product = tf.cast(size, tf.float64) * (fraction * (1 - 1e-12))
    rank = tf.cast(tf.math.ceil(product), tf.int32)
    return tf.clip_by_value(rank, 1, size)

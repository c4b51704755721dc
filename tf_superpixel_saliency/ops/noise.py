"""Gaussian noise that is the same with and without XLA, for any batch and chunk.

TensorFlow's own normal generators give another sequence under XLA. The bits of
`stateless_uniform` with Philox do not, so normals are made from them by Box and
Muller (Ann. Math. Statist. 29, 1958).
"""

from __future__ import annotations

import math

import tensorflow as tf


def standard_normal(shape: tf.Tensor, seed: int, sample: tf.Tensor) -> tf.Tensor:
    """Independent N(0, 1) numbers, set by (seed, sample) alone.

    Args:
        shape: (k,) int32, the shape wanted.
        seed: 0 … 2³¹ − 1.
        sample: () int32, the number of the sample.

    Returns:
        float32 of that shape.
    """
    size = tf.reduce_prod(shape)
    half = (size + 1) // 2
    bits = tf.random.stateless_uniform(
        [2, half],
        seed=tf.stack([tf.constant(seed, tf.int32), tf.cast(sample, tf.int32)]),
        minval=None,
        maxval=None,
        dtype=tf.uint32,
        alg="philox",
    )
    # The upper 24 bits, the most that float32 holds; + ½ keeps 0 out of the log.
    top = tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.int32)
    uniform = (tf.cast(top, tf.float32) + 0.5) * 2.0**-24
    radius = tf.sqrt(-2.0 * tf.math.log(uniform[0]))
    angle = (2.0 * math.pi) * uniform[1]
    normal = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)
    return tf.reshape(normal[:size], shape)


def normal_samples(shape: tf.Tensor, seed: int, samples: tf.Tensor) -> tf.Tensor:
    """`standard_normal` for several sample numbers: (k,) int32 → (k, *shape)."""
    return tf.map_fn(
        lambda sample: standard_normal(shape, seed, sample),
        samples,
        fn_output_signature=tf.float32,
    )

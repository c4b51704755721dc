"""Weighted mean and spread of maps that come a few at a time.

The update of Chan, Golub and LeVeque (Technical report STAN-CS-79-773, 1979): no
difference of large sums, so that maps that are all the same have a spread of exactly 0.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Moments(NamedTuple):
    """What is known of the maps so far.

    Attributes:
        weight: () float32, the sum of their weights.
        count: () float32, how many have a weight above 0.
        mean: (H, W, C) float32, their weighted mean.
        scatter: (H, W, C) float32, Σ weight · (map − mean)².
    """

    weight: tf.Tensor
    count: tf.Tensor
    mean: tf.Tensor
    scatter: tf.Tensor


def no_moments(like: tf.Tensor) -> Moments:
    """Of no maps at all, of the shape of `like` (H, W, C)."""
    zero = tf.zeros([])
    return Moments(zero, zero, tf.zeros_like(like), tf.zeros_like(like))


def add_maps(moments: Moments, maps: tf.Tensor, weights: tf.Tensor) -> Moments:
    """With further maps (k, H, W, C) of weights (k,) float32, at least 0."""
    spread = tf.reshape(weights, [-1, 1, 1, 1])
    weight = tf.reduce_sum(weights)
    added = tf.math.divide_no_nan(tf.reduce_sum(spread * maps, 0), weight)
    scatter = tf.reduce_sum(spread * tf.square(maps - added), 0)
    total = moments.weight + weight
    share = tf.math.divide_no_nan(weight, total)
    step = added - moments.mean
    # The rectifier changes nothing. It keeps the sum from being one of three tensors,
    # which TensorFlow (2.21) makes a temporary variable where memory is short; a loop
    # creates that once more at its end, and the next call finds it and fails.
    further = tf.nn.relu(scatter + moments.weight * share * tf.square(step))
    return Moments(
        total,
        moments.count + tf.math.count_nonzero(weights, dtype=tf.float32),
        moments.mean + share * step,
        moments.scatter + further,
    )


def standard_error(moments: Moments) -> tf.Tensor:
    """√(scatter / ((count − 1) · weight)), (H, W, C) float32: of the weighted mean.

    Maps of weight w are taken to have a variance of v / w, as means of w equal parts
    have: Σ w (map − mean)² is then (count − 1) v on average, and the mean's variance
    v / Σ w. NaN for fewer than two maps.
    """
    freedom = moments.count - 1.0
    variance = moments.scatter / (tf.maximum(freedom, 1.0) * moments.weight)
    return tf.where(freedom > 0, tf.sqrt(variance), float("nan"))


def relative_error(mean: tf.Tensor, standard_error: tf.Tensor) -> tf.Tensor:
    """How far off a mean map is expected to be, as a part of the true map's size.

    E‖mean − μ‖² is Σ SE², and ‖mean‖² is larger than ‖μ‖² by as much, which is taken
    off. Infinite where the mean is no larger than its error leads to expect.

    Args:
        mean, standard_error: (H, W, C).

    Returns:
        () float32; 0 where there is no error, NaN where it isn't known.
    """
    error = tf.reduce_sum(tf.square(standard_error))
    size = tf.reduce_sum(tf.square(mean)) - error
    ratio = tf.sqrt(tf.math.divide_no_nan(error, size))
    ratio = tf.where((size <= 0) & (error > 0), float("inf"), ratio)
    return tf.where(tf.math.is_nan(size), float("nan"), ratio)

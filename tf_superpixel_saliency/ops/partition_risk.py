"""The unbiased risk of several partitions, and the partition of the least, in a graph.

`metrics.partition_risk` says what the risk is, and is its twin in NumPy.
"""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.ops import groups


def partition_risks(
    first: tf.Tensor, second: tf.Tensor, segments: tf.Tensor, variance_share: float
) -> tf.Tensor:
    """⟨(I − κ)a, (I − κ)b⟩ + share · ‖κ(a − b)‖² of each partition, and of pixels.

    Args:
        first, second: (N, H, W, C) float32, two maps with independent noise: a and b.
        segments: (N, R, H, W) int32, labels in 0…H·W−1, R known.
        variance_share: the variance of the map that is shown over E‖a − b‖²: ½ for
            one of the two, ¼ for their mean.

    Returns:
        (N, R + 1) float64: the last is that of pixels, κ = I.
    """
    difference = first - second
    risks = []
    for labels in tf.unstack(segments, axis=1):
        grouped = [groups.group_mean(one, labels) for one in (first, second)]
        bias = _inner(first - grouped[0], second - grouped[1])
        variance = _inner(*[grouped[0] - grouped[1]] * 2)
        risks.append(bias + variance_share * variance)
    risks.append(variance_share * _inner(difference, difference))
    return tf.stack(risks, axis=1)


def choose_partition(segments: tf.Tensor, risks: tf.Tensor):
    """The partition of the least risk of each image.

    Args:
        segments: (N, R, H, W) int32.
        risks: (N, R + 1), as `partition_risks` returns them.

    Returns:
        (N, H, W) int32, where pixels were chosen each pixel its own group; and which,
        (N,) int32, R for pixels. The first one where the risks are not finite.
    """
    known = tf.where(tf.math.is_nan(risks), tf.cast(float("inf"), risks.dtype), risks)
    chosen = tf.argmin(known, axis=1, output_type=tf.int32)
    shape = tf.shape(segments)
    pixels = tf.reshape(tf.range(shape[2] * shape[3]), [1, 1, shape[2], shape[3]])
    pixels = tf.tile(pixels, [shape[0], 1, 1, 1])
    found = tf.gather(tf.concat([segments, pixels], 1), chosen, axis=1, batch_dims=1)
    whole = tf.TensorShape([segments.shape[0], *segments.shape[2:]])
    return tf.ensure_shape(found, whole), chosen


def _inner(a, b):
    """⟨a, b⟩ of each image, (N,), in float64: differences of large sums matter."""
    product = tf.cast(a, tf.float64) * tf.cast(b, tf.float64)
    return tf.reduce_sum(product, axis=[1, 2, 3])

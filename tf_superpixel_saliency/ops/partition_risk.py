"""The risk of several partitions, and the partition of the least, in a graph.

`metrics.partition_risk` says what the risk is; it is `shrunk` there.
"""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.ops import groups


def partition_risks(
    first: tf.Tensor, second: tf.Tensor, segments: tf.Tensor, variance_share: float
) -> tf.Tensor:
    """The risk of the best multiple of κa, of each partition and of pixels.

    ⟨a, b⟩ − ⟨κa, κb⟩² / (⟨κa, κb⟩ + share · ‖κ(a − b)‖²), where ⟨κa, κb⟩ is above 0.

    Args:
        first, second: (N, H, W, C) float32, two maps with independent noise: a and b.
        segments: (N, R, H, W) int32, labels in 0…H·W−1, R known.
        variance_share: the variance of the map that is shown over E‖a − b‖²: ½ for
            one of the two, ¼ for their mean.

    Returns:
        (N, R + 1) float64: the last is that of pixels, κ = I.
    """
    signal = _inner(first, second)

    def risk(a, b):
        kept = tf.maximum(_inner(a, b), 0.0)
        variance = variance_share * _inner(a - b, a - b)
        return signal - tf.math.divide_no_nan(kept**2, kept + variance)

    risks = [
        risk(groups.group_mean(first, labels), groups.group_mean(second, labels))
        for labels in tf.unstack(segments, axis=1)
    ]
    return tf.stack([*risks, risk(first, second)], axis=1)


def choose_partition(segments: tf.Tensor, risks: tf.Tensor):
    """The partition of the least risk of each image.

    Args:
        segments: (N, R, H, W) int32.
        risks: (N, R + 1), as `partition_risks` returns them.

    Returns:
        (N, H, W) int32, where pixels were chosen each pixel its own group; and which,
        (N,) int32, R for pixels. The first one where the risks are NaN, and of equal
        ones the first.
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

"""Groups of pixels: numbering them, counting them, and the mean inside each.

The paper's κ(x) (eq. 3) is `group_mean`: it averages a map inside every group and
writes the mean back to the group's pixels. Groups never cross images: every
function here works on a batch whose images have groups of their own.

The weights W of x + A·W·g are "mean", the paper's diag(1/|S|), or "sqrt", diag(1/√|S|).
Where the values of a map are independent noise of one variance, a group's value has
that variance over |S| by the first, and that variance itself by the second, whatever
the group's size.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

WEIGHTS = ("mean", "sqrt")


def _offset_labels(segments: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Labels unique over the batch, (N·H·W,), and how many there can be, N·H·W.

    The count is a product of shapes and never a maximum + 1, which XLA can't take.
    """
    shape = tf.shape(segments)
    pixels = shape[1] * shape[2]
    offsets = tf.range(shape[0])[:, None, None] * pixels
    return tf.reshape(segments + offsets, [-1]), shape[0] * pixels


def relabel(segments: tf.Tensor) -> tf.Tensor:
    """Number groups 0…p−1 in raster order of their first pixels.

    Args:
        segments: (N, H, W) int32, labels in 0…H·W−1 in any numbering.

    Returns:
        (N, H, W) int32: the same partition, numbered in raster order.
    """
    shape = tf.shape(segments)
    pixels = shape[1] * shape[2]
    labels, count = _offset_labels(segments)
    position = tf.range(count)
    first = tf.math.unsorted_segment_min(position, labels, count)
    first_of_pixel = tf.gather(first, labels)
    is_first = tf.reshape(tf.equal(first_of_pixel, position), [shape[0], pixels])
    rank = _count_before(is_first[..., None])
    numbered = tf.gather(tf.reshape(rank, [-1]), first_of_pixel)
    return tf.reshape(numbered, shape)


def count_before(flags: tf.Tensor) -> tf.Tensor:
    """How many flags of its column are set above each place: (P, M) bool → int32."""
    return _count_before(flags[None])[0]


def _count_before(flags: tf.Tensor) -> tf.Tensor:
    """The same by the second axis: (N, P, M) bool → int32.

    Counted by words of 32 flags: a running sum over all of them takes XLA's CPU
    backend three times as long.
    """
    shape = tf.shape(flags)
    words = (shape[1] + 31) // 32
    flags = tf.pad(flags, [[0, 0], [0, 32 * words - shape[1]], [0, 0]])
    flags = tf.reshape(flags, [shape[0], words, 32, shape[2]])
    bits = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))[:, None]
    bits, lower = (
        tf.constant(bits.view(np.int32)),
        tf.constant((bits - 1).view(np.int32)),
    )
    word = tf.reduce_sum(tf.where(flags, bits, tf.zeros_like(bits)), axis=2)

    def count(words):
        return tf.cast(tf.raw_ops.PopulationCount(x=words), tf.int32)

    before = tf.cumsum(count(word), axis=1, exclusive=True)[:, :, None]
    before += count(tf.bitwise.bitwise_and(word[:, :, None], lower))
    return tf.reshape(before, [shape[0], 32 * words, shape[2]])[:, : shape[1]]


def compress_labels(labels: tf.Tensor) -> tf.Tensor:
    """Number groups 0…p−1 in raster order, whatever the labels are.

    Sorts the labels, so that any integers will do (`tf.unique` has no fixed output
    shape, which XLA needs). `relabel` is faster where labels are below H·W.

    Args:
        labels: (N, H, W) integers of any size and sign.

    Returns:
        (N, H, W) int32: the same partition, numbered in raster order.
    """
    shape = tf.shape(labels)
    pixels = shape[1] * shape[2]
    flat = tf.reshape(labels, [shape[0], pixels])
    order = tf.argsort(flat, axis=1, stable=True)
    ordered = tf.gather(flat, order, axis=1, batch_dims=1)
    change = tf.not_equal(ordered[:, 1:], ordered[:, :-1])
    rank = tf.pad(tf.cumsum(tf.cast(change, tf.int32), axis=1), [[0, 0], [1, 0]])
    # The inverse permutation by a second sort: a scatter would be serial on XLA.
    inverse = tf.argsort(order, axis=1)
    ranked = tf.gather(rank, inverse, axis=1, batch_dims=1)
    return relabel(tf.reshape(ranked, shape))


def count_groups(segments: tf.Tensor) -> tf.Tensor:
    """Number of groups p of each image.

    Args:
        segments: (N, H, W) int32, labels in 0…p−1, each in use.

    Returns:
        (N,) int32.
    """
    return tf.reduce_max(segments, axis=[1, 2]) + 1


def group_mean(
    maps: tf.Tensor, segments: tf.Tensor, weights: str = "mean"
) -> tf.Tensor:
    """The mean of a map inside every group, written back to the pixels: κ(x)·map.

    Paper, eq. 3: κ(x)_{ij} = 1/|S_k| where pixels i and j are both in S_k, else 0.
    A group is a (super-pixel, channel) pair, so channels are averaged apart.

    Args:
        maps: (N, H, W, C) float.
        segments: (N, H, W) int32, labels in 0…H·W−1.
        weights: "mean" for the mean; "sqrt" for the sum over √|S|, which is √|S| times
            the mean.

    Returns:
        (N, H, W, C) of the type of `maps`, constant inside every group.
    """
    shape = tf.shape(maps)
    labels, count = _offset_labels(segments)
    # Summed in float64: a float32 sum over an image-sized group loses 1e-5.
    values = tf.cast(tf.reshape(maps, [-1, shape[3]]), tf.float64)
    means = tf.math.unsorted_segment_mean(values, labels, count)
    if weights == "sqrt":
        means *= tf.sqrt(_sizes(labels, count, tf.float64))[:, None]
    means = tf.cast(means, maps.dtype)
    return tf.ensure_shape(tf.reshape(tf.gather(means, labels), shape), maps.shape)


def spread_indicators(
    indicators: tf.Tensor, segments: tf.Tensor, weights: str = "mean"
) -> tf.Tensor:
    """A·W·g: each group's indicator over its number of pixels, at its pixels.

    Paper, §3.2: A is the pixel-to-group incidence and W = diag(1/|S_k|).

    Args:
        indicators: (N, p, C) float, one a (super-pixel, channel) pair, or (N, p),
            shared by the channels. p is at least the number of groups.
        segments: (N, H, W) int32, labels in 0…p−1.
        weights: "mean", or "sqrt" for W = diag(1/√|S_k|).

    Returns:
        (N, H, W, C), or (N, H, W, 1) for shared channels.
    """
    if indicators.shape.rank == 2:
        indicators = indicators[..., None]
    labels, count = _offset_labels(segments)
    sizes = _sizes(labels, count, indicators.dtype)
    if weights == "sqrt":
        sizes = tf.sqrt(sizes)
    size_of_pixel = tf.reshape(tf.gather(sizes, labels), tf.shape(segments))
    perturbation = tf.gather(indicators, segments, axis=1, batch_dims=1)
    return perturbation / size_of_pixel[..., None]


def _sizes(labels, count, dtype):
    """Number of pixels of each group: (N·H·W,) labels → (count,)."""
    return tf.math.unsorted_segment_sum(tf.ones_like(labels, dtype), labels, count)

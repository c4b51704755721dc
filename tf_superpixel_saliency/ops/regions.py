"""Regions ranked by the mean of a map over what each of them adds: XRAI's second half.

Regions are those of one or several partitions of the same image, such as super-pixels
at several scales: regions of one partition are disjoint, those of two overlap.
"""

from __future__ import annotations

import tensorflow as tf

from tf_superpixel_saliency.ops import groups

ALGORITHMS = ("full", "fast")


def rank_regions(
    values: tf.Tensor, partitions: tf.Tensor, min_pixels: int, algorithm: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """The gain with which each pixel is covered, region after region.

    "full" (Kapishnikov et al., ICCV 2019, Algorithm 1): of all regions that would add
    at least `min_pixels` uncovered pixels, add the one with the highest mean value over
    these pixels, until none is left. "fast" (as in PAIR's `saliency`): take the regions
    in the order of their whole means, skipping those that add fewer. Of equal ones the
    first goes first. Pixels left at the end have their mean. So the sum over all
    pixels is that of the values.

    Args:
        values: (H, W) float32, finite.
        partitions: (R, H, W) int32, labels in 0…H·W−1.
        min_pixels: at least 1.
        algorithm: "full" or "fast"; they are the same for one partition.

    Returns:
        gains (H, W) float32, constant on every piece; pieces (H, W) int32, what each
        region added, and the pixels left as one, numbered in raster order.
    """
    shape = tf.shape(values)
    flat = tf.cast(tf.reshape(values, [-1]), tf.float64)
    labels = tf.reshape(partitions, [tf.shape(partitions)[0], -1])
    if partitions.shape[0] == 1:
        gains, pieces = _disjoint(flat, labels[0], min_pixels)
    else:
        # A region's number: its label in a partition, after those of the ones before.
        labels += tf.range(tf.shape(labels)[0])[:, None] * tf.shape(labels)[1]
        cover = _cover_fast if algorithm == "fast" else _cover_full
        gains, pieces = cover(flat, labels, min_pixels)
    left = pieces < 0
    gains = tf.where(left, _mean(flat, left), gains)
    pieces = tf.where(left, tf.reduce_max(pieces) + 1, pieces)
    gains = tf.cast(tf.reshape(gains, shape), tf.float32)
    return gains, groups.relabel(tf.reshape(pieces, shape)[None])[0]


def _disjoint(values, labels, min_pixels):
    """Regions that don't overlap: their means, in any order."""
    sums, counts = _totals(values, labels[None], tf.ones_like(values, tf.bool))
    gains = tf.gather(tf.math.divide_no_nan(sums, counts), labels)
    large = tf.gather(counts, labels) >= min_pixels
    return gains, tf.where(large, labels, -1)


def _cover_full(values, labels, min_pixels):
    def choices(uncovered):
        sums, counts = _totals(values, labels, uncovered)
        means = tf.math.divide_no_nan(sums, counts)
        return tf.where(counts >= min_pixels, means, -float("inf"))

    def body(step, means, gains, pieces):
        best = tf.argmax(means, output_type=tf.int32)
        added = _own_pixels(labels, best) & (pieces < 0)
        gains = tf.where(added, means[best], gains)
        pieces = tf.where(added, step, pieces)
        return step + 1, choices(pieces < 0), gains, pieces

    start = (
        tf.constant(0),
        choices(tf.ones_like(values, tf.bool)),
        tf.zeros_like(values),
        tf.fill(tf.shape(values), -1),
    )
    _, _, gains, pieces = tf.while_loop(
        lambda step, means, *_: tf.reduce_max(means) > -float("inf"),
        body,
        start,
        parallel_iterations=1,
    )
    return gains, pieces


def _cover_fast(values, labels, min_pixels):
    sums, counts = _totals(values, labels, tf.ones_like(values, tf.bool))
    means = tf.where(counts > 0, tf.math.divide_no_nan(sums, counts), -float("inf"))
    order = tf.argsort(means, direction="DESCENDING", stable=True)
    number = tf.math.count_nonzero(counts, dtype=tf.int32)

    def body(step, gains, pieces):
        added = _own_pixels(labels, order[step]) & (pieces < 0)
        added &= tf.math.count_nonzero(added, dtype=tf.int32) >= min_pixels
        gains = tf.where(added, _mean(values, added), gains)
        return step + 1, gains, tf.where(added, step, pieces)

    start = tf.constant(0), tf.zeros_like(values), tf.fill(tf.shape(values), -1)
    _, gains, pieces = tf.while_loop(
        lambda step, *_: step < number, body, start, parallel_iterations=1
    )
    return gains, pieces


def _totals(values, labels, uncovered):
    """Sum of the uncovered values in each region, and their number, float64 each."""
    counted = tf.cast(uncovered, tf.float64)
    both = tf.stack([tf.where(uncovered, values, 0.0), counted], axis=1)
    both = tf.tile(both, [tf.shape(labels)[0], 1])
    totals = tf.math.unsorted_segment_sum(
        both, tf.reshape(labels, [-1]), tf.size(labels)
    )
    return totals[:, 0], totals[:, 1]


def _own_pixels(labels, region):
    return tf.equal(labels[region // tf.shape(labels)[1]], region)


def _mean(values, chosen):
    total = tf.reduce_sum(tf.where(chosen, values, 0.0))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(chosen, tf.float64)))

"""Regions ranked by the mean of a map over what each of them adds: XRAI's second half.

Regions are those of one or several partitions of the same image, such as super-pixels
at several scales, each dilated or not. Inside, region k of partition r has the number
r·H·W + k, and `members` (L, H·W) int32 are the regions that each pixel belongs to,
filled up with R·H·W, which is none.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import groups

ALGORITHMS = ("full", "fast")
NEAREST = 8
_BLOCK = 512  # pixels of a region at a time


def rank_regions(
    values: tf.Tensor,
    partitions: tf.Tensor,
    *,
    min_pixels: int = 1,
    dilation: int = 0,
    algorithm: str = "full",
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
        dilation: radius in pixels of the disk by which each region is dilated. A pixel
            is in no more than the `NEAREST` regions nearest to it of each partition.
        algorithm: "full" or "fast"; they are the same for one partition, not dilated.

    Returns:
        gains (H, W) float32, constant on every piece; pieces (H, W) int32, what each
        region added, and the pixels left as one, numbered in raster order.
    """
    shape = tf.shape(values)
    flat = tf.cast(tf.reshape(values, [-1]), tf.float64)
    if partitions.shape[0] == 1 and not dilation:
        gains, pieces = _disjoint(flat, tf.reshape(partitions, [1, -1]), min_pixels)
    else:
        none = tf.size(partitions)
        numbers = tf.range(tf.shape(partitions)[0]) * tf.size(values)
        partitions += numbers[:, None, None]
        members = _dilated(partitions, none, radius=dilation)
        cover = _cover_fast if algorithm == "fast" else _cover_full
        gains, pieces = cover(flat, members, none, min_pixels)
    left = pieces < 0
    gains = tf.where(left, _mean(flat, left), gains)
    pieces = tf.where(left, tf.reduce_max(pieces) + 1, pieces)
    gains = tf.cast(tf.reshape(gains, shape), tf.float32)
    return gains, groups.relabel(tf.reshape(pieces, shape)[None])[0]


def _dilated(regions, none, *, radius):
    """Regions (R, H, W) → members (L, H·W), the nearest first."""
    if not radius:
        return tf.reshape(regions, [tf.shape(regions)[0], -1])
    steps = np.indices((2 * radius + 1, 2 * radius + 1)).reshape(2, -1).T
    distance = ((steps - radius) ** 2).sum(axis=1)
    order = np.argsort(distance, kind="stable")
    offsets = steps[order][distance[order] <= radius**2]
    disk = tf.constant(offsets, tf.int32)
    margin = [radius, radius]
    padded = tf.pad(regions, [[0, 0], margin, margin], constant_values=-1)
    place = tf.range(NEAREST)[:, None, None, None]

    def add(step, count, members):
        begin = tf.concat([[0], disk[step]], axis=0)
        near = tf.slice(padded, begin, tf.shape(regions))
        known = tf.reduce_any(tf.equal(members, near), axis=0) | (near < 0)
        new = tf.equal(place, count) & ~known
        return step + 1, count + tf.cast(~known, tf.int32), tf.where(new, near, members)

    members = tf.fill(tf.concat([[NEAREST], tf.shape(regions)], axis=0), none)
    start = tf.constant(0), tf.zeros_like(regions), members
    _, _, members = tf.while_loop(
        lambda step, *_: step < len(offsets), add, start, parallel_iterations=1
    )
    rows = NEAREST * tf.shape(regions)[0]
    return tf.reshape(members, [rows, -1])


def _disjoint(values, labels, min_pixels):
    """Regions that don't overlap: their means, in any order."""
    sums, counts = _totals(values, labels, tf.size(values))
    gains = tf.gather(tf.math.divide_no_nan(sums, counts), labels[0])
    large = tf.gather(counts, labels[0]) >= min_pixels
    return gains, tf.where(large, labels[0], -1)


def _cover_full(values, members, none, min_pixels):
    # Regions' pixels after one another: what one adds is taken from the others that
    # hold it pixel by pixel, so that a step costs no pass over all partitions.
    pixels = tf.size(values)
    order = tf.argsort(tf.reshape(members, [-1]), stable=True) % pixels
    sums, counts = _totals(values, members, none)
    ends = tf.cumsum(tf.cast(counts, tf.int32))
    starts = ends - tf.cast(counts, tf.int32)

    def means(sums, counts):
        enough = counts >= min_pixels
        return tf.where(enough, tf.math.divide_no_nan(sums, counts), -float("inf"))

    def add(step, gain, best, state):
        def take(block, state):
            sums, counts, mean, gains, pieces = state
            place = starts[best] + block * _BLOCK + tf.range(_BLOCK)
            pixel = tf.gather(order, tf.minimum(place, tf.size(order) - 1))
            new = (place < ends[best]) & (tf.gather(pieces, pixel) < 0)
            # What fills the last block is written to a place past the end.
            written = tf.where(new, pixel, pixels)[:, None]
            gains = _put(gains, written, gain)
            pieces = _put(pieces, written, step)
            held = tf.where(new, tf.gather(members, pixel, axis=1), none)
            held = tf.reshape(held, [-1, 1])
            value = tf.where(new, tf.gather(values, pixel), 0.0)
            value = tf.tile(value, tf.shape(members)[:1])
            sums = tf.tensor_scatter_nd_sub(sums, held, value)
            one = tf.tile(tf.cast(new, tf.float64), tf.shape(members)[:1])
            one = tf.where(held[:, 0] < none, one, 0.0)
            counts = tf.tensor_scatter_nd_sub(counts, held, one)
            now = means(tf.gather_nd(sums, held), tf.gather_nd(counts, held))
            mean = tf.tensor_scatter_nd_update(mean, held, now)
            return block + 1, (sums, counts, mean, gains, pieces)

        blocks = (ends[best] - starts[best] + _BLOCK - 1) // _BLOCK
        _, state = tf.while_loop(
            lambda block, _: block < blocks,
            take,
            (tf.constant(0), state),
            parallel_iterations=1,
        )
        best = tf.argmax(state[2], output_type=tf.int32)
        return step + 1, state[2][best], best, state

    mean = means(sums, counts)
    best = tf.argmax(mean, output_type=tf.int32)
    empty = tf.zeros([pixels + 1], tf.float64), tf.fill([pixels + 1], -1)
    _, _, _, (*_, gains, pieces) = tf.while_loop(
        lambda step, gain, *_: gain > -float("inf"),
        add,
        (tf.constant(0), mean[best], best, (sums, counts, mean, *empty)),
        parallel_iterations=1,
    )
    return gains[:-1], pieces[:-1]


def _cover_fast(values, members, none, min_pixels):
    sums, counts = _totals(values, members, none)
    means = tf.where(counts > 0, tf.math.divide_no_nan(sums, counts), -float("inf"))
    order = tf.argsort(means, direction="DESCENDING", stable=True)
    number = tf.math.count_nonzero(counts, dtype=tf.int32)

    def add(step, gains, pieces):
        own = tf.reduce_any(tf.equal(members, order[step]), axis=0)
        added = own & (pieces < 0)
        added &= tf.math.count_nonzero(added, dtype=tf.int32) >= min_pixels
        gains = tf.where(added, _mean(values, added), gains)
        return step + 1, gains, tf.where(added, step, pieces)

    start = tf.constant(0), tf.zeros_like(values), tf.fill(tf.shape(values), -1)
    _, gains, pieces = tf.while_loop(
        lambda step, *_: step < number, add, start, parallel_iterations=1
    )
    return gains, pieces


def _totals(values, members, none):
    """Sum of the values in each region, and their number, (none + 1,) float64 each."""
    inside = members < none
    numbers = tf.reshape(members, [-1])

    def total(one):
        one = tf.reshape(tf.where(inside, one, 0.0), [-1])
        return tf.math.unsorted_segment_sum(one, numbers, none + 1)

    return total(values), total(tf.ones_like(values))


def _put(target, places, value):
    values = tf.fill(tf.shape(places)[:1], value)
    return tf.tensor_scatter_nd_update(target, places, values)


def _mean(values, chosen):
    total = tf.reduce_sum(tf.where(chosen, values, 0.0))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(chosen, tf.float64)))

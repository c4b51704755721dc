"""A quadrature of maps along a path that goes where the maps change.

The gradient of a network with ReLUs jumps at the kinks that the path crosses, so many
that its maps behave along the path as a Brownian motion does: their squared difference
over a step h grows with h, not with h². For such an integrand the trapezoid's squared
error in an interval is h² ‖Δ‖² / 12 on average, Δ being the difference of the maps at
its ends (the variance of the integral of a Brownian bridge), and errors of intervals
are independent, so that they add up. That is what tells the error, and where the next
nodes belong: cut in n equal parts, an interval's share falls as 1/n², so that the least
error for a number of nodes has n ∝ (h² ‖Δ‖²)^⅓.

A peak that is narrower than an interval hides from ‖Δ‖: the maps at both ends agree.
But the score knows of it: over an interval it changes by the integral of the maps' sum
over their pixels (completeness), so that what the trapezoid of the sums lacks of that
change was missed. The missing map is taken to be as large for its sum as the known maps
are for theirs. The sum of both is the expected squared error of an interval.

Nodes are first few and even, then refined in rounds. The gradients are all used.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# Even nodes first; then so many a round, where the errors are after the round before.
FIRST_NODES = 9
ROUNDS = (4, 4, 8)
# No interval is taken for exactly smooth, since its ends may agree by chance: each has
# at least this share of the mean error.
_LEAST_SHARE = 1e-3


class Values(NamedTuple):
    """What is known at nodes, k of them or one.

    Attributes:
        maps: (k, H, W, C) or (H, W, C), in groups.
        sums: (k,) or (), of the maps over pixels and channels before grouping, the
            score's derivative along the path.
        scores: (k,) or ().
    """

    maps: tf.Tensor
    sums: tf.Tensor
    scores: tf.Tensor


class Mesh(NamedTuple):
    """Intervals of [0, 1], each cut in equal parts.

    Attributes:
        nodes: (m + 1,) float32, increasing, from 0 to 1.
        parts: (m,) int32, at least 1.
    """

    nodes: tf.Tensor
    parts: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """Of the intervals, (m,) float32."""
        return self.nodes[1:] - self.nodes[:-1]

    @property
    def part_lengths(self) -> tf.Tensor:
        """Of one part of each interval, (m,) float32."""
        return self.lengths / tf.cast(self.parts, tf.float32)


class Inner(NamedTuple):
    """Nodes inside the intervals, in the order of the path.

    Attributes:
        positions: (k,) float32 in (0, 1).
        weights: (k,) float32, the length of a part of their interval.
        intervals: (k,) int32, the number of their interval.
        is_first, is_last: (k,) bool, whether next to the interval's left, right end.
    """

    positions: tf.Tensor
    weights: tf.Tensor
    intervals: tf.Tensor
    is_first: tf.Tensor
    is_last: tf.Tensor


def squared_errors(
    lengths: tf.Tensor, left: Values, right: Values, per_score: tf.Tensor
) -> tf.Tensor:
    """Expected squared errors of the trapezoid: h² ‖Δ‖² / 12 + per_score · missed².

    Args:
        lengths: (k,) float32, h, of k intervals.
        left, right: at their ends.
        per_score: () float32, of `map_per_score`, or 0 where the sums are not the
            score's derivative.

    Returns:
        (k,) float32.
    """
    squares = tf.reduce_sum(tf.square(right.maps - left.maps), axis=[1, 2, 3])
    seen = 0.5 * lengths * (left.sums + right.sums)
    missed = right.scores - left.scores - seen
    return tf.square(lengths) * squares / 12.0 + per_score * tf.square(missed)


def map_per_score(values: Values) -> tf.Tensor:
    """Σ ‖map‖² / Σ sum² over nodes, () float32; 0 where all sums are 0."""
    squares = tf.reduce_sum(tf.square(values.maps))
    return tf.math.divide_no_nan(squares, tf.reduce_sum(tf.square(values.sums)))


def best_parts(errors: tf.Tensor, extra: int) -> tf.Tensor:
    """In how many parts to cut each interval, with `extra` nodes to spend.

    The next node goes where it takes most off the sum of errors / parts², which is the
    best there is for every number of nodes (the gains of an interval fall).

    Args:
        errors: (m,) float32, squared errors of the intervals uncut.
        extra: number of nodes.

    Returns:
        (m,) int32, at least 1; Σ (parts − 1) = extra.
    """
    if not extra:
        return tf.ones_like(errors, tf.int32)
    parts = tf.range(1, extra + 1, dtype=tf.float32)
    gains = 1.0 / tf.square(parts) - 1.0 / tf.square(parts + 1.0)
    gains = tf.reshape(_floored(errors)[:, None] * gains, [-1])
    _, taken = tf.math.top_k(gains, extra)
    intervals = tf.shape(errors)[0]
    return 1 + tf.math.unsorted_segment_sum(
        tf.ones_like(taken), taken // extra, intervals
    )


def parts_for(errors: tf.Tensor, wanted: tf.Tensor, most: int) -> tf.Tensor:
    """In how many parts to cut each interval for a squared error, or as far as goes.

    Args:
        errors: (m,) float32, squared errors of the intervals uncut.
        wanted: () float32, the sum of errors / parts² to reach, 0 or more.
        most: number of nodes that may be spent.

    Returns:
        (m,) int32, at least 1; Σ (parts − 1) ≤ most.
    """
    roots = tf.pow(_floored(errors), 1.0 / 3.0)
    scale = tf.sqrt(tf.math.divide_no_nan(tf.reduce_sum(roots), wanted))
    parts = tf.math.ceil(roots * scale)
    limit = tf.cast(most + 1, tf.float32)
    enough = tf.cast(tf.clip_by_value(parts, 1.0, limit), tf.int32)
    spent = tf.reduce_sum(enough - 1)
    feasible = (wanted > 0) & tf.math.is_finite(scale) & (spent <= most)
    return tf.where(feasible, enough, best_parts(errors, most))


def _floored(errors):
    least = _LEAST_SHARE * tf.reduce_mean(errors)
    floored = tf.maximum(errors, least)
    usable = tf.math.is_finite(least) & (least > 0)
    return tf.where(usable, floored, 1.0)


def end_weights(mesh: Mesh) -> tf.Tensor:
    """The trapezoid's weights of the mesh's own nodes, (m + 1,) float32."""
    half = 0.5 * mesh.part_lengths
    return tf.pad(half, [[0, 1]]) + tf.pad(half, [[1, 0]])


def inner_nodes(mesh: Mesh, numbers: tf.Tensor) -> Inner:
    """The nodes that cut the intervals: numbers (k,) in 0 … Σ (parts − 1) − 1."""
    counts = mesh.parts - 1
    intervals, order = _places(counts, numbers)
    length = tf.gather(mesh.part_lengths, intervals)
    left = tf.gather(mesh.nodes, intervals)
    return Inner(
        left + length * tf.cast(order + 1, tf.float32),
        length,
        intervals,
        tf.equal(order, 0),
        tf.equal(order, tf.gather(counts, intervals) - 1),
    )


def part_centres(mesh: Mesh, numbers: tf.Tensor) -> Inner:
    """The centres of all parts: numbers (k,) in 0 … Σ parts − 1."""
    intervals, order = _places(mesh.parts, numbers)
    length = tf.gather(mesh.part_lengths, intervals)
    left = tf.gather(mesh.nodes, intervals)
    return Inner(
        left + length * (tf.cast(order, tf.float32) + 0.5),
        length,
        intervals,
        tf.equal(order, 0),
        tf.equal(order, tf.gather(mesh.parts, intervals) - 1),
    )


def _places(counts, numbers):
    """The interval of each number, and its place in it, for so many an interval."""
    ends = tf.cumsum(counts)
    behind = tf.cast(numbers[:, None] >= ends[None], tf.int32)
    last = tf.shape(counts)[0] - 1
    intervals = tf.minimum(tf.reduce_sum(behind, axis=1), last)
    return intervals, numbers - tf.gather(ends - counts, intervals)

"""The integral along a path, with as many nodes as an accuracy takes."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tf_superpixel_saliency.explainers.path_integral import (
    Integral,
    Path,
    end_sum,
    pilots,
)
from tf_superpixel_saliency.ops import adaptive_quadrature
from tf_superpixel_saliency.ops.adaptive_quadrature import Mesh, squared_errors
from tf_superpixel_saliency.ops.sampling import over_chunks, same_shape

# The number of nodes is planned for this part of the tolerance, since what the first
# nodes tell of the error is good to some 20 %.
_SAFETY = 0.85


class _Walk(NamedTuple):
    """What is added up on a walk along the path: see `Integral`."""

    total: tf.Tensor
    error: tf.Tensor
    num_groups: tf.Tensor
    last: tf.Tensor
    last_weight: tf.Tensor


def accurate_integral(path: Path, tolerance: float, most: int) -> Integral:
    """The trapezoid between nodes where the maps change, until it is accurate.

    The first nodes tell how many it takes. Then the differences between all of them
    tell the error; where it is too large, every part is halved.

    Args:
        path: the way.
        tolerance: the wanted ‖error‖ / ‖maps‖ of the maps in groups.
        most: gradients that may be taken.
    """
    known = pilots(path, most)
    taken = known.nodes.shape[0]
    uncut = Mesh(known.nodes, tf.ones_like(known.errors, tf.int32))
    size = tf.reduce_sum(tf.square(end_sum(uncut, known.maps)))
    wanted = (_SAFETY * tolerance) ** 2 * size
    parts = adaptive_quadrature.parts_for(known.errors, wanted, most - taken)
    mesh = Mesh(known.nodes, parts)
    walk = _walk_inside(path, mesh, known)
    steps = taken + tf.reduce_sum(parts - 1)
    state = (walk.total, walk.error, walk.num_groups, steps, parts)

    def inaccurate(total, error, number, steps, parts):
        del number
        limit = tolerance**2 * tf.reduce_sum(tf.square(total))
        return (error > limit) & (steps + tf.reduce_sum(parts) <= most)

    def halve(total, error, number, steps, parts):
        del error
        centres, error, further = _walk_centres(path, Mesh(known.nodes, parts))
        steps += tf.reduce_sum(parts)
        new = (0.5 * (total + centres), error, number + further, steps, 2 * parts)
        return tuple(map(same_shape, new, state))

    state = tf.while_loop(inaccurate, halve, state, parallel_iterations=1)
    total, error, number, steps, _ = state
    steps = tf.cast(steps, tf.float32)
    return Integral(total, error, steps, number / steps)


def _walk_inside(path, mesh, known):
    """The trapezoid, and its error from the differences between all nodes."""

    def add(walk, numbers, used):
        inner = adaptive_quadrature.inner_nodes(mesh, numbers)
        maps, counts = path.maps(inner.positions)
        before = tf.concat([walk.last[None], maps[:-1]], axis=0)
        left = tf.gather(known.maps, inner.intervals)
        left = tf.where(_spread(inner.is_first), left, before)
        right = tf.gather(known.maps, inner.intervals + 1)
        errors = squared_errors(inner.weights, maps - left)
        at_end = squared_errors(inner.weights, right - maps)
        errors += tf.where(inner.is_last, at_end, 0.0)
        return _added(walk, maps, inner.weights, used, errors, counts)

    uncut = tf.where(mesh.parts == 1, known.errors, 0.0)
    walk = _Walk(
        end_sum(mesh, known.maps),
        tf.reduce_sum(uncut),
        known.num_groups,
        tf.zeros_like(known.maps[0]),
        tf.zeros([]),
    )
    inner = tf.reduce_sum(mesh.parts - 1)
    return over_chunks(add, walk, inner, path.rows_at_once)


def _walk_centres(path, mesh):
    """The midpoint rule of all parts, and the error once it halves them.

    Between neighbouring centres the maps differ as much as over one part, on average;
    half a part has half of that squared difference at half the length, and there are
    twice as many.
    """
    count = tf.reduce_sum(mesh.parts)

    def add(walk, numbers, used):
        centres = adaptive_quadrature.part_centres(mesh, numbers)
        maps, counts = path.maps(centres.positions)
        before = tf.concat([walk.last[None], maps[:-1]], axis=0)
        weights = centres.weights
        lengths = tf.concat([walk.last_weight[None], weights[:-1]], axis=0)
        errors = squared_errors(0.5 * (lengths + weights), maps - before)
        errors = tf.where(numbers > 0, errors, 0.0)
        return _added(walk, maps, weights, used, errors, counts)

    zero = path.points.map_zeros()
    walk = _Walk(zero, tf.zeros([]), tf.zeros([]), zero, tf.zeros([]))
    walk = over_chunks(add, walk, count, path.rows_at_once)
    pairs = tf.cast(count - 1, tf.float32)
    return walk.total, walk.error * (pairs + 1.0) / pairs / 4.0, walk.num_groups


def _added(walk, maps, weights, used, errors, counts):
    number = walk.num_groups
    if counts:
        number += tf.reduce_sum(used * counts["num_groups"])
    return _Walk(
        walk.total + tf.reduce_sum(_spread(weights * used) * maps, axis=0),
        walk.error + tf.reduce_sum(used * errors),
        number,
        maps[-1],
        weights[-1],
    )


def _spread(values):
    return tf.reshape(values, [-1, 1, 1, 1])

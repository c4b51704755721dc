"""The integral along a path, with as many nodes as an accuracy takes."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tf_superpixel_saliency.explainers.image_points import add_numbers
from tf_superpixel_saliency.explainers.path_integral import (
    Integral,
    Path,
    end_sum,
    gathered,
    pilots,
)
from tf_superpixel_saliency.ops import adaptive_quadrature
from tf_superpixel_saliency.ops.adaptive_quadrature import (
    ROUNDS,
    Mesh,
    Values,
    squared_errors,
)
from tf_superpixel_saliency.ops.sampling import over_chunks, same_shape

# The number of nodes is planned for this part of the tolerance, since what the first
# nodes tell of the error is good to some 20 %.
_SAFETY = 0.85


class _Walk(NamedTuple):
    """What is added up on a walk along the path: see `Integral`."""

    total: tf.Tensor
    error: tf.Tensor
    numbers: dict
    last: Values
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
    known = pilots(path, most, ROUNDS[:2])
    taken = known.nodes.shape[0]
    uncut = Mesh(known.nodes, tf.ones_like(known.errors, tf.int32))
    size = tf.reduce_sum(tf.square(end_sum(uncut, known)[0]))
    wanted = (_SAFETY * tolerance) ** 2 * size
    parts = adaptive_quadrature.parts_for(known.errors, wanted, most - taken)
    mesh = Mesh(known.nodes, parts)
    walk = _walk_inside(path, mesh, known)
    steps = taken + tf.reduce_sum(parts - 1)
    state = (walk.total, walk.error, walk.numbers, steps, parts)

    def inaccurate(total, error, numbers, steps, parts):
        del numbers
        limit = tolerance**2 * tf.reduce_sum(tf.square(total))
        return (error > limit) & (steps + tf.reduce_sum(parts) <= most)

    def halve(total, error, numbers, steps, parts):
        del error
        mesh = Mesh(known.nodes, parts)
        centres, error, further = _walk_centres(path, mesh, known)
        steps += tf.reduce_sum(parts)
        numbers = {name: numbers[name] + further[name] for name in numbers}
        numbers["sum"] *= 0.5
        new = (0.5 * (total + centres), error, numbers, steps, 2 * parts)
        return tf.nest.map_structure(same_shape, new, state)

    state = tf.while_loop(inaccurate, halve, state, parallel_iterations=1)
    total, error, numbers, steps, _ = state
    return Integral(total, error, tf.cast(steps, tf.float32), numbers)


def _walk_inside(path, mesh, known):
    """The trapezoid, and its error from the differences between all nodes."""

    def add(walk, numbers, used):
        inner = adaptive_quadrature.inner_nodes(mesh, numbers)
        values, found = path.values(inner.positions)
        left = gathered(known.values, inner.intervals)
        left = _where(inner.is_first, left, _before(walk.last, values))
        right = gathered(known.values, inner.intervals + 1)
        lengths, per_score = inner.weights, known.per_score
        errors = squared_errors(lengths, left, values, per_score)
        at_end = squared_errors(lengths, values, right, per_score)
        errors += tf.where(inner.is_last, at_end, 0.0)
        return _added(walk, values, lengths, used, errors, found)

    uncut = tf.where(mesh.parts == 1, known.errors, 0.0)
    total, numbers = end_sum(mesh, known)
    walk = _Walk(
        total,
        tf.reduce_sum(uncut),
        numbers,
        tf.nest.map_structure(lambda value: tf.zeros_like(value[0]), known.values),
        tf.zeros([]),
    )
    inner = tf.reduce_sum(mesh.parts - 1)
    return over_chunks(add, walk, inner, path.rows_at_once)


def _walk_centres(path, mesh, known):
    """The midpoint rule of all parts, and the error once it halves them.

    Between neighbouring centres the maps differ as much as over one part, on average;
    half a part has half of that squared difference at half the length, and there are
    twice as many.
    """
    count = tf.reduce_sum(mesh.parts)

    def add(walk, numbers, used):
        centres = adaptive_quadrature.part_centres(mesh, numbers)
        values, found = path.values(centres.positions)
        weights = centres.weights
        lengths = tf.concat([walk.last_weight[None], weights[:-1]], axis=0)
        lengths = 0.5 * (lengths + weights)
        before = _before(walk.last, values)
        errors = squared_errors(lengths, before, values, known.per_score)
        errors = tf.where(numbers > 0, errors, 0.0)
        return _added(walk, values, weights, used, errors, found)

    zero, none = path.points.map_zeros(), tf.zeros([])
    numbers = dict.fromkeys(known.numbers, none)
    walk = _Walk(zero, none, numbers, Values(zero, none, none), none)
    walk = over_chunks(add, walk, count, path.rows_at_once)
    pairs = tf.cast(count - 1, tf.float32)
    return walk.total, walk.error * (pairs + 1.0) / pairs / 4.0, walk.numbers


def _before(last, values):
    """What is known at the node before each."""
    return tf.nest.map_structure(
        lambda one, some: tf.concat([one[None], some[:-1]], axis=0), last, values
    )


def _where(choose, first, second):
    """Rows of the first, or else of the second structure."""

    def chosen(one, other):
        rows = tf.reshape(choose, [-1, *[1] * (one.shape.rank - 1)])
        return tf.where(rows, one, other)

    return tf.nest.map_structure(chosen, first, second)


def _added(walk, values, weights, used, errors, found):
    return _Walk(
        walk.total + tf.reduce_sum(_spread(weights * used) * values.maps, axis=0),
        walk.error + tf.reduce_sum(used * errors),
        add_numbers(walk.numbers, found, weights, used),
        tf.nest.map_structure(lambda value: value[-1], values),
        weights[-1],
    )


def _spread(values):
    return tf.reshape(values, [-1, 1, 1, 1])

"""The integral of one image's gradients along a path, by a rule of so many nodes."""

from __future__ import annotations

import functools
from typing import NamedTuple

import tensorflow as tf

from tf_superpixel_saliency.explainers.image_points import add_numbers
from tf_superpixel_saliency.ops import adaptive_quadrature, quadrature
from tf_superpixel_saliency.ops.adaptive_quadrature import Mesh, Values
from tf_superpixel_saliency.ops.sampling import best_chunk, over_chunks


class Path:
    """Points on the way from a baseline to the image, and their gradients.

    Args:
        points: `ImagePoints` of the image.
        start: (1, H, W, C), the baseline.
        change: (1, H, W, C'), the way in what the model eats: the factor of gradients.
        rows_at_once: points that may go through the network at once.
    """

    def __init__(self, points, start, change, rows_at_once):
        self.points = points
        self.change = change
        self.rows_at_once = rows_at_once
        self._start = start

    def rows(self, positions):
        """Positions (k,) in [0, 1] → points (k, H, W, C)."""
        shares = tf.reshape(positions, [-1, 1, 1, 1])
        return self._start + shares * (self.points.image - self._start)

    def values(self, positions):
        """What is known at positions (k,), of change ⊙ gradient in groups.

        Returns:
            As `ImagePoints.point_maps`.
        """
        return self.points.point_maps(self.rows(positions), self.change)

    @functools.cached_property
    def _knows_missed(self):
        """1, or 0 where preprocessing bends the path. Fixed rules don't ask."""
        affine = self.points.scorer.is_affine(self._start, self.points.image)
        return tf.cast(affine, tf.float32)

    def map_per_score(self, values):
        """As of the rule, where the score's change tells of what was missed."""
        return self._knows_missed * adaptive_quadrature.map_per_score(values)

    def chunk(self, count: int) -> int:
        """How many of `count` points to take at a time."""
        return best_chunk(count, self.rows_at_once)


class Integral(NamedTuple):
    """What a rule made of a path.

    Attributes:
        maps: (H, W, C'), in groups.
        error: () float32, the expected ‖maps − exact maps‖², or None.
        num_steps: () float32, number of gradients.
        numbers: {"sum": () float32, over the pixels of the maps before grouping;
            "num_groups": the sum over the points, for "dynamic"}.
    """

    maps: tf.Tensor
    error: tf.Tensor | None
    num_steps: tf.Tensor
    numbers: dict


def fixed_integral(path: Path, name: str, num_steps: int) -> Integral:
    """By a rule of `ops.quadrature`, the same for all images."""
    nodes, weights = quadrature.fixed_rule(name, num_steps)
    nodes, weights = tf.constant(nodes, tf.float32), tf.constant(weights, tf.float32)

    def add(state, numbers, used):
        rows = path.rows(tf.gather(nodes, numbers))
        weight = tf.gather(weights, numbers)
        return path.points.add_to_sum(state, rows, weight, used, path.change)

    state = path.points.zero_sum()
    state = over_chunks(add, state, num_steps, path.chunk(num_steps))
    maps, numbers = path.points.finished_sum(state, path.change)
    return Integral(maps, None, tf.constant(num_steps, tf.float32), numbers)


class Pilots(NamedTuple):
    """The first nodes of the adaptive rule, whose maps are kept.

    Attributes:
        nodes: (m + 1,) float32, increasing.
        values: at the nodes.
        per_score: () float32, as in `squared_errors`.
        errors: (m,) float32, expected squared errors of the intervals between.
        numbers: of the nodes, (m + 1,) each.
    """

    nodes: tf.Tensor
    values: Values
    per_score: tf.Tensor
    errors: tf.Tensor
    numbers: dict


def pilots(path: Path, most: int, rounds=adaptive_quadrature.ROUNDS) -> Pilots:
    """A few even nodes, and more where the error is; at most `most`.

    Args:
        path: the way.
        most: nodes that may be taken.
        rounds: how many more at a time.
    """
    first = min(adaptive_quadrature.FIRST_NODES, most)
    known = _known(path, tf.linspace(0.0, 1.0, first))
    for further in rounds:
        further = min(further, most - known.nodes.shape[0])
        if not further:
            break
        parts = adaptive_quadrature.best_parts(known.errors, further)
        mesh = Mesh(known.nodes, parts)
        more = adaptive_quadrature.inner_nodes(mesh, tf.range(further)).positions
        known = _known(path, tf.ensure_shape(more, [further]), known)
    return known


def _known(path, nodes, before=None):
    count = nodes.shape[0]
    chunk = path.chunk(count)
    found = [path.values(nodes[i : i + chunk]) for i in range(0, count, chunk)]
    found = [(nodes, *_together(found))]
    if before is not None:
        found.insert(0, (before.nodes, before.values, before.numbers))
    nodes, values, numbers = _together(found)
    order = tf.argsort(nodes, stable=True)
    nodes, values, numbers = gathered((nodes, values, numbers), order)
    per_score = path.map_per_score(values)
    errors = adaptive_quadrature.squared_errors(
        nodes[1:] - nodes[:-1],
        tf.nest.map_structure(lambda value: value[:-1], values),
        tf.nest.map_structure(lambda value: value[1:], values),
        per_score,
    )
    return Pilots(nodes, values, per_score, errors, numbers)


def _together(found):
    """Several structures of tensors as one, row after row."""
    return tf.nest.map_structure(lambda *values: tf.concat(values, axis=0), *found)


def gathered(values, numbers):
    """Rows of all tensors of a structure."""
    return tf.nest.map_structure(lambda value: tf.gather(value, numbers), values)


def adaptive_integral(path: Path, num_steps: int) -> Integral:
    """By `num_steps` nodes where the maps change; the error as the pilots tell it."""
    known = pilots(path, num_steps)
    extra = num_steps - known.nodes.shape[0]
    mesh = Mesh(known.nodes, adaptive_quadrature.best_parts(known.errors, extra))
    maps, numbers = end_sum(mesh, known)
    if extra:

        def add(state, order, used):
            inner = adaptive_quadrature.inner_nodes(mesh, order)
            rows = path.rows(inner.positions)
            return path.points.add_to_sum(state, rows, inner.weights, used, path.change)

        state = over_chunks(add, path.points.zero_sum(), extra, path.chunk(extra))
        further, added = path.points.finished_sum(state, path.change)
        maps += further
        numbers = {name: numbers[name] + added[name] for name in numbers}
    error = tf.reduce_sum(known.errors / tf.square(tf.cast(mesh.parts, tf.float32)))
    return Integral(maps, error, tf.constant(num_steps, tf.float32), numbers)


def end_sum(mesh: Mesh, known: Pilots) -> tuple[tf.Tensor, dict]:
    """The part of the trapezoid's sum of the mesh's own nodes: maps, and numbers."""
    weights = adaptive_quadrature.end_weights(mesh)
    maps = tf.reshape(weights, [-1, 1, 1, 1]) * known.values.maps
    zeros = dict.fromkeys(known.numbers, tf.zeros([]))
    numbers = add_numbers(zeros, known.numbers, weights, tf.ones_like(weights))
    return tf.reduce_sum(maps, axis=0), numbers

"""The integral of one image's gradients along a path, by a rule of so many nodes."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from tf_superpixel_saliency.ops import adaptive_quadrature, quadrature
from tf_superpixel_saliency.ops.adaptive_quadrature import Mesh
from tf_superpixel_saliency.ops.sampling import even_chunks, over_chunks


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
        # Traced once for all rounds: it holds the network and its gradient.
        self._maps = tf.function(
            lambda rows: points.point_maps(rows, change),
            input_signature=[tf.TensorSpec([None, *points.image.shape[1:]])],
            autograph=False,
        )

    def rows(self, positions):
        """Positions (k,) in [0, 1] → points (k, H, W, C)."""
        shares = tf.reshape(positions, [-1, 1, 1, 1])
        return self._start + shares * (self.points.image - self._start)

    def maps(self, positions):
        """change ⊙ gradient at positions (k,), in groups: (k, H, W, C'), and counts."""
        return self._maps(self.rows(positions))

    def chunk(self, count: int) -> int:
        """How many of `count` points to take at a time."""
        return even_chunks(count, self.rows_at_once)[-1]


class Integral(NamedTuple):
    """What a rule made of a path.

    Attributes:
        maps: (H, W, C'), in groups.
        error: () float32, the expected ‖maps − exact maps‖², or None.
        num_steps: () float32, number of gradients.
        num_groups: () float32, mean over them, or None.
    """

    maps: tf.Tensor
    error: tf.Tensor | None
    num_steps: tf.Tensor
    num_groups: tf.Tensor | None


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
    maps = path.points.finished_sum(state, path.change)
    steps = tf.constant(num_steps, tf.float32)
    return Integral(maps, None, steps, state[1] / steps)


class Pilots(NamedTuple):
    """The first nodes of the adaptive rule, whose maps are kept.

    Attributes:
        nodes: (m + 1,) float32, increasing.
        maps: (m + 1, H, W, C'), in groups.
        errors: (m,) float32, expected squared errors of the intervals between.
        num_groups: () float32, sum over the nodes.
    """

    nodes: tf.Tensor
    maps: tf.Tensor
    errors: tf.Tensor
    num_groups: tf.Tensor


def pilots(path: Path, most: int) -> Pilots:
    """A few even nodes, and a few more where their maps differ; at most `most`."""
    first = min(adaptive_quadrature.FIRST_NODES, most)
    known = _known(path, tf.linspace(0.0, 1.0, first))
    second = min(adaptive_quadrature.SECOND_NODES, most - first)
    if not second:
        return known
    parts = adaptive_quadrature.best_parts(known.errors, second)
    mesh = Mesh(known.nodes, parts)
    further = adaptive_quadrature.inner_nodes(mesh, tf.range(second)).positions
    return _known(path, tf.ensure_shape(further, [second]), known)


def _known(path, nodes, before=None):
    count = nodes.shape[0]
    chunk = path.chunk(count)
    found = [path.maps(nodes[i : i + chunk]) for i in range(0, count, chunk)]
    maps = tf.concat([one for one, _ in found], axis=0)
    counts = [tf.reduce_sum(c["num_groups"]) for _, c in found if c]
    number = tf.add_n(counts) if counts else tf.zeros([])
    if before is not None:
        nodes = tf.concat([before.nodes, nodes], axis=0)
        order = tf.argsort(nodes, stable=True)
        nodes = tf.gather(nodes, order)
        maps = tf.gather(tf.concat([before.maps, maps], axis=0), order)
        number += before.num_groups
    errors = adaptive_quadrature.squared_errors(
        nodes[1:] - nodes[:-1], maps[1:] - maps[:-1]
    )
    return Pilots(nodes, maps, errors, number)


def adaptive_integral(path: Path, num_steps: int) -> Integral:
    """By `num_steps` nodes where the maps change; the error as the pilots tell it."""
    known = pilots(path, num_steps)
    extra = num_steps - known.nodes.shape[0]
    mesh = Mesh(known.nodes, adaptive_quadrature.best_parts(known.errors, extra))
    maps = end_sum(mesh, known.maps)
    number = known.num_groups
    if extra:

        def add(state, numbers, used):
            inner = adaptive_quadrature.inner_nodes(mesh, numbers)
            rows = path.rows(inner.positions)
            return path.points.add_to_sum(state, rows, inner.weights, used, path.change)

        state = over_chunks(add, path.points.zero_sum(), extra, path.chunk(extra))
        maps += path.points.finished_sum(state, path.change)
        number += state[1]
    error = tf.reduce_sum(known.errors / tf.square(tf.cast(mesh.parts, tf.float32)))
    steps = tf.constant(num_steps, tf.float32)
    return Integral(maps, error, steps, number / steps)


def end_sum(mesh: Mesh, maps: tf.Tensor) -> tf.Tensor:
    """The part of the trapezoid's sum of the mesh's own nodes: (m + 1, …) → (…)."""
    weights = adaptive_quadrature.end_weights(mesh)
    return tf.reduce_sum(tf.reshape(weights, [-1, 1, 1, 1]) * maps, axis=0)

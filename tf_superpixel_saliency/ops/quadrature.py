"""Nodes and weights on [0, 1] for the path integral of IntegratedGradients.

Every rule returns positive weights that sum to 1, so that a constant is integrated
exactly. `num_steps` counts gradients for all of them.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

FIXED_RULES = ("midpoint", "trapezoid", "gauss_legendre")
RULES = ("adaptive",) + FIXED_RULES

# The adaptive rule: points of the forward scan, and the share of the cells that is
# spread evenly, so that no stretch of the path stays unseen.
SCAN_POINTS = 17
UNIFORM_SHARE = 0.3


def fixed_rule(name: str, num_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights that are the same for all images.

    Args:
        name: "midpoint": the centres of equal cells; "trapezoid": both ends included,
            at half weight; "gauss_legendre": Gauss–Legendre nodes, exact for
            polynomials of degree 2·num_steps − 1.
        num_steps: number of nodes, at least 1 (2 for the trapezoid).

    Returns:
        nodes and weights, (num_steps,) float64 each.
    """
    if name == "midpoint":
        nodes = (np.arange(num_steps) + 0.5) / num_steps
        return nodes, np.full(num_steps, 1.0 / num_steps)
    if name == "trapezoid":
        weights = np.full(num_steps, 1.0 / (num_steps - 1))
        weights[[0, -1]] /= 2
        return np.linspace(0.0, 1.0, num_steps), weights
    nodes, weights = np.polynomial.legendre.leggauss(num_steps)
    return (nodes + 1) / 2, weights / 2


def adaptive_rule(
    scores: tf.Tensor, num_steps: int, uniform_share: float = UNIFORM_SHARE
) -> tuple[tf.Tensor, tf.Tensor]:
    """Midpoints of cells in each of which the score changes by the same amount.

    The score along the path rises in few short stretches, and so does its gradient.
    The change |Δf| between points of an even scan, mixed with an even share, is taken
    as a density of nodes; its cumulative sum is cut in `num_steps` equal parts.

    Args:
        scores: (G, N) float32, f_c at G even points of each image's path, both ends
            included.
        num_steps: number of nodes.
        uniform_share: in (0, 1], the part of the density that is even.

    Returns:
        nodes and weights, (num_steps, N) float32 each; weights sum to 1.
    """
    change = tf.transpose(tf.abs(scores[1:] - scores[:-1]))  # (N, G−1)
    cells = tf.shape(change)[1]
    total = tf.reduce_sum(change, axis=1, keepdims=True)
    even = 1.0 / tf.cast(cells, tf.float32)
    usable = tf.math.is_finite(total) & (total > 0)
    share = tf.where(usable, change / tf.where(usable, total, 1.0), even)
    density = (1.0 - uniform_share) * share + uniform_share * even
    # Exact 0 and 1 at the ends: rounding would leave a sliver out.
    inner = tf.cumsum(density, axis=1)[:, :-1]
    cumulative = tf.pad(inner, [[0, 0], [1, 0]])  # at each cell's left edge
    half_steps = tf.range(2 * num_steps + 1, dtype=tf.float32) / (2.0 * num_steps)
    right = tf.reduce_sum(
        tf.cast(half_steps[None, :, None] >= inner[:, None, :], tf.int32), axis=2
    )  # (N, 2·num_steps + 1), the cell that holds each level
    left_edge = tf.gather(cumulative, right, axis=1, batch_dims=1)
    slope = tf.gather(density, right, axis=1, batch_dims=1)
    within = tf.clip_by_value((half_steps[None] - left_edge) / slope, 0.0, 1.0)
    position = (tf.cast(right, tf.float32) + within) * even
    position = tf.concat(
        [
            tf.zeros_like(position[:, :1]),
            position[:, 1:-1],
            tf.ones_like(position[:, :1]),
        ],
        axis=1,
    )
    edges = position[:, ::2]
    nodes = 0.5 * (edges[:, 1:] + edges[:, :-1])
    return tf.transpose(nodes), tf.transpose(edges[:, 1:] - edges[:, :-1])

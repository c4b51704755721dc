"""Weighted ridge regression in its dual form, for more features than samples."""

from __future__ import annotations

import tensorflow as tf


def dual_ridge(
    gram: tf.Tensor, values: tf.Tensor, weights: tf.Tensor, alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """What minimises Σ_s w_s (y_s − b − z_s·β)² + α |β|², with a free intercept b.

    With rows and values less their weighted means and times √w, A and t, the answer is
    β = (AᵀA + α)⁻¹ Aᵀt = Aᵀ (A·Aᵀ + α)⁻¹ t. The second form needs the features only
    through Z·Zᵀ, and a system of the size of the samples, whatever their number
    (Saunders, Gammerman and Vovk, ICML 1998).

    Args:
        gram: (n, n) float, Z·Zᵀ of the features Z (n, p).
        values: (n,) float, y.
        weights: (n,) float, w, none negative and not all 0.
        alpha: α, above 0.

    Returns:
        factors (n,) float64, with β = Zᵀ·factors; and R² () float64, the share of the
        weighted variance of y that is explained, 0 where y doesn't vary.
    """
    gram, values, weights = (tf.cast(v, tf.float64) for v in (gram, values, weights))
    share = weights / tf.reduce_sum(weights)
    row_means = tf.reduce_sum(gram * share, axis=1)
    centred = gram - row_means[:, None] - row_means
    centred += tf.reduce_sum(share * row_means)
    root = tf.sqrt(weights)
    system = centred * root * root[:, None]
    system = tf.linalg.set_diag(system, tf.linalg.diag_part(system) + alpha)
    # From the first value: equal values then are exactly 0.
    values -= values[0]
    target = root * (values - tf.reduce_sum(share * values))
    solution = _solve(system, target)
    # Aᵀ·solution, with the centring moved to the factors.
    factors = root * solution
    factors -= share * tf.reduce_sum(factors)
    # The residual t − A·β is α times the solution.
    total = tf.reduce_sum(target**2)
    residual = alpha**2 * tf.reduce_sum(solution**2)
    return factors, tf.where(total > 0, 1 - tf.math.divide_no_nan(residual, total), 0)


def _solve(system, target):
    lower = tf.linalg.cholesky(system)
    return tf.linalg.cholesky_solve(lower, target[:, None])[:, 0]

"""Nodes and weights on [0, 1] for the path integral of IntegratedGradients.

Every rule has positive weights that sum to 1, so that a constant is integrated
exactly. `num_steps` counts gradients for all of them. The adaptive rule is in
`ops.adaptive_quadrature`.
"""

from __future__ import annotations

import numpy as np

FIXED_RULES = ("midpoint", "trapezoid", "gauss_legendre")
RULES = ("adaptive",) + FIXED_RULES


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

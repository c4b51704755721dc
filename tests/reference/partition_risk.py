"""Slow twin of the risk: κ as a matrix, one channel after another, scales by search."""

import numpy as np


def projection(labels):
    """(H, W) → κ, (H·W, H·W): 1/|S| where both pixels are in S."""
    same = labels.reshape(-1, 1) == labels.reshape(1, -1)
    return same / same.sum(axis=1, keepdims=True)


def risk(a, b, labels):
    """(H, W, C) maps and (H, W) labels, or None for pixels → bias and ½‖κ(a − b)‖²."""
    size = a.shape[0] * a.shape[1]
    kappa = np.eye(size) if labels is None else projection(labels)
    rest = np.eye(size) - kappa
    bias = variance = 0.0
    for channel in range(a.shape[2]):
        one, other = a[..., channel].ravel(), b[..., channel].ravel()
        bias += (rest @ one) @ (rest @ other)
        variance += np.sum((kappa @ (one - other)) ** 2) / 2
    return bias, variance


def shrunk(signal, kept, variance):
    """min over c ≥ 0 of ‖s‖² − 2c‖κs‖² + c²(‖κs‖² + E‖κn‖²), by a fine search."""
    multiples = np.linspace(0, 1, 100_001)
    return np.min(signal - 2 * multiples * kept + multiples**2 * (kept + variance))

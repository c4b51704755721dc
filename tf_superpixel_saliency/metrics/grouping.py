"""The mean of a map inside each group, in NumPy, one image at a time."""

from __future__ import annotations

import numpy as np


def group_mean(
    values: np.ndarray, segments: np.ndarray, weights: str = "mean"
) -> np.ndarray:
    """Means of one map's channels inside each group.

    Args:
        values: (H·W, C) floating point.
        segments: (H·W,) integers 0…p − 1, each of them present.
        weights: "mean", or "sqrt" for the sums over √|S|.

    Returns:
        (p, C) of the type of `values`, summed in float64.
    """
    counts = np.bincount(segments)
    divisors = np.sqrt(counts) if weights == "sqrt" else counts
    means = np.empty((counts.size, values.shape[1]), values.dtype)
    for channel in range(values.shape[1]):
        total = np.bincount(segments, values[:, channel])
        means[:, channel] = total / divisors
    return means


def group_map(
    one_map: np.ndarray, segments: np.ndarray, weights: str = "mean"
) -> np.ndarray:
    """κ·map of one map: the mean inside each group, at each of its pixels (eq. 3).

    Args:
        one_map: (H, W, C) floating point.
        segments: (H, W) or (H·W,) integers 0…p − 1, each of them present.
        weights: as `group_mean`.
    """
    labels = segments.ravel()
    means = group_mean(one_map.reshape(labels.size, -1), labels, weights)
    return np.take(means, labels, axis=0).reshape(one_map.shape)

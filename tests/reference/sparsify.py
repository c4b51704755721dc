"""Slow twin of the sparsification: a sort and a loop for each image."""

import math
from fractions import Fraction

import numpy as np


def rank(fraction, size):
    """⌈τ·d⌉ with τ the decimal number as it was written."""
    return min(max(math.ceil(Fraction(str(fraction)) * size), 1), size)


def sparsify(gradients, top_fraction, saturation_fraction=None):
    """(N, H, W, C) → the same shape, float64, and the share kept (N,)."""
    results, shares = [], []
    for gradient in gradients:
        values = [abs(float(v)) for v in gradient.ravel()]
        ordered = sorted(values, reverse=True)
        threshold = ordered[rank(top_fraction, len(values)) - 1]
        result = [1.0 if v >= threshold and v > 0 else 0.0 for v in values]
        shares.append(sum(result) / len(values))
        if saturation_fraction is not None:
            level = ordered[rank(saturation_fraction, len(values)) - 1]
            relaxed = [1.0 if v >= level else v / level for v in values]
            result = [r * share for r, share in zip(result, relaxed)]
        results.append(np.reshape(result, gradient.shape))
    return np.array(results), np.array(shares)

"""Slow twin of MeGe and ReCo: every pair and every threshold in loops."""

from __future__ import annotations

import itertools


def pairs(distance, right, folds):
    """(S=, S≠) as lists of (distance, image, model without it, model with it).

    `distance(i, j, n)` is that of the maps of image n under models i and j.
    """
    same, different = [], []
    for n, i in enumerate(folds):
        for j in range(len(right)):
            if j == i:
                continue
            if right[i][n] and right[j][n]:
                same.append((distance(i, j, n), n, i, j))
            elif right[i][n] or right[j][n]:
                different.append((distance(i, j, n), n, i, j))
    return same, different


def mege(same):
    return 1 / (1 + sum(same) / len(same))


def reco(same, different):
    """The greatest TPR + TNR − 1 over thresholds at, between and beyond distances."""
    ordered = sorted(same + different)
    between = [(a + b) / 2 for a, b in itertools.pairwise(ordered)]
    best = -1.0
    for limit in ordered + between + [ordered[0] - 1, ordered[-1] + 1]:
        sensitivity = sum(d <= limit for d in same) / len(same)
        specificity = sum(d > limit for d in different) / len(different)
        best = max(best, sensitivity + specificity - 1)
    return best

"""Slow twins of the paper's definitions, one value after the other."""

import math

import numpy as np


def loss(one_map, references):
    """‖map − mean of the references‖ of one image."""
    total = 0.0
    for index in np.ndindex(one_map.shape):
        mean = sum(float(r[index]) for r in references) / len(references)
        total += (float(one_map[index]) - mean) ** 2
    return math.sqrt(total)


def groups(segments, channels):
    """The (row, column, channel) positions of each (label, channel)."""
    positions = {}
    for i, j in np.ndindex(segments.shape):
        for c in range(channels):
            positions.setdefault((int(segments[i, j]), c), []).append((i, j, c))
    return positions


def grouped(one_map, segments):
    """A map (H, W, C) with each group's mean at its pixels."""
    result = np.empty(one_map.shape, np.float64)
    for positions in groups(segments, one_map.shape[-1]).values():
        mean = sum(float(one_map[p]) for p in positions) / len(positions)
        for p in positions:
            result[p] = mean
    return result


def group_variance(one_map, reference, segments):
    """Σ_S |S|·Var((map − reference)|_S), Var dividing by |S|."""
    total = 0.0
    for positions in groups(segments, one_map.shape[-1]).values():
        values = [float(one_map[p]) - float(reference[p]) for p in positions]
        mean = sum(values) / len(values)
        variance = sum((v - mean) ** 2 for v in values) / len(values)
        total += len(values) * variance
    return total


def ratios(map_a, map_b, segments):
    """[(|S|, |S|·mean(n)²/mean(n²))] of the groups of one image, n = a − b ≠ 0."""
    found = []
    for positions in groups(segments, map_a.shape[-1]).values():
        n = [float(map_a[p]) - float(map_b[p]) for p in positions]
        mean = sum(n) / len(n)
        square = sum(v * v for v in n) / len(n)
        if square > 0:
            found.append((len(n), len(n) * mean**2 / square))
    return found


def stability(pairs):
    """(largest mean over pairs, its image) of [(maps_a, maps_b)]."""
    best, where = -1.0, None
    for image in range(len(pairs[0][0])):
        mean = sum(loss(a[image], [b[image]]) for a, b in pairs) / len(pairs)
        if mean > best:
            best, where = mean, image
    return best, where

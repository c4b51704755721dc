"""Slow twins of the measures between two maps, in plain loops."""

from __future__ import annotations

import math

from tests.reference import reductions


def heatmap(values):
    """Σ_c |v| of (H, W, C) as a list of rows."""
    return [
        [math.fsum(abs(float(v)) for v in pixel) for pixel in row] for row in values
    ]


def ssim(a, b, percentile, gaussian):
    """The mean of Wang's index over all whole windows of two maps (H, W, C)."""
    x = reductions.clipped_unit(heatmap(a), percentile)
    y = reductions.clipped_unit(heatmap(b), percentile)
    width = 11 if gaussian else 7
    middle = width // 2
    weights = {}
    for i in range(width):
        for j in range(width):
            distance = (i - middle) ** 2 + (j - middle) ** 2
            weights[i, j] = math.exp(-distance / (2 * 1.5**2)) if gaussian else 1.0
    total = math.fsum(weights.values())
    weights = {key: value / total for key, value in weights.items()}
    # Wang's Gaussian variance is that of the population, scikit-image's uniform one
    # that of the sample.
    sample = 1.0 if gaussian else width**2 / (width**2 - 1)
    found = []
    for i in range(len(x) - width + 1):
        for j in range(len(x[0]) - width + 1):
            found.append(_index(x, y, i, j, weights, sample))
    return math.fsum(found) / len(found)


def _index(x, y, i, j, weights, sample):
    points = [
        (w, x[i + di][j + dj], y[i + di][j + dj]) for (di, dj), w in weights.items()
    ]
    mean_x = math.fsum(w * p for w, p, _ in points)
    mean_y = math.fsum(w * q for w, _, q in points)
    var_x = sample * math.fsum(w * (p - mean_x) ** 2 for w, p, _ in points)
    var_y = sample * math.fsum(w * (q - mean_y) ** 2 for w, _, q in points)
    cov = sample * math.fsum(w * (p - mean_x) * (q - mean_y) for w, p, q in points)
    luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
    return luminance * (2 * cov + 9e-4) / (var_x + var_y + 9e-4)


def flat(values, signed):
    """All values of a map (H, W, C), or of its heatmap."""
    if signed:
        return [float(v) for row in values for pixel in row for v in pixel]
    return [v for row in heatmap(values) for v in row]


def norm(values):
    return math.sqrt(math.fsum(v * v for v in values))


def cosine(a, b):
    return math.fsum(p * q for p, q in zip(a, b)) / (norm(a) * norm(b))


def ranks(values):
    """1 + the number below + half the number of others that are equal."""
    return [
        1 + sum(w < v for w in values) + (sum(w == v for w in values) - 1) / 2
        for v in values
    ]


def spearman(a, b):
    """Pearson's correlation of the ranks."""
    a, b = ranks(a), ranks(b)
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    return cosine([v - mean_a for v in a], [v - mean_b for v in b])


def distance(a, b, normalized):
    scale_a, scale_b = (norm(a), norm(b)) if normalized else (1.0, 1.0)
    return norm([p / scale_a - q / scale_b for p, q in zip(a, b)])


def group_mean(values, segments):
    """(H, W, C) list of lists with each value the mean of its group and channel."""
    members = {}
    for row, labels in zip(values, segments):
        for pixel, label in zip(row, labels):
            members.setdefault(int(label), []).append([float(v) for v in pixel])
    means = {
        label: [math.fsum(channel) / len(channel) for channel in zip(*pixels)]
        for label, pixels in members.items()
    }
    return [[means[int(label)] for label in labels] for labels in segments]

"""Slow twin of μFidelity: masks pixel by pixel, correlations from their sums."""

import math

import numpy as np


def cell_of(place, length, grid):
    """The cell whose stretch of the side holds the centre of the pixel."""
    return math.floor((place + 0.5) * grid / length)


def drop(predict, image, fill, target, subset, grid):
    """Probability of the image less that with the subset's cells filled."""
    hidden = np.array(image)
    height, width = image.shape[:2]
    for i in range(height):
        for j in range(width):
            cell = cell_of(i, height, grid) * grid + cell_of(j, width, grid)
            if subset[cell]:
                hidden[i, j] = fill[i, j]
    whole, part = (np.asarray(predict(x[None]))[0, target] for x in (image, hidden))
    return float(whole) - float(part)


def importance(image_map, subset, grid, signed):
    """Mean over the subset's pixels of the channel sum."""
    height, width = image_map.shape[:2]
    values = []
    for i in range(height):
        for j in range(width):
            cell = cell_of(i, height, grid) * grid + cell_of(j, width, grid)
            if subset[cell]:
                parts = [float(v) for v in image_map[i, j]]
                values.append(sum(parts if signed else map(abs, parts)))
    return sum(values) / len(values)


def pearson(left, right):
    """0 where either is constant."""
    if len(set(left)) == 1 or len(set(right)) == 1:
        return 0.0
    n = len(left)
    a, b = sum(left) / n, sum(right) / n
    cov = sum((x - a) * (y - b) for x, y in zip(left, right))
    var = sum((x - a) ** 2 for x in left) * sum((y - b) ** 2 for y in right)
    return cov / math.sqrt(var)


def ranks(values):
    """1 for the lowest; equals share the mean of their ranks."""
    return [
        sum(other < value for other in values)
        + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def spearman(left, right):
    return pearson(ranks(left), ranks(right))

"""Slow twin of quickshift: one pixel at a time, as Vedaldi and Soatto define it."""

import math

import numpy as np


def quickshift(colors, kernel_size, max_dist, seed=42):
    """Groups of one image, numbered in raster order.

    Args:
        colors: (H, W, C) float64, already in Lab and scaled by the ratio.
        kernel_size: width of the Gaussian.
        max_dist: the longest link.
        seed: of NumPy's default generator, whose normals of 1e-5 break ties.

    Returns:
        (H, W) int.
    """
    height, width = colors.shape[:2]
    reach = math.ceil(3 * kernel_size)
    points = [(i, j) for i in range(height) for j in range(width)]
    window = {
        (i, j): [
            (row, column)
            for row in range(max(i - reach, 0), min(i + reach + 1, height))
            for column in range(max(j - reach, 0), min(j + reach + 1, width))
        ]
        for i, j in points
    }

    def squared_distance(one, other):
        color = float(np.sum((colors[one] - colors[other]) ** 2))
        return color + (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2

    noise = np.random.default_rng(seed).normal(scale=1e-5, size=(height, width))
    density = {
        point: noise[point]
        + math.fsum(
            math.exp(-squared_distance(point, other) / (2 * kernel_size**2))
            for other in window[point]
        )
        for point in points
    }
    parent = {}
    for point in points:
        # min() keeps the first of equals, and the window is in raster order.
        denser = [other for other in window[point] if density[other] > density[point]]
        nearest = min(
            denser, key=lambda other: squared_distance(point, other), default=point
        )
        near = math.sqrt(squared_distance(point, nearest)) <= max_dist
        parent[point] = nearest if near else point
    return _number([_root(parent, point) for point in points], height, width)


def _root(parent, point):
    while parent[point] != point:
        point = parent[point]
    return point


def _number(roots, height, width):
    numbers = {}
    labels = [numbers.setdefault(root, len(numbers)) for root in roots]
    return np.array(labels).reshape(height, width)

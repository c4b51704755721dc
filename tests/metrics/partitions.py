"""Partitions of small images, of groups of one size and of very different sizes."""

import numpy as np


def squares(size, side):
    """(size, size) squares of `side` pixels."""
    index = np.arange(size) // side
    return index[:, None] * (index.max() + 1) + index


def quadtree(size, random):
    """Squares of 4 pixels split at random, so that areas are 16, 4 and 1."""
    if size == 1 or (size <= 4 and random.random() < 0.3):
        return np.zeros((size, size), int)
    half = size // 2
    parts = [quadtree(half, random) for _ in range(4)]
    starts = np.cumsum([0] + [part.max() + 1 for part in parts[:-1]])
    parts = [part + start for part, start in zip(parts, starts)]
    return np.block([parts[:2], parts[2:]])

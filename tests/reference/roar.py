"""Slow twins of what ROAR does to images and of its edge control."""

import math

import numpy as np

from tests.reference import fidelity


def remove_top(image, image_map, fraction, fill, arrangement, rank="absolute"):
    """(H, W, C) without its first pixels, and the mask of those."""
    scores = fidelity.scores(image_map, rank)
    pixels = fidelity.order(scores, 1, np.argsort(arrangement))
    result, mask = np.array(image), np.zeros(image.shape[:2], bool)
    for i, j in pixels[: round(fraction * len(pixels))]:
        result[i, j] = fill
        mask[i, j] = True
    return result, mask


def sobel(image):
    """(H, W, C) → (H, W), the borders repeated."""
    height, width, channels = image.shape
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            for c in range(channels):
                down = right = 0.0
                for a, weight in ((-1, 1), (0, 2), (1, 1)):
                    for b in (-1, 1):
                        rows = np.clip([i + b, i + a], 0, height - 1)
                        columns = np.clip([j + a, j + b], 0, width - 1)
                        down += weight * b * image[rows[0], columns[0], c]
                        right += weight * b * image[rows[1], columns[1], c]
                result[i, j] += math.hypot(down, right)
    return result

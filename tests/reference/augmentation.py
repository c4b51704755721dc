"""Slow twin of the crops and flips: one pixel after the other."""

import numpy as np


def flip_and_crop(images, corners, flips, margin):
    """(N, H, W, C) → each image shifted by corner − margin, zeros outside, mirrored."""
    result = np.zeros(images.shape, np.float32)
    count, height, width, _ = images.shape
    for n in range(count):
        for i in range(height):
            for j in range(width):
                row = i + corners[n][0] - margin
                column = (width - 1 - j if flips[n] else j) + corners[n][1] - margin
                if 0 <= row < height and 0 <= column < width:
                    result[n, i, j] = images[n, row, column]
    return result

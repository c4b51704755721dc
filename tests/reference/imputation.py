"""Slow twin of the imputation: a dense system, one equation a pixel."""

import numpy as np


def impute(image, mask):
    """(H, W, C), (H, W) → every masked pixel the weighted mean of its neighbours."""
    height, width = mask.shape
    size = height * width
    matrix, right = np.zeros((size, size)), np.zeros((size, image.shape[2]))
    for i in range(height):
        for j in range(width):
            here = i * width + j
            matrix[here, here] = 1.0
            if not mask[i, j]:
                right[here] = image[i, j]
                continue
            weights = {}
            for di in (-1, 0, 1):
                for dj in (-1, 0, 1):
                    if (di, dj) == (0, 0):
                        continue
                    if 0 <= i + di < height and 0 <= j + dj < width:
                        near = di == 0 or dj == 0
                        weights[i + di, j + dj] = 1 / 6 if near else 1 / 12
            for (k, m), weight in weights.items():
                matrix[here, k * width + m] -= weight / sum(weights.values())
    return np.linalg.solve(matrix, right).reshape(image.shape)

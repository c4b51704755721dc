"""A slow twin of LIME: one copy at a time, the regression in its primal form, float64.

A network has `score(images, targets)`.
"""

import numpy as np
import tensorflow as tf


def states(num_samples, num_groups, seed):
    """Z (num_samples, num_groups) of 0 and 1: bits of Philox words, lowest first."""
    result = np.ones((num_samples, num_groups), int)
    words = -(-num_groups // 32)
    for sample in range(1, num_samples):
        drawn = tf.random.stateless_uniform(
            [words], [seed, sample], None, None, tf.uint32, alg="philox"
        ).numpy()
        for group in range(num_groups):
            word, bit = divmod(group, 32)
            result[sample, group] = (int(drawn[word]) >> bit) % 2
    return result


def hidden(image, segments, fill):
    """The image with all groups hidden; `fill` is "mean" or a colour."""
    image = np.array(image, np.float64)
    if not isinstance(fill, str):
        return np.zeros_like(image) + np.float64(fill)
    result = np.empty_like(image)
    for group in np.unique(segments):
        inside = segments == group
        result[inside] = image[inside].mean(axis=0)
    return result


def copies(image, segments, z, fill):
    """The copy of each row of z, (rows, H, W, C)."""
    cover = hidden(image, segments, fill)
    result = []
    for row in z:
        copy = np.array(image, np.float64)
        for group in np.flatnonzero(row == 0):
            copy[segments == group] = cover[segments == group]
        result.append(copy)
    return np.stack(result)


def sample_weights(z, distance, kernel_width):
    result = []
    for row in z:
        if distance == "cosine":
            length = np.linalg.norm(row) * np.sqrt(row.size)
            d = 1 - row.sum() / length if length else 1.0
        else:
            d = np.linalg.norm(row - 1.0)
        result.append(np.sqrt(np.exp(-(d**2) / kernel_width**2)))
    return np.array(result)


def ridge(z, y, weights, alpha):
    """Coefficients and R² of Σ w (y − b − z·β)² + α|β|², from its normal equations.

    The intercept is a column of its own, that α does not touch.
    """
    design = np.column_stack([z, np.ones(len(z))])
    penalty = alpha * np.diag([1.0] * z.shape[1] + [0.0])
    matrix = design.T @ (weights[:, None] * design) + penalty
    solution = np.linalg.solve(matrix, design.T @ (weights * y))
    residual = y - design @ solution
    spread = y - np.average(y, weights=weights)
    r_squared = 1 - (weights * residual**2).sum() / (weights * spread**2).sum()
    return solution[:-1], r_squared


def lime(
    network, image, target, segments, num_samples=1000, kernel_width=0.25,
    distance="cosine", alpha=1.0, fill="mean", seed=0,
):  # fmt: skip
    """The map (H, W) and R²; `segments` (H, W) are numbered in raster order."""
    z = states(num_samples, segments.max() + 1, seed)
    y = np.array(
        [network.score(c[None], [target])[0] for c in copies(image, segments, z, fill)]
    )
    weights = sample_weights(z, distance, kernel_width)
    coefficients, r_squared = ridge(z.astype(float), y, weights, alpha)
    return coefficients[segments], r_squared

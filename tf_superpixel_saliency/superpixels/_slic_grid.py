"""Where SLIC's first centres lie: on a regular grid, or spread over a mask."""

from __future__ import annotations

import typing

import numpy as np
import tensorflow as tf


class Seeds(typing.NamedTuple):
    """The first centres, and the distance that weighs space against colour.

    Attributes:
        rows, columns: (p,) positions of the centres.
        step: a Python number or a scalar tensor.
        grid: for rows and for columns (first, step, number of lines), or None.
    """

    rows: typing.Any
    columns: typing.Any
    step: typing.Any
    grid: tuple | None = None

    def count(self):
        """Number of centres p, a Python integer where it is known."""
        known = self.rows.shape[0]
        return tf.shape(self.rows)[0] if known is None else known


def grid_steps(height, width, points):
    """Step and start of a regular grid of some `points` points, as scikit-image's.

    Args:
        height, width, points: Python integers, or scalar int32 tensors.

    Returns:
        steps: (rows, columns), whole numbers of the kind that came.
        starts: likewise.
    """
    if any(tf.is_tensor(value) for value in (height, width, points)):
        return _grid_steps_in_graph(height, width, points)
    if height * width <= points:
        return (1, 1), (0, 0)
    even = (height * width / points) ** 0.5
    short, long = min(height, width), max(height, width)
    # A grid of equal steps would miss the short side: one point across it.
    exact = {True: even, False: long / points}
    fits = short >= even
    along, across = exact[fits], even if fits else float(short)
    pair = (across, along) if height <= width else (along, across)
    return tuple(round(step) for step in pair), tuple(int(step // 2) for step in pair)


def _grid_steps_in_graph(height, width, points):
    height, width, points = (
        tf.cast(value, tf.float64) for value in (height, width, points)
    )
    pixels = height * width
    even = tf.sqrt(pixels / points)
    short, long = tf.minimum(height, width), tf.maximum(height, width)
    along = tf.where(short >= even, even, long / points)
    across = tf.where(short >= even, even, short)
    pair = (
        tf.where(height <= width, across, along),
        tf.where(height <= width, along, across),
    )
    each = pixels <= points
    steps = tuple(tf.where(each, 1, tf.cast(tf.round(step), tf.int32)) for step in pair)
    starts = tuple(
        tf.where(each, 0, tf.cast(tf.floor(step / 2), tf.int32)) for step in pair
    )
    return steps, starts


def grid_seeds(height, width, n_segments) -> Seeds:
    """Centres on a regular grid.

    Args:
        height, width: Python integers or scalar int32 tensors.
        n_segments: how many centres are asked for; there may be more or fewer.
    """
    steps, starts = grid_steps(height, width, n_segments)
    lines = [
        _line(start, end, step)
        for start, end, step in zip(starts, (height, width), steps)
    ]
    if any(tf.is_tensor(line) for line in lines):
        grid = tuple(zip(starts, steps, (tf.shape(line)[0] for line in lines)))
        seeds = tf.meshgrid(*lines, indexing="ij")
        seeds = (tf.reshape(axis, [-1]) for axis in seeds)
        return Seeds(*seeds, tf.maximum(*steps), grid)
    grid = tuple(zip(starts, steps, map(len, lines)))
    seeds = np.meshgrid(*lines, indexing="ij")
    return Seeds(*(axis.ravel() for axis in seeds), max(steps), grid)


def window_steps(height, width, count):
    """Half of what a centre sees, (rows, columns).

    scikit-image derives it from the number of centres that there are, and it can so
    differ by a pixel from the step that they were laid with.
    """
    return grid_steps(height, width, count)[0]


def _line(start, end, step):
    if any(tf.is_tensor(value) for value in (start, end, step)):
        return tf.range(start, end, step)
    return np.arange(start, end, step)


def mask_seeds(mask: np.ndarray, n_segments: int) -> Seeds:
    """Centres spread over a mask by k-means, as scikit-image's maskSLIC has them.

    Irving, "maskSLIC: regional superpixel generation with application to local
    pathology characterisation in medical images", 2016, arXiv:1606.09518.

    Args:
        mask: (H, W) bool, at least one pixel True.
        n_segments: how many centres, or one a pixel where there are fewer.
    """
    from scipy.cluster.vq import kmeans2
    from scipy.spatial.distance import cdist

    pixels = np.argwhere(mask).astype(float)
    # scikit-image's seed, generator and order of drawing, which give its centres.
    generator = np.random.RandomState(123)
    numbers = np.arange(len(pixels))
    count = min(n_segments, len(pixels))
    first = np.sort(generator.choice(numbers, count, replace=False))
    dense = 10**2 * n_segments
    sample = pixels
    if len(pixels) > dense:
        sample = pixels[np.sort(generator.choice(numbers, dense, replace=False))]
    centres, _ = kmeans2(sample, pixels[first], iter=5)
    distances = cdist(centres, centres)
    np.fill_diagonal(distances, np.inf)
    nearest = centres[distances.argmin(axis=-1)]
    # A centre by itself has no neighbour to measure by; any step will do.
    step = np.abs(centres - nearest).mean(axis=0).max() or 1.0
    return Seeds(*centres.T, float(step))

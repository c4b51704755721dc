"""Resampled means: what another draw of images, and of networks, might have given."""

from __future__ import annotations

import functools

import numpy as np

# Random numbers held at a time, some 32 MB.
CHUNK = 4_000_000


def resampled_means(values, clusters, images, num_resamples, seed) -> np.ndarray:
    """Means of `num_resamples` bootstrap resamples.

    Args:
        values: (M,) finite.
        clusters: (M,) integers 0…G − 1, all present, or None for one cluster.
        images: (M,) integers 0…N − 1, all present, or None where each value has an
            image of its own.
        num_resamples: B.
        seed: a non-negative integer.

    Returns:
        (B,) float64.
    """
    if clusters is None:
        return _single(values, num_resamples, seed)
    if images is None:
        random = np.random.default_rng(seed)
        return _nested(values, clusters, num_resamples, random)
    return _crossed(values, clusters, images, num_resamples, seed)


@functools.lru_cache(maxsize=4)
def _draws(size, count, *key):
    """How often each of `size` things is drawn in `count` resamples, (count, size).

    Kept for the next call: a table has thousands of intervals over the same number of
    images, and drawing takes most of the time.
    """
    random = np.random.default_rng(key)
    counts = random.multinomial(size, np.full(size, 1 / size), count)
    counts = counts.astype(np.float64)
    counts.flags.writeable = False
    return counts


def _single(values, num_resamples, seed):
    """Values drawn with replacement."""
    means = np.empty(num_resamples)
    step = max(1, CHUNK // values.size)
    for begin in range(0, num_resamples, step):
        count = min(step, num_resamples - begin)
        drawn = _draws(values.size, count, seed, begin)
        means[begin : begin + count] = drawn @ values / values.size
    return means


def _nested(values, clusters, num_resamples, random):
    """G clusters drawn with replacement, then as many images in each as it has."""
    order = np.argsort(clusters, kind="stable")
    sizes = np.bincount(clusters)
    starts = np.cumsum(sizes) - sizes
    ordered, most = values[order], sizes.max()
    means = np.empty(num_resamples)
    step = max(1, CHUNK // (sizes.size * most))
    for begin in range(0, num_resamples, step):
        count = min(step, num_resamples - begin)
        drawn = random.integers(sizes.size, size=(count, sizes.size))
        size, start = sizes[drawn][..., None], starts[drawn][..., None]
        picks = random.random((count, sizes.size, most))
        chosen = ordered[start + (picks * size).astype(np.intp)]
        kept = np.arange(most) < size
        total = np.sum(chosen, axis=(1, 2), where=kept)
        means[begin : begin + count] = total / size.sum(axis=(1, 2))
    return means


def _crossed(values, clusters, images, num_resamples, seed):
    """Clusters and images drawn with replacement, each by itself.

    A value counts as often as its cluster was drawn times as often as its image was
    (Owen, 'The pigeonhole bootstrap', 2007). A resample that holds no value at all,
    possible only where values are missing, is drawn again.
    """
    shape = clusters.max() + 1, images.max() + 1
    cell = np.ravel_multi_index((clusters, images), shape)
    totals = np.bincount(cell, values, minlength=np.prod(shape)).reshape(shape)
    counts = np.bincount(cell, minlength=np.prod(shape)).reshape(shape)
    means = np.empty(num_resamples)
    step, begin, chunk = max(1, CHUNK // shape[1]), 0, 0
    while begin < num_resamples:
        count = min(step, num_resamples - begin)
        of_clusters, of_images = (
            _draws(size, count, seed, chunk, axis) for axis, size in enumerate(shape)
        )
        chunk += 1
        number = np.sum((of_images @ counts.T) * of_clusters, axis=1)
        total = np.sum((of_images @ totals.T) * of_clusters, axis=1)
        found = total[number > 0] / number[number > 0]
        means[begin : begin + found.size] = found
        begin += found.size
    return means

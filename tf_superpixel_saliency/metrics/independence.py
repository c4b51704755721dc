"""Whether the noise of two networks' maps is independent inside super-pixels (§3.3)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.metrics.pairs import checked_pair
from tf_superpixel_saliency.ops import checks


class Independence(NamedTuple):
    """Ratios by size of group, one entry a bin, B bins.

    Attributes:
        sizes: (B + 1,) edges: bin b holds groups of sizes[b] … sizes[b + 1] − 1 pixels.
        ratio: (B,) float64, the mean over images; 1 for independent noise.
        low, high: (B,) bootstrap interval over images.
        pooled: (B,) Σ|S|·mean(n)² / Σ mean(n²) over all groups of the bin, each image's
            noise scaled to a mean square of 1: groups with more noise count more.
        correlation: (B,) the correlation between the noise of two pixels of a group
            that makes `pooled`; NaN for groups of one.
        num_groups: (B,) int, how many (super-pixel, channel) groups.
        per_image: (N, B) float64, NaN where an image has no group of the size.
        undefined: number of groups where the maps are equal: they have no noise.
    """

    sizes: np.ndarray
    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    pooled: np.ndarray
    correlation: np.ndarray
    num_groups: np.ndarray
    per_image: np.ndarray
    undefined: int


def independence(
    maps_a, maps_b, segments, sizes=None, num_resamples: int = 10_000, seed: int = 0
) -> Independence:
    """|S|·mean(n)²/mean(n²) inside each group, n = a − b the noise, by size of group.

    Section 3.3 presumes the noise 'nearly independent' inside a super-pixel: then its
    mean over a group falls as 1/√|S|, and this ratio is 1 on average, exactly so for
    any group whose values have independent signs. Noise that is the same in all of
    the group gives |S|, where averaging cancels nothing; noise that sums to zero
    gives 0. Groups of one pixel give 1 whatever the noise is.

    Args:
        maps_a, maps_b: (N, H, W, C) or (N, H, W) real, two networks' maps of the same
            images before any grouping.
        segments: (H, W) or (N, H, W) non-negative integers in any numbering.
        sizes: increasing edges of the bins of sizes, the first at least 1; None uses
            powers of two, 1, 2, 4, …, up to the largest group.
        num_resamples, seed: of the interval, drawn over images.

    Returns:
        `Independence`, each image counting alike within a bin; NaN for empty bins.

    Raises:
        ValueError, TypeError: shapes that don't fit, values that are not finite,
            segments that aren't labels, or edges that don't increase.
    """
    maps_a, maps_b = checked_pair(maps_a, maps_b)
    segments = checks.checked_segments(segments, maps_a.shape)
    noise = np.asarray(maps_a, np.float64) - np.asarray(maps_b, np.float64)
    if not np.isfinite(noise).all():
        raise ValueError("maps must be finite, but some values are NaN or infinite.")
    groups = [_groups(n, labels.ravel()) for n, labels in zip(noise, segments)]
    sizes = _edges(sizes, groups)
    per_image, sums = _binned(groups, sizes)
    num_groups, means, squares, room = sums
    intervals = [
        bootstrap_interval(column, num_resamples=num_resamples, seed=seed)
        for column in per_image.T
    ]
    return Independence(
        sizes,
        np.array([interval.mean for interval in intervals]),
        np.array([interval.low for interval in intervals]),
        np.array([interval.high for interval in intervals]),
        _divided(means, squares),
        _divided(means - squares, room),
        num_groups.astype(np.int64),
        per_image,
        sum(int(np.sum(square == 0)) for _, _, square in groups),
    )


def _binned(groups, sizes):
    """Mean ratios (N, B); and (4, B) sums over groups with noise, q = mean(n²).

    The sums are of 1, |S|·mean(n)², q, and (|S| − 1)·q.
    """
    ratios = np.full((len(groups), len(sizes) - 1), np.nan)
    sums = np.zeros((4, len(sizes) - 1))
    for i, (size, mean, square) in enumerate(groups):
        bins = np.searchsorted(sizes, size, side="right") - 1
        size = np.broadcast_to(size[:, None], square.shape)
        for b in range(len(sizes) - 1):
            inside = (square > 0) & (bins == b)[:, None]
            if inside.any():
                m, q = mean[inside], square[inside]
                ratios[i, b] = np.mean(m / q)
                parts = [np.ones_like(q), m, q, (size[inside] - 1) * q]
                sums[:, b] += np.sum(parts, axis=1)
    return ratios, sums


def _divided(a, b):
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), np.nan)


def _groups(noise, labels):
    """Sizes (p,), |S|·mean(n)² (p, C) and mean(n²) (p, C) of one image's groups.

    The noise is scaled to a mean square of 1 over the image.
    """
    values = noise.reshape(labels.size, -1)
    # First by the maximum: squares of very small numbers would be 0.
    largest = np.abs(values).max()
    if largest > 0:
        values = values / largest
        values /= np.sqrt(np.mean(values**2))
    size = np.bincount(labels)
    totals = np.stack([np.bincount(labels, column) for column in values.T], axis=1)
    squares = np.stack([np.bincount(labels, column**2) for column in values.T], axis=1)
    return size, totals**2 / size[:, None], squares / size[:, None]


def _edges(sizes, groups):
    if sizes is None:
        largest = max((int(size.max()) for size, *_ in groups), default=1)
        return 2 ** np.arange(largest.bit_length() + 1)
    edges = np.asarray(sizes)
    if (
        edges.ndim != 1
        or edges.size < 2
        or edges.dtype.kind not in "iu"
        or edges[0] < 1
        or np.any(np.diff(edges) <= 0)
    ):
        raise ValueError(
            "sizes must be two or more increasing integers of at least 1, the edges "
            f"of the bins, but got {sizes!r}."
        )
    return edges

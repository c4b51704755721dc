"""Means over images and networks, and how sure they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.bootstrap import resampled_means
from tf_superpixel_saliency.ops import checks


class Interval(NamedTuple):
    """A mean and its interval.

    Attributes:
        mean: of the values that are not NaN.
        low, high: NaN where fewer than two values are left.
        n: number of values that are not NaN.
        undefined: number of values that are NaN.
    """

    mean: float
    low: float
    high: float
    n: int
    undefined: int = 0


class Difference(NamedTuple):
    """The mean of a − b over pairs of values, its interval and p-value.

    Attributes:
        mean, low, high, n, undefined: as `Interval`, of a − b.
        p_value: two-sided, of a mean of 0; NaN where fewer than two pairs are left.
    """

    mean: float
    low: float
    high: float
    n: int
    undefined: int
    p_value: float


def bootstrap_interval(
    values,
    clusters=None,
    level: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
    images=None,
) -> Interval:
    """The mean of values and its percentile bootstrap interval.

    Without `clusters`, values are drawn with replacement: one value an image, and the
    interval is conditional on the networks at hand. With them, clusters are drawn
    first, then as many values inside each as it has; a cluster is a pair of networks,
    or a seed. With few clusters the interval is too narrow: three have but ten
    different resamples.

    Drawing inside each cluster takes its images for images of its own. Where all
    clusters share the same ones, name them in `images`: clusters and images are then
    drawn independently, and an image's values in all clusters come and go together.

    Args:
        values: (M,) or (G, N) real, NaN where there is no value: those are left out
            and counted. A (G, N) array is G clusters of the same N images: it sets
            `clusters` and `images` where they are None.
        clusters: labels of any type, of the shape of `values`.
        level: the share of the resampled means within the interval, in (0, 1).
        num_resamples: number of resamples.
        seed: of the resampling.
        images: labels of any type, of the shape of `values`.

    Returns:
        `Interval(mean, low, high, n, undefined)`.

    Raises:
        ValueError: shapes that don't match, infinite values, a level out of range.
    """
    mean, low, high, n, undefined, _ = _resampled(
        values, clusters, images, level, num_resamples, seed
    )
    return Interval(mean, low, high, n, undefined)


def paired_difference(
    a,
    b,
    clusters=None,
    level: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
    images=None,
) -> Difference:
    """The mean of a − b, its bootstrap interval and two-sided p-value.

    `a` and `b` are two methods' (or partitions') values on the same images. The
    p-value is twice the smaller share of resampled means at or beyond 0. A share is
    counted as (k + 1)/(B + 1), so that it is never 0: B bounds how small it can be,
    and a family of many comparisons needs more resamples.

    Args:
        a, b: real, of one shape, as `values` of `bootstrap_interval`; a pair with a
            NaN is left out and counted.
        clusters, level, num_resamples, seed, images: as `bootstrap_interval`.

    Returns:
        `Difference(mean, low, high, n, undefined, p_value)`.

    Raises:
        ValueError: as `bootstrap_interval`.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape:
        raise ValueError(
            "a and b must be values of the same images, of one shape, but got "
            f"{a.shape} and {b.shape}."
        )
    mean, low, high, n, undefined, means = _resampled(
        a - b, clusters, images, level, num_resamples, seed
    )
    below, above = np.sum(means <= 0), np.sum(means >= 0)
    p_value = min(1.0, 2 * (min(below, above) + 1) / (means.size + 1))
    p_value = float(p_value) if n > 1 else np.nan
    return Difference(mean, low, high, n, undefined, p_value)


def pooled_interval(values, level: float = 0.95) -> Interval:
    """The mean of repeats under several conditions, and its t interval.

    For a few expensive repeats, as networks trained anew, where there is too little to
    draw from for a bootstrap. The spread of the repeats is taken within each condition
    and pooled (the residual variance of a one-way layout, G·(N − 1) degrees of
    freedom), so that the conditions may differ from one another as they like: the
    interval is of their mean, for these conditions.

    Args:
        values: (G, N) real, finite: G conditions (say shares of pixels removed) with N
            independent repeats each, or differences of paired repeats.
        level: as for `bootstrap_interval`.

    Returns:
        `Interval`; low and high are NaN where N is 1.

    Raises:
        ValueError: another shape, no values, or infinite ones; a level out of range.

    Example: 2 and 3 in the mean, a pooled variance of 2, and 2 degrees of freedom.

    >>> [round(x, 3) for x in pooled_interval([[1, 3], [2, 4]])[:3]]
    [2.5, -0.542, 5.542]
    """
    from scipy.stats import t

    level = _checked_level(level)
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(
            "values must have shape (conditions, repeats) and not be empty, but got "
            f"{values.shape}."
        )
    if not np.isfinite(values).all():
        raise ValueError("values must be finite, but some are infinite or NaN.")
    conditions, repeats = values.shape
    mean = float(values.mean())
    if repeats == 1:
        return Interval(mean, np.nan, np.nan, values.size)
    variance = values.var(axis=1, ddof=1).mean()
    quantile = t.ppf((1 + level) / 2, conditions * (repeats - 1))
    half = float(quantile * np.sqrt(variance / values.size))
    return Interval(mean, mean - half, mean + half, values.size)


def _checked_level(level):
    level = checks.checked_number("level", level, 0.0, strict=True)
    if level >= 1:
        raise ValueError(f"level must be below 1, such as 0.95, but got {level}.")
    return level


def _resampled(values, clusters, images, level, num_resamples, seed):
    """(mean, low, high, n, undefined, resampled means) of values that are not NaN."""
    level = _checked_level(level)
    num_resamples = checks.checked_count("num_resamples", num_resamples)
    seed = checks.checked_count("seed", seed, low=0)
    values = np.asarray(values, np.float64)
    if values.ndim == 2:
        grid = np.indices(values.shape)
        clusters = grid[0] if clusters is None else clusters
        images = grid[1] if images is None else images
    kept = ~np.isnan(values)
    clusters = _labels("clusters", clusters, kept)
    images = _labels("images", images, kept)
    found, undefined = values[kept], int(np.sum(~kept))
    if not np.isfinite(found).all():
        raise ValueError("values must be finite or NaN, but some are infinite.")
    if found.size < 2:
        mean = found.mean() if found.size else np.nan
        return float(mean), np.nan, np.nan, found.size, undefined, np.zeros(0)
    means = resampled_means(found, clusters, images, num_resamples, seed)
    tail = 50 * (1 - level)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(found.mean()), float(low), float(high), found.size, undefined, means


def _labels(name, labels, kept):
    """Labels of the values that are kept as 0…G − 1, or None."""
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != kept.shape:
        raise ValueError(
            f"{name} must have the shape of the values, {kept.shape}, but got "
            f"{labels.shape}."
        )
    return np.unique(labels[kept], return_inverse=True)[1].ravel()

"""How alike the maps of two networks, or of two runs, are: one number an image.

Every measure takes `maps_a` and `maps_b`, (N, H, W, C) signed maps or (N, H, W)
heatmaps of the same N images, and returns (N,) float64. NaN says that the measure has
no value there (a constant or zero map, a pixel that is not finite): count them with
`np.isnan` and average with `np.nanmean`. Where a measure looks at the picture rather
than at signs, the map becomes its heatmap Σ_c |map| first; a heatmap counts as a map
of one channel.

Two maps that share a partition agree by chance. `chance_corrected` says how much.
"""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.metrics.grouping import group_map
from tf_superpixel_saliency.metrics.pairs import checked_pair, compare, heatmap
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.ops.groups import WEIGHTS


def cosine_similarity(maps_a, maps_b, signed: bool = True) -> np.ndarray:
    """Cosine of the angle between the two maps.

    Args:
        maps_a, maps_b: (N, H, W, C) or (N, H, W) real.
        signed: True compares the maps as they are, over all H·W·C values: 0 for
            unrelated maps, whatever the partition. False compares the heatmaps
            Σ_c |map|, whose cosine is far above 0 by chance.

    Returns:
        (N,) float64 in [−1, 1]; NaN where a map is zero everywhere.

    Raises:
        ValueError: shapes that differ, or no maps.
    """

    def prepare(values):
        return _unit(values.astype(np.float64) if signed else heatmap(values))

    return compare(maps_a, maps_b, prepare, _dot)


def rank_correlation(maps_a, maps_b, signed: bool = False) -> np.ndarray:
    """Spearman's rank correlation, equal values having the mean of their ranks.

    Args:
        maps_a, maps_b: (N, H, W, C) or (N, H, W) real.
        signed: False ranks the pixels by their heatmap Σ_c |map|, True ranks all
            H·W·C signed values.

    Returns:
        (N,) float64 in [−1, 1]; NaN where all values of a map are equal.

    Raises:
        ValueError: shapes that differ, or no maps.
    """

    def prepare(values):
        values = values.astype(np.float64) if signed else heatmap(values)
        if not np.isfinite(values).all():
            return None
        # The mean of ranks 1…n, ties or not, is (n + 1)/2: exact, so that a constant
        # map gives exact zeros.
        return _unit(_average_ranks(values.ravel()) - (values.size + 1) / 2)

    return compare(maps_a, maps_b, prepare, _dot)


def l2_distance(maps_a, maps_b, normalized: bool = False) -> np.ndarray:
    """‖a − b‖₂ over all H·W·C values, not squared: the paper's L.

    Any grouping lowers it, and noise most of all (Proposition 1). `normalized=True`
    divides each map by its own norm first, so that maps of another scale compare.

    Args:
        maps_a, maps_b: (N, H, W, C) or (N, H, W) real, compared as they are.
        normalized: whether each map is divided by its own L2 norm.

    Returns:
        (N,) float64, 0 for equal maps, at most 2 when normalised; NaN where a map
        holds a value that is not finite or, when normalised, is zero everywhere.

    Raises:
        ValueError: shapes that differ, or no maps.
    """

    def prepare(values):
        values = values.astype(np.float64)
        if normalized:
            return _unit(values)
        return values if np.isfinite(values).all() else None

    return compare(maps_a, maps_b, prepare, lambda a, b: _norm(a - b))


def prediction_score(maps_a, maps_b, segments=None, weights: str = "mean"):
    """How well one network's grouped map predicts another's gradient: their cosine.

    cos(κa, b), where a is grouped and b is not. By chance it is 0 whatever the
    partition, for b's noise is its own and is in no group; a scale, or a constant
    share of it, gains nothing; and what grouping takes away of the signal is lost. So
    it ranks methods and partitions that the agreement of two grouped maps can't.

    It isn't symmetric: average over both directions, and over pairs of networks.

    Args:
        maps_a, maps_b: maps of two networks before any grouping, (N, H, W, C) signed.
            b's is usually its gradient, whatever the method that made a's.
        segments: (H, W) or (N, H, W) non-negative integers in any numbering, the
            groups of a; None for pixels.
        weights: of the grouping, "mean" or "sqrt", as `GroupIndicator` has them.

    Returns:
        (N,) float64 in [−1, 1]; NaN where κa or b is zero everywhere.

    Raises:
        ValueError, TypeError: shapes that don't fit, or segments that aren't labels.

    Example:

    >>> a, b = np.array([[[1.0, 3.0]]]), np.array([[[2.0, 2.0]]])
    >>> prediction_score(a, b, [[0, 0]]).round(3).tolist()
    [1.0]
    """
    maps_a, maps_b = checked_pair(maps_a, maps_b)
    checks.checked_choice("weights", weights, WEIGHTS)
    if segments is not None:
        labels = checks.checked_segments(segments, maps_a.shape)
        grouped = [
            group_map(np.asarray(one, np.float64), own, weights)
            for one, own in zip(maps_a, labels)
        ]
        maps_a = np.stack(grouped) if grouped else maps_a
    return cosine_similarity(maps_a, maps_b)


def _unit(values):
    """Values over their L2 norm, flat; None where that is 0 or not finite."""
    largest = max(values.max(), -values.min())
    if not 0 < largest < np.inf:
        return None
    values = values.ravel() / largest  # squares of the smallest floats are 0
    values /= _norm(values)
    return values


def _norm(values):
    # Not by BLAS, whose threads wait for one another at sizes of one map.
    return np.sqrt(np.einsum("i,i", values.ravel(), values.ravel()))


def _dot(a, b):
    return np.clip(np.einsum("i,i", a, b), -1.0, 1.0)


def _average_ranks(values):
    """Ranks 1…n of (n,) values, float64; twice as fast as `scipy.stats.rankdata`."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    counts = np.diff(np.r_[starts, values.size])
    ranks = np.empty(values.size)
    ranks[order] = np.repeat(starts + (counts + 1) / 2, counts)
    return ranks

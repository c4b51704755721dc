"""From maps to what is shown: channels summed, values clipped and scaled, ranked.

Explainers return maps as they are. Everything that changes a map's values for the
eye, or for a score that compares pictures, is in this module, and only the first
function is made of TensorFlow operations.
"""

from __future__ import annotations

import numbers

import numpy as np
import tensorflow as tf


def sum_absolute(maps) -> tf.Tensor:
    """The heatmap of a map: Σ_c |map|, the sum over channels of absolute values.

    Args:
        maps: (N, H, W, C) float, signed; a tensor or an array.

    Returns:
        (N, H, W) of the same type, at least 0, not scaled.

    Raises:
        ValueError: if `maps` isn't of rank 4.
    """
    maps = tf.convert_to_tensor(maps)
    if maps.shape.rank not in (None, 4):
        raise ValueError(
            "sum_absolute takes maps of shape (N, H, W, C), but got shape "
            f"{tuple(maps.shape)}. Add the axis that is missing: maps[None] for one "
            "map, maps[..., None] for maps without channels."
        )
    return tf.reduce_sum(tf.abs(maps), axis=-1)


def percentile_limit(heatmaps, percentile: float) -> np.ndarray:
    """The value below which `percentile` per cent of each heatmap's pixels lie.

    Interpolates linearly between order statistics, as `numpy.percentile` does.
    Pixels that aren't finite don't count.

    Args:
        heatmaps: (H, W) or (..., H, W) real.
        percentile: in (0, 100].

    Returns:
        (...) float64, one limit a heatmap; NaN where none of its pixels is finite.

    Raises:
        ValueError: if the rank is below 2, a heatmap is empty, or the percentile is
            out of its range.
    """
    check_percentile(percentile)
    values = _as_heatmaps(heatmaps)
    limits = [
        np.percentile(finite, percentile) if finite.size else np.nan
        for finite in map(_finite, values.reshape(-1, *values.shape[-2:]))
    ]
    return np.reshape(limits, values.shape[:-2])


def clip_at_percentile(heatmaps, percentile: float) -> np.ndarray:
    """Each heatmap cut off at its own percentile, so that few pixels don't rule it.

    Args:
        heatmaps: (H, W) or (..., H, W) real.
        percentile: in (0, 100]; 100 changes nothing.

    Returns:
        A new array of the same shape. Pixels that aren't finite come out as NaN.

    Raises:
        ValueError: as `percentile_limit`.
    """
    limits = percentile_limit(heatmaps, percentile)[..., None, None]
    values = _as_heatmaps(heatmaps)
    clipped = np.minimum(np.where(np.isfinite(values), values, np.nan), limits)
    return clipped.astype(_float_type(heatmaps))


def scale_to_unit(heatmaps) -> np.ndarray:
    """Each heatmap scaled from its own minimum and maximum to [0, 1].

    A constant heatmap has no scale: it comes out as zeros, flat rather than NaN.

    Args:
        heatmaps: (H, W) or (..., H, W) real.

    Returns:
        A new array of the same shape. Pixels that aren't finite come out as NaN and
        don't count in the minimum and the maximum.

    Raises:
        ValueError: if the rank is below 2 or a heatmap is empty.
    """
    values = _as_heatmaps(heatmaps)
    finite = np.isfinite(values)
    low = np.min(values, axis=(-2, -1), keepdims=True, where=finite, initial=np.inf)
    high = np.max(values, axis=(-2, -1), keepdims=True, where=finite, initial=-np.inf)
    span = np.where(high > low, high - low, 1.0)
    scaled = (np.where(finite, values, np.nan) - low) / span
    return scaled.astype(_float_type(heatmaps))


def top_groups(heatmap, segments, k: int = 10, min_area: int = 1) -> list[dict]:
    """The k groups of highest mean heat, the highest first.

    Groups of equal mean stay in the order of their labels. A group with a pixel that
    isn't finite has no mean and is left out, so the map of a failed image has no
    highest groups. The means of small groups scatter most, so that slivers come
    first where no `min_area` is set.

    Args:
        heatmap: (H, W) real, ranked as it is, or a map (H, W, C), of which Σ_c |map|
            is ranked.
        segments: (H, W) integers, labels in any numbering.
        k: how many groups to return, at least 1; all where there are fewer.
        min_area: pixels that a group has at least to be ranked.

    Returns:
        List of `{"group": label, "area": pixels, "mean": mean heat}` in plain Python
        numbers, ready for JSON.

    Raises:
        ValueError: if shapes don't match, labels aren't integers, or k or min_area is
            below 1.
    """
    heat = np.asarray(heatmap, dtype=np.float64)
    if heat.ndim == 3:
        heat = np.abs(heat).sum(axis=-1)
    segments = np.asarray(segments)
    if heat.ndim != 2 or not heat.size or segments.shape != heat.shape:
        raise ValueError(
            "top_groups takes one heatmap (H, W), or one map (H, W, C), and segments "
            f"(H, W) of the same size, but got shapes {np.shape(heatmap)} and "
            f"{segments.shape}. Take one image of the batch, as in heatmaps[0]."
        )
    if not np.issubdtype(segments.dtype, np.integer):
        raise ValueError(
            f"segments hold integer labels, but got {segments.dtype}. Try "
            "segments.astype('int32')."
        )
    if not isinstance(k, numbers.Integral) or k < 1:
        raise ValueError(f"k is a whole number of groups, at least 1, but got {k!r}.")
    if not isinstance(min_area, numbers.Integral) or min_area < 1:
        raise ValueError(
            f"min_area is a whole number of pixels, at least 1, but got {min_area!r}."
        )
    labels, first, group, area = np.unique(
        segments, return_index=True, return_inverse=True, return_counts=True
    )
    values, group = heat.ravel(), group.ravel()
    # Summed as differences from the group's first pixel: a group of one value then
    # has exactly that mean, and ties are ties whatever the areas.
    anchor = np.where(np.isfinite(values[first]), values[first], 0.0)
    total = np.bincount(group, values - anchor[group], minlength=labels.size)
    mean = anchor + total / area
    order = np.argsort(-mean, kind="stable")
    ranked = order[np.isfinite(mean[order]) & (area[order] >= min_area)][:k]
    return [
        {"group": int(labels[i]), "area": int(area[i]), "mean": float(mean[i])}
        for i in ranked
    ]


def check_percentile(percentile: float) -> None:
    """Raise a ValueError unless `percentile` is a number in (0, 100]."""
    if not isinstance(percentile, numbers.Real) or not 0 < percentile <= 100:
        raise ValueError(
            "percentile must be a number in (0, 100], such as 99, or 100 for no "
            f"clipping, but got {percentile!r}."
        )


def _as_heatmaps(heatmaps) -> np.ndarray:
    """float64, in which neither a percentile nor a maximum − minimum overflows."""
    values = np.asarray(heatmaps, dtype=np.float64)
    if values.ndim < 2 or 0 in values.shape[-2:]:
        raise ValueError(
            "heatmaps have shape (H, W) or (N, H, W) with H and W of at least 1, but "
            f"got shape {values.shape}. Sum the channels of a map first, with "
            "sum_absolute."
        )
    return values


def _float_type(heatmaps) -> np.dtype:
    dtype = np.asarray(heatmaps).dtype
    return dtype if np.issubdtype(dtype, np.floating) else np.dtype(np.float64)


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]

"""Two batches of maps, taken pair by pair: what all measures of stability share."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import checks


def compare(maps_a, maps_b, prepare, measure) -> np.ndarray:
    """measure(prepare(a), prepare(b)) for each pair of maps of two batches.

    A batch that repeats one map without copying it (`np.broadcast_to`) has that map
    prepared once, which halves the work of one map against many.

    Args:
        maps_a, maps_b: (N, H, W, C) or (N, H, W) real, of the same shape.
        prepare: (H, W, C) map → anything, or None where the measure is not defined.
        measure: of two prepared maps, a number.

    Returns:
        (N,) float64, NaN where either map is None after `prepare`.
    """
    maps_a, maps_b = checked_pair(maps_a, maps_b)
    out = np.full(len(maps_a), np.nan)
    a = b = None
    for i in range(len(out)):
        if i == 0 or maps_a.strides[0]:
            a = prepare(maps_a[i])
        if i == 0 or maps_b.strides[0]:
            b = prepare(maps_b[i])
        if a is not None and b is not None:
            out[i] = measure(a, b)
    return out


def checked_pair(maps_a, maps_b) -> tuple[np.ndarray, np.ndarray]:
    """Two batches of maps as (N, H, W, C) arrays of one shape.

    Raises:
        ValueError: shapes that differ, another rank, no pixels, or no real numbers.
    """
    maps_a, maps_b = checked_maps("maps_a", maps_a), checked_maps("maps_b", maps_b)
    if maps_a.shape != maps_b.shape:
        raise ValueError(
            "maps_a and maps_b must be maps of the same images and have one shape, "
            f"but got {maps_a.shape} and {maps_b.shape}. To compare one map with many, "
            "repeat it: np.broadcast_to(one, many.shape)."
        )
    return maps_a, maps_b


def checked_maps(name: str, maps) -> np.ndarray:
    """Maps as (N, H, W, C), not copied where they are an array; C is 1 for heatmaps.

    Raises:
        ValueError: another rank, no pixels, or no real numbers.
    """
    array = checks.as_array(maps)
    if array.dtype.kind not in "biuf" or array.ndim not in (3, 4):
        raise ValueError(
            f"{name} must be real numbers of shape (N, H, W, C), or heatmaps (N, H, W),"
            f" but got {array.dtype} of shape {array.shape}. Add the axis of the batch "
            "to a single map, as in maps[None]."
        )
    if 0 in array.shape[1:]:
        raise ValueError(
            f"{name} must have at least one pixel and one channel, but got shape "
            f"{array.shape}."
        )
    return array[..., None] if array.ndim == 3 else array


def heatmap(values: np.ndarray) -> np.ndarray:
    """Σ_c |map| of one map: (H, W, C) → (H, W) float64."""
    # Channel by channel: NumPy reduces a short last axis ten times slower.
    total = np.abs(values[..., 0], dtype=np.float64)
    for channel in range(1, values.shape[-1]):
        total += np.abs(values[..., channel], dtype=np.float64)
    return total

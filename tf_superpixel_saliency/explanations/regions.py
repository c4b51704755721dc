"""Groups in words: where they are and how much of the map they hold."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import reductions

_SMALLEST = 2500  # to an image: 20 pixels of 224×224


def usual_min_area(segments, k: int) -> int:
    """A 2500th of the image's pixels, or 1 where fewer than k groups are as large.

    The mean of a few pixels scatters most: slivers would come first, and are hard to
    see in a picture.
    """
    area = segments.size // _SMALLEST
    large = np.count_nonzero(np.unique(segments, return_counts=True)[1] >= area)
    return area if area > 1 and large >= k else 1


def described_groups(heatmap, segments, k: int = 10, min_area=None) -> list[dict]:
    """The k groups of highest mean heat of one image, with place and share.

    Args:
        heatmap: (H, W) real.
        segments: (H, W) integers.
        k: how many groups, at least 1.
        min_area: as in `ops.reductions.top_groups`; None for the usual one.

    Returns:
        List of `{"group", "area", "mean", "share", "centroid", "box"}`: `share` of the
        heatmap's sum (0 where that is 0), `centroid` (row, column) in pixels, `box`
        (top, left, bottom, right), the last two not included.
    """
    if min_area is None:
        min_area = usual_min_area(segments, k)
    total = float(np.asarray(heatmap, np.float64).sum())
    found = []
    for one in reductions.top_groups(heatmap, segments, k, min_area):
        rows, columns = np.nonzero(segments == one["group"])
        share = one["mean"] * one["area"] / total if total > 0 else 0.0
        found.append(
            {
                **one,
                "share": share,
                "centroid": (float(rows.mean()), float(columns.mean())),
                "box": (
                    int(rows.min()),
                    int(columns.min()),
                    int(rows.max()) + 1,
                    int(columns.max()) + 1,
                ),
            }
        )
    return found


def photo(image, value_range) -> np.ndarray:
    """An image as it is drawn: (H, W, 1 or 3) in [0, 1].

    Of other numbers of channels, the mean; pixels that aren't finite are black; what
    is outside of the range is cut off.
    """
    low, high = value_range
    pixels = np.nan_to_num(np.asarray(image, np.float64), nan=low)
    if pixels.shape[-1] not in (1, 3):
        pixels = pixels.mean(axis=-1, keepdims=True)
    return np.clip((pixels - low) / (high - low), 0.0, 1.0)


def seen_range(images) -> tuple[float, float]:
    """The usual range of values that images are in, where nobody told it."""
    finite = images[np.isfinite(images)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 255.0)
    for usual in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        if usual[0] <= low and high <= usual[1]:
            return usual
    return (float(low), float(high)) if low < high else (0.0, 255.0)

"""A map with its standard error as a picture."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import color, reductions
from tf_superpixel_saliency.plots import arrays, canvas
from tf_superpixel_saliency.plots.explanation import panels
from tf_superpixel_saliency.plots.maps import color_limits

# How dark the photo is behind groups that may be noise.
_DIMMED = 0.35


def plot_uncertainty(
    image,
    maps,
    standard_error,
    figure=None,
    percentile=99,
    *,
    num_errors=2.0,
    cmap="inferno",
    value_range=(0, 255),
    title=None,
):
    """Draw a map, its standard error, and what of the map stands out from it.

    Four panels: the photo; the heatmap Σ_c |map|; Σ_c standard error in the same
    colours, an upper bound of the heatmap's own; and over the dimmed photo the heat of
    the pixels where some channel of the map is at least `num_errors` standard errors
    from 0. The error is that of the samples drawn, for this one network: what stands
    out may still change with another training.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), in `value_range`.
        maps: (H, W, C), an image's `maps` of `SmoothGrad` or `SparsifiedSmoothGrad`.
        standard_error: (H, W, C), its `standard_error`.
        figure: an empty matplotlib Figure to fill; a new one unless given.
        percentile: in (0, 100], where the heatmap is cut off.
        num_errors: at least 0.
        cmap: matplotlib's name of a colour map, or one.
        value_range: (low, high) of the image.
        title: over the picture.

    Returns:
        The four Axes, (4,) object array.

    Raises:
        ValueError: for wrong shapes, sizes that differ, a standard error that isn't
            known (NaN: fewer than three samples), or arguments out of their range.
    """
    reductions.check_percentile(percentile)
    photo, heat = arrays.photo(image, value_range), arrays.heat(maps)
    maps, standard_error = np.asarray(maps), np.asarray(standard_error)
    _check(maps, standard_error, num_errors)
    arrays.check_same_size(image=photo, maps=heat)
    error = standard_error.sum(axis=-1)
    stands_out = (np.abs(maps) >= num_errors * standard_error).any(axis=-1)
    stands_out &= heat > 0
    low, high = color_limits(heat, percentile)
    captions = [
        "Photo",
        "Map",
        "Standard error",
        f"Beyond {num_errors:g} standard errors: {stands_out.mean():.0%} of the area",
    ]
    axes = panels(figure, photo.shape, captions, title)
    canvas.show(axes[0], photo)
    for ax, values in zip(axes[1:], (heat, error)):
        canvas.show(ax, values, cmap=cmap, vmin=low, vmax=high)
    luma = _DIMMED * (photo @ color.LUMA)
    canvas.show(axes[3], np.repeat(luma[..., None], 3, axis=-1))
    shown = np.ma.masked_where(~stands_out, heat)
    canvas.show(axes[3], shown, cmap=cmap, vmin=low, vmax=high)
    return axes


def _check(maps, standard_error, num_errors):
    if maps.ndim != 3 or maps.shape != standard_error.shape:
        raise ValueError(
            "maps and standard_error must be one image's, both of shape (H, W, C), but "
            f"got {maps.shape} and {standard_error.shape}."
        )
    if not np.isfinite(standard_error).all() or not np.isfinite(maps).all():
        raise ValueError(
            "maps and standard_error must be finite, but hold NaN: the error is known "
            "from three samples on, and not for an image that could not be explained."
        )
    if not num_errors >= 0:
        raise ValueError(f"num_errors must be at least 0, but got {num_errors!r}.")

"""A map as a picture, alone or over the photo it explains."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import color, reductions
from tf_superpixel_saliency.plots import arrays, canvas


def plot_map(
    heatmap, ax=None, percentile=99, *, signed=False, cmap=None, label_failed="no map"
):
    """Draw a heatmap or a map in colours.

    Colours run from the heatmap's minimum to its percentile, where it is cut off.
    Signed maps run between ± the percentile of their absolute values, so that 0 has
    the middle colour. A constant heatmap is drawn in one colour. The array drawn keeps
    its values: the Axes' colour bar is in the map's own units.

    Args:
        heatmap: (H, W), at least 0 unless `signed`, or a map (H, W, C), of which
            Σ_c |map| is drawn, or Σ_c map where `signed`. NaN pixels are drawn grey;
            where all are NaN, as in the map of an image that failed, a hatched area
            says so.
        ax: matplotlib Axes to draw in; one in a new figure unless given.
        percentile: in (0, 100]; 100 for no clipping. Where it equals the minimum, as
            in a map with few pixels that aren't 0, the maximum takes its place.
        signed: draw signs, in a diverging map of colours.
        cmap: matplotlib's name of a colour map, or one; `"inferno"` unless given, or
            `"RdBu_r"` where `signed`.
        label_failed: the text over a map without a finite pixel.

    Returns:
        The Axes.

    Raises:
        ValueError: for a wrong shape, negative values that aren't announced, or a
            percentile out of its range.
    """
    reductions.check_percentile(percentile)
    values = arrays.heat(heatmap, signed)
    ax = canvas.own_axes(ax, values.shape)
    if np.isnan(values).all():
        return _hatch(ax, values.shape, label_failed)
    low, high = color_limits(values, percentile, signed)
    canvas.show(
        ax,
        values,
        cmap=_colors(cmap, signed),
        vmin=low,
        vmax=high,
    )
    return ax


def plot_overlay(
    image,
    heatmap,
    ax=None,
    percentile=99,
    *,
    alpha=0.8,
    cmap=None,
    signed=False,
    value_range=(0, 255),
):
    """Draw a heatmap over its photo, which is turned grey so that colour means heat.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), in `value_range`.
        heatmap: (H, W) or (H, W, C), scaled as by `plot_map`.
        ax: matplotlib Axes to draw in; one in a new figure unless given.
        percentile: in (0, 100], where the heatmap is cut off.
        alpha: opacity of the highest heat, in [0, 1]; lower heat is clearer in
            proportion, and the minimum (0 where `signed`) leaves the photo alone.
        cmap: colour map, as for `plot_map`.
        signed: draw signs, as `plot_map` does.
        value_range: (low, high) of the image.

    Returns:
        The Axes.

    Raises:
        ValueError: for wrong shapes, sizes that differ, pixels outside of
            `value_range`, or a percentile or an alpha out of its range.
    """
    reductions.check_percentile(percentile)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is an opacity in [0, 1], but got {alpha!r}.")
    photo, values = arrays.photo(image, value_range), arrays.heat(heatmap, signed)
    arrays.check_same_size(image=photo, heatmap=values)
    ax = canvas.own_axes(ax, values.shape)
    luma = photo @ color.LUMA  # of the photo as it is displayed
    canvas.show(ax, np.repeat(luma[..., None], 3, axis=-1))
    if np.isnan(values).all():
        return _hatch(ax, values.shape, "no map", alpha=alpha)
    low, high = color_limits(values, percentile, signed)
    # Opaque where it is hot, so that the photo stays bright where nothing is found.
    floor = max(low, 0.0)
    strength = np.clip((np.abs(values) - floor) / ((high - floor) or 1.0), 0, 1)
    canvas.show(
        ax,
        values,
        cmap=_colors(cmap, signed),
        vmin=low,
        vmax=high,
        alpha=alpha * np.nan_to_num(strength),
    )
    return ax


def color_limits(values, percentile, signed=False) -> tuple[float, float]:
    """The values that get the first and the last colour.

    Args:
        values: (H, W) float, one finite pixel at least.
        percentile: in (0, 100].
        signed: whether the limits lie symmetrically about 0.
    """
    if signed:
        size = np.abs(values)
        # A map of zeros has the middle colour, whatever the limits are.
        limit = reductions.percentile_limit(size, percentile) or np.nanmax(size) or 1.0
        return -float(limit), float(limit)
    low, high = np.nanmin(values), reductions.percentile_limit(values, percentile)
    return float(low), float(high if high > low else np.nanmax(values))


def _colors(cmap, signed):
    import matplotlib

    colors = matplotlib.colormaps.get_cmap(cmap or ("RdBu_r" if signed else "inferno"))
    return colors.with_extremes(bad="0.6")


def _hatch(ax, shape, text, alpha=1.0):
    """Draw that there is nothing to draw, in a way that no heatmap looks."""
    from matplotlib.patches import Rectangle

    height, width = shape
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    canvas.bare(ax)
    ax.add_patch(
        Rectangle(
            (-0.5, -0.5),
            width,
            height,
            facecolor=("0.88", alpha),
            edgecolor="0.72",
            hatch="///",
            linewidth=0,
        )
    )
    ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=canvas.TITLE_SIZE,
        color="0.15",
        bbox={"facecolor": "0.95", "edgecolor": "none", "boxstyle": "round,pad=0.3"},
    )
    return ax

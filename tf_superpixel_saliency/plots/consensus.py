"""The picture of several networks' consensus: what they agree on, and how surely."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tf_superpixel_saliency.ops import reductions
from tf_superpixel_saliency.plots import arrays, canvas
from tf_superpixel_saliency.plots.explanation import panels
from tf_superpixel_saliency.plots.maps import color_limits, plot_map, plot_overlay

_BAR, _LEGEND = 26, 34  # screen pixels
# In the order of the bar; what the networks' part is split into stands in its place.
_PARTS = {
    "signal": ("in common", "#009E73"),
    "networks": ("between networks", "#D55E00"),
    "data": ("data", "#D55E00"),
    "initialisation": ("initialisation", "#E69F00"),
    "interaction": ("both", "#CC79A7"),
    "noise": ("noise samples", "#999999"),
}


def plot_consensus(
    image,
    mean,
    standard_error,
    sign_agreement,
    significant,
    *,
    shares: Mapping | None = None,
    title=None,
    percentile=99,
    value_range=(0, 255),
    figure=None,
) -> np.ndarray:
    """Draw the photo, the mean map, its error, the signs, and what can be trusted.

    The map and its error have the same colours: where the error is as bright as the
    map, the networks disagree. The last panel shows the photo in grey and heat only
    where the networks' mean is significant.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), in `value_range`.
        mean: (H, W, C), the mean map over the networks.
        standard_error: (H, W, C), of that mean, between networks.
        sign_agreement: (H, W, C) in [0, 1], the share of networks with its sign.
        significant: (H, W, C) bool.
        shares: {name: number}, parts of one map's mean square, as
            `ConsensusMaps.shares` has them; None leaves the bar out. Negative
            estimates are drawn as 0, and said as they are.
        title: over the picture.
        percentile: in (0, 100], where the maps are cut off.
        value_range: (low, high) of the image.
        figure: an empty matplotlib Figure to fill; a new one of pyplot unless given.

    Returns:
        Array of Axes: five panels, and the bar where there is one.

    Raises:
        ValueError: for wrong shapes, sizes that differ, or a percentile out of its
            range.
    """
    reductions.check_percentile(percentile)
    photo = arrays.photo(image, value_range)
    mean = np.asarray(mean, np.float64)
    heat, error = arrays.heat(mean), arrays.heat(standard_error)
    kept = arrays.heat(np.where(significant, mean, 0.0))
    arrays.check_same_size(image=photo, mean=heat, standard_error=error, trusted=kept)
    count = np.mean(np.any(significant, axis=-1))
    captions = [
        "Photo",
        "Mean over networks",
        "Its error, same colours",
        "Agreement in sign: ½ to all",
        f"Significant: {100 * count:.0f} % of the photo",
    ]
    told = _told(shares)
    below = 12 + _BAR + _LEGEND if told else 0
    axes = panels(figure, photo.shape, captions, title, below)
    canvas.show(axes[0], photo)
    low, high = color_limits(heat, percentile)
    for ax, values in zip(axes[1:3], (heat, error)):
        plot_map(np.clip(values, low, high), ax, 100).images[0].set_clim(low, high)
    canvas.show(
        axes[3], _signs(mean, sign_agreement), cmap="viridis", vmin=0.5, vmax=1.0
    )
    plot_overlay(photo, kept, axes[4], percentile, value_range=(0, 1))
    if not told:
        return axes
    return np.append(axes, _bar(axes[0].get_figure(), told))


def _signs(mean, sign_agreement):
    """The agreement in sign of a pixel's channels, weighed by their sizes: (H, W)."""
    size = np.abs(mean)
    total = size.sum(axis=-1)
    weighed = (size * np.asarray(sign_agreement, np.float64)).sum(axis=-1)
    return np.where(total > 0, weighed / np.where(total > 0, total, 1), 0.5)


def _told(shares):
    """What the bar shows, {name: share}: the networks' part split where it can be."""
    if not shares:
        return {}
    known = {n: float(v) for n, v in shares.items() if n in _PARTS and v == v}
    split = [known.get(name) for name in ("data", "initialisation")]
    whole = "networks"
    if None not in split:
        known.pop(whole, None)
    else:
        for name in ("data", "initialisation", "interaction"):
            known.pop(name, None)
    return {name: known[name] for name in _PARTS if name in known}


def _bar(figure, told):
    width, height = figure.get_size_inches() * canvas.DPI
    margin = 12
    top = height - margin - _BAR - _LEGEND
    ax = canvas.add_panel(figure, margin, top, width - 2 * margin, _BAR)
    drawn = {name: max(0.0, share) for name, share in told.items()}
    total = math.fsum(drawn.values()) or 1.0
    left, words = 0.0, []
    for name, share in drawn.items():
        text, color = _PARTS[name]
        ax.barh(0, share / total, left=left, height=1, color=color)
        left += share / total
        words.append((f"{text} {100 * told[name]:.0f} %", color))
    ax.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    canvas.bare(ax)
    place = margin
    for text, color in words:
        canvas.write(
            figure,
            place,
            top + _BAR + 6,
            "■",
            canvas.LABEL_SIZE,
            ha="left",
            color=color,
        )
        canvas.write(
            figure, place + 18, top + _BAR + 6, text, canvas.LABEL_SIZE, ha="left"
        )
        place += 18 + 9.5 * len(text) + 30
    return ax

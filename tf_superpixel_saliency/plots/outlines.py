"""Groups outlined on the photo: all of them, or the highest with their ranks."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import reductions
from tf_superpixel_saliency.plots import arrays, badges, canvas


def plot_groups(
    image, segments, ax=None, *, color="#ffd92f", linewidth=0.5, value_range=(0, 255)
):
    """Outline all groups on the photo.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), in `value_range`.
        segments: (H, W) integers, labels in any numbering.
        ax: matplotlib Axes to draw in; one in a new figure unless given.
        color: of the lines; a dark one lies under each, for light photos.
        linewidth: in points.
        value_range: (low, high) of the image.

    Returns:
        The Axes.

    Raises:
        ValueError: for wrong shapes, sizes that differ, labels that aren't integers,
            or pixels outside of `value_range`.
    """
    photo, segments = arrays.photo(image, value_range), arrays.labels(segments)
    arrays.check_same_size(image=photo, segments=segments)
    ax = canvas.own_axes(ax, segments.shape)
    canvas.show(ax, photo)
    _two_tone(ax, boundary_lines(segments), color, linewidth)
    return ax


def plot_top_groups(
    image,
    segments,
    heatmap,
    k=10,
    ax=None,
    *,
    min_area=1,
    color="#ffd92f",
    linewidth=0.8,
    dim=0.35,
    value_range=(0, 255),
):
    """Outline the k highest groups on the photo, with their ranks from 1.

    A rank stands inside its group where it fits, else beside it at the end of a line.
    `top_groups` with the same arguments returns the ranking.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), in `value_range`.
        segments: (H, W) integers, labels in any numbering.
        heatmap: (H, W), or a map (H, W, C), of which Σ_c |map| is ranked.
        k: how many groups; all where there are fewer.
        min_area: pixels that a group has at least to be ranked.
        ax: matplotlib Axes to draw in; one in a new figure unless given.
        color: of the lines; a dark one lies under each, for light photos.
        linewidth: in points.
        dim: how much darker the rest of the photo is drawn, from 0 to 1.
        value_range: (low, high) of the image.

    Returns:
        The Axes.

    Raises:
        ValueError: as `plot_groups` and `top_groups`, or for a `dim` out of its range.
    """
    if not 0 <= dim <= 1:
        raise ValueError(f"dim is a share of darkness in [0, 1], but got {dim!r}.")
    photo, segments = arrays.photo(image, value_range), arrays.labels(segments)
    arrays.check_same_size(image=photo, segments=segments, heatmap=np.asarray(heatmap))
    ranking = reductions.top_groups(heatmap, segments, k, min_area)
    ax = canvas.own_axes(ax, segments.shape)
    masks = [segments == entry["group"] for entry in ranking]
    chosen = np.any(masks, axis=0) if masks else np.ones(segments.shape, bool)
    canvas.show(ax, photo * np.where(chosen, 1.0, 1.0 - dim)[..., None])
    # Numbered from 1 by rank, so that neighbours among them keep their line between.
    ranks = np.zeros(segments.shape, np.int64)
    for rank, mask in enumerate(masks, start=1):
        ranks[mask] = rank
    framed = np.pad(ranks, 1)
    _two_tone(ax, boundary_lines(framed) - 1.0, color, linewidth)
    badges.add_ranks(ax, masks)
    return ax


def boundary_lines(segments) -> np.ndarray:
    """The lines between pixels of different groups, each as long as it is straight.

    Args:
        segments: (H, W) integers.

    Returns:
        (M, 2, 2) float64: for each line its two ends (x, y), where pixel (row, column)
        is the unit square around (x, y) = (column, row).
    """
    segments = np.asarray(segments)
    across = _runs(segments[:, 1:] != segments[:, :-1])
    # Both directions by one function: rows become columns, and x becomes y.
    down = _runs((segments[1:] != segments[:-1]).T)[..., ::-1]
    return np.concatenate([across, down])


def _runs(change: np.ndarray) -> np.ndarray:
    """Vertical lines from a mask (H, W − 1) of changes to the right neighbour."""
    steps = np.diff(np.pad(change.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    column, start = np.nonzero(steps == 1)
    _, stop = np.nonzero(steps == -1)
    x = column + 0.5
    ends = [np.stack([x, start - 0.5], -1), np.stack([x, stop - 0.5], -1)]
    return np.stack(ends, axis=1)


def _two_tone(ax, lines, color, linewidth):
    """A dark line under a light one: seen on any photo, whatever the eye's colours."""
    from matplotlib.collections import LineCollection

    for tone, width in (("black", 2.2 * linewidth), (color, linewidth)):
        ax.add_collection(
            LineCollection(
                lines, colors=tone, linewidths=width, capstyle="projecting", zorder=3
            ),
            autolim=False,
        )

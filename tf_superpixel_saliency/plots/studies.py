"""Figures of studies: measures with their level of chance, trade-offs, curves."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from tf_superpixel_saliency.plots import canvas

# Colours that remain apart for colour-blind readers (Okabe & Ito), one a partition.
COLORS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#666666",
)
# More than there are colours, so that a colour that comes again has another marker.
MARKERS = "osD^vP*X<>h"
_LINES = ("-", "--", ":")


def plot_measure(
    values: Mapping,
    ax=None,
    *,
    chance: Mapping | None = None,
    ylabel: str = "",
    title: str = "",
):
    """Bars of a measure, a cluster a method and a colour a partition.

    What chance alone gives is the hatched foot of a bar: only what stands above it
    is agreement that the networks have.

    Args:
        values: {method: {partition: (mean, low, high)}}.
        ax: matplotlib Axes; one in a new figure unless given.
        chance: {method: {partition: mean}}, or None.
        ylabel: name of the measure.
        title: over the Axes.

    Returns:
        The Axes.
    """
    ax = canvas.own_axes(ax, (3, 5))
    methods = list(values)
    names = list(dict.fromkeys(name for row in values.values() for name in row))
    width = 0.8 / max(len(row) for row in values.values())
    for number, name in enumerate(names):
        rows = [row for row, method in enumerate(methods) if name in values[method]]
        places = [_place(list(values[methods[row]]), name, row, width) for row in rows]
        found = np.array([values[methods[row]][name] for row in rows])
        color = COLORS[number % len(COLORS)]
        ax.bar(places, found[:, 0], width * 0.92, color=color, label=name)
        errors = np.abs(found[:, 1:].T - found[:, 0])
        ax.errorbar(places, found[:, 0], errors, fmt="none", ecolor="black", lw=0.8)
        if chance:
            feet = [chance[methods[row]][name] for row in rows]
            ax.bar(
                places,
                feet,
                width * 0.92,
                color="white",
                alpha=0.55,
                hatch="////",
                lw=0,
            )
    crowded = {"rotation": 20, "ha": "right"} if len(methods) > 5 else {}
    ax.set_xticks(range(len(methods)), methods, **crowded)
    _finish(ax, "", ylabel, title)
    _add_legend_above(ax, len(names))
    return ax


def _add_legend_above(ax, count):
    """In lines of up to four over the tallest bar, which it would lie on otherwise."""
    lines = -(-count // 4)
    columns = -(-count // lines)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + (top - bottom) * 0.09 * lines)
    place = {"loc": "upper left", "ncols": columns, "borderaxespad": 0.1}
    ax.legend(fontsize=7.5, frameon=False, **place)


def _place(names, name, row, width):
    """Where a bar stands in its cluster, which is centred at `row`."""
    return row + (names.index(name) - (len(names) - 1) / 2) * width


def plot_curves(
    curves: Mapping, ax=None, *, xlabel: str = "", ylabel: str = "", title: str = ""
):
    """Lines, with a band where there are intervals.

    Args:
        curves: {name: (x, y) or (x, y, low, high)}, each (K,).
        ax: matplotlib Axes; one in a new figure unless given.
        xlabel: name of the horizontal axis.
        ylabel: name of the vertical axis.
        title: over the Axes.

    Returns:
        The Axes.
    """
    ax = canvas.own_axes(ax, (3, 4))
    for number, (name, curve) in enumerate(curves.items()):
        style = {
            "color": COLORS[number % len(COLORS)],
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": _LINES[number // len(COLORS) % len(_LINES)],
            # On a curve of hundreds of points they would run into a band.
            "markevery": -(-len(curve[0]) // 20),
        }
        ax.plot(*curve[:2], label=name, ms=4, lw=1.4, **style)
        if len(curve) == 4:
            ax.fill_between(
                curve[0], *curve[2:], color=style["color"], alpha=0.15, lw=0
            )
    _finish(ax, xlabel, ylabel, title)
    return ax


def plot_certificate(
    radii,
    overlaps: Mapping,
    ax=None,
    *,
    xlabel: str = "‖change of the image‖₂",
    title="",
):
    """How much of the top is certain to stay over how far an image may change.

    Args:
        radii: (R,), as `metrics.certified_overlap` took them.
        overlaps: {name: (N, R) shares of the top that stay}, `overlap / top[:, None]`
            of a `Certificate`; the mean over the images is drawn.
        ax: matplotlib Axes; one in a new figure unless given.
        xlabel: name of the horizontal axis.
        title: over the Axes.

    Returns:
        The Axes.
    """
    means = {
        name: (radii, np.mean(np.atleast_2d(shares), axis=0))
        for name, shares in overlaps.items()
    }
    ax = plot_curves(
        means, ax, xlabel=xlabel, ylabel="share of the top that stays", title=title
    )
    ax.set_ylim(-0.02, 1.02)
    return ax


def plot_tradeoff(
    points: Mapping,
    ax=None,
    *,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    labels=None,
):
    """Two measures against each other over the size of groups.

    Args:
        points: {name: (x, y, sizes)}, each (K,), in the order of the sizes; a point's
            area grows with its size, pixels a group.
        labels: (K,) names of the points, each a marker with a place in a legend of
            its own, and no lines between; None for points on a line.
        ax: matplotlib Axes; one in a new figure unless given.
        xlabel: name of the horizontal axis.
        ylabel: name of the vertical axis.
        title: over the Axes.

    Returns:
        The Axes.
    """
    ax = canvas.own_axes(ax, (3, 4))
    for number, (name, (x, y, sizes)) in enumerate(points.items()):
        color = COLORS[number % len(COLORS)]
        area = 14 + 14 * np.log2(np.maximum(np.asarray(sizes, float), 1))
        if labels is None:
            ax.plot(x, y, color=color, lw=1, alpha=0.6)
            ax.scatter(x, y, area, color=color, label=name, lw=0, alpha=0.85)
            continue
        ax.scatter([], [], 40, color=color, label=name, lw=0)
        for *one, marker in zip(x, y, area, itertools.cycle(MARKERS)):
            ax.scatter(*one, color=color, marker=marker, lw=0, alpha=0.85)
    _finish(ax, xlabel, ylabel, title)
    if labels is not None:
        _add_marker_legend(ax, labels)
    return ax


def _add_marker_legend(ax, labels):
    """Right of the Axes, beside the legend of colours in them."""
    ax.add_artist(ax.get_legend())
    entries = [
        ax.scatter([], [], 40, color="0.4", marker=marker, lw=0)
        for _, marker in zip(labels, itertools.cycle(MARKERS))
    ]
    place = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
    ax.legend(entries, labels, fontsize=7.5, frameon=False, **place)


def _finish(ax, xlabel, ylabel, title):
    ax.set_xlabel(xlabel, fontsize=9)
    ax.set_ylabel(ylabel, fontsize=9)
    ax.set_title(title, fontsize=10)
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)
    if ax.get_ylim()[0] < 0:
        ax.axhline(0, color="black", lw=0.6)
    else:
        ax.set_ylim(bottom=0)  # from 0, with no line below that runs into the legend
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=7.5, frameon=False)


def study_figure(columns: int = 1, rows: int = 1, width: float = 5.2, height=3.6):
    """A figure with room for Axes in a grid, which pyplot doesn't know.

    Args:
        columns: number of columns.
        rows: number of rows.
        width: inches of one Axes.
        height: inches of one Axes.

    Returns:
        matplotlib Figure and (rows, columns) array of Axes.
    """
    figure = canvas.new_figure()
    figure.set_size_inches(width * columns, height * rows)
    figure.set_layout_engine("constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)

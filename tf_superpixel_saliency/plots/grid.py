"""Maps side by side: methods and partitions, photo by photo."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_superpixel_saliency.ops import reductions
from tf_superpixel_saliency.plots import arrays, canvas
from tf_superpixel_saliency.plots.maps import plot_map
from tf_superpixel_saliency.plots.table import Table


def plot_grid(
    images,
    maps,
    *,
    rows="images",
    row_labels=None,
    photo_label="Photo",
    percentile=99,
    signed=False,
    cmap=None,
    cell=1.4,
    value_range=(0, 255),
    figure=None,
) -> np.ndarray:
    """Draw maps of several methods and partitions in a grid, each beside its photo.

    With `rows="images"` a row is a photo, and a column a method, or a pair of method
    and partition. With `rows="methods"` a row is a method, or a family of
    super-pixels, and a column one of its partitions or settings; photos follow below
    each other. Each map has colours of its own, scaled as by `plot_map`.

    Args:
        images: (N, H, W, C), or a list of N images that may differ in size, in
            `value_range`.
        maps: what to draw, `{column: maps}` or `{method: {partition: maps}}`, where
            maps are (N, H, W) heatmaps, (N, H, W, C) maps, or a list of N of them.
        rows: `"images"` or `"methods"`; the latter takes nested maps only.
        row_labels: N names of the photos, written at the left of their rows; not with
            `rows="methods"`, which writes the methods there.
        photo_label: over the photos' column.
        percentile: in (0, 100], where each map is cut off.
        signed: draw signs, as `plot_map` does.
        cmap: colour map, as for `plot_map`.
        cell: inches of a cell's longer side.
        value_range: (low, high) of the images.
        figure: an empty matplotlib Figure to fill; a new one of pyplot unless given.

    Returns:
        (rows, columns) array of Axes, the photos' in column 0. Where methods differ in
        how many partitions they have, the Axes left over are invisible.

    Raises:
        ValueError: for counts, shapes or sizes that don't match, a mapping that is
            empty or of mixed depth, an unknown `rows`, or as `plot_map`.

    Example:
        >>> plot_grid(images, {
        ...     "SimpleGradient": {"pixel": a, "Quickshift": b},
        ...     "SmoothGrad": {"pixel": c, "Quickshift": d},
        ... })  # doctest: +SKIP
    """
    reductions.check_percentile(percentile)
    photos = [arrays.photo(image, value_range) for image in _batch(images)]
    nested = _checked_maps(maps, photos, signed)
    if rows == "images":
        table = _by_images(nested, photos, row_labels, photo_label)
    elif rows == "methods" and "" not in nested and row_labels is None:
        table = _by_methods(nested, photos, photo_label)
    else:
        raise ValueError(
            "rows is 'images', or 'methods' for maps nested as {method: {partition: "
            f"maps}}}} and without row_labels, but got {rows!r} for "
            f"{'flat' if '' in nested else 'nested'} maps."
        )
    axes = table.lay_out(figure, cell)
    for row, (photo, *heatmaps) in zip(axes, table.cells):
        canvas.show(row[0], photo)
        for ax, values in zip(row[1:], heatmaps):
            plot_map(values, ax, percentile, signed=signed, cmap=cmap)
        for ax in row[1 + len(heatmaps) :]:
            ax.set_visible(False)
    return axes


def _batch(images):
    """Images one by one; a single one would be taken for a batch of its rows."""
    if not isinstance(images, (list, tuple)):
        images = np.asarray(images)
        if images.ndim != 4:
            raise ValueError(
                "images have shape (N, H, W, C), or are a list of images, but got "
                f"shape {images.shape}. Add the axis that is missing, as in "
                "images[None] for one image."
            )
    if len(images) == 0:
        raise ValueError("A grid needs at least one image, but got an empty batch.")
    return images


def _checked_maps(maps, photos, signed) -> dict[str, dict[str, list[np.ndarray]]]:
    """{method: {partition: [heatmap, …]}}, with the method '' for flat maps."""
    depths = {isinstance(value, Mapping) for value in getattr(maps, "values", list)()}
    if len(depths) != 1:
        raise ValueError(
            "maps is a mapping {column: maps} or {method: {partition: maps}} of one "
            f"depth and not empty, but got {type(maps).__name__}"
            f"{' of mixed depth' if depths else ''}."
        )
    nested = dict(maps) if depths == {True} else {"": maps}
    checked: dict[str, dict[str, list[np.ndarray]]] = {}
    for method, partitions in nested.items():
        checked[method] = {}
        for partition, batch in partitions.items():
            name = f"{method} {partition}".strip()
            if len(batch) != len(photos):
                raise ValueError(
                    f"maps of {name!r} are as many as the images, {len(photos)}, but "
                    f"got {len(batch)}."
                )
            checked[method][partition] = [arrays.heat(m, signed) for m in batch]
            for photo, values in zip(photos, checked[method][partition]):
                arrays.check_same_size(images=photo, maps=values)
    return checked


def _by_images(nested, photos, row_labels, photo_label) -> Table:
    if row_labels is not None and len(row_labels) != len(photos):
        raise ValueError(
            f"row_labels name the {len(photos)} images, but got {len(row_labels)}."
        )
    columns = [(p, batch) for group in nested.values() for p, batch in group.items()]
    return Table(
        cells=[
            [photo, *(batch[row] for _, batch in columns)]
            for row, photo in enumerate(photos)
        ],
        titles=[[photo_label, *(name for name, _ in columns)]] * len(photos),
        row_labels=list(row_labels or []),
        methods=[(m, len(group)) for m, group in nested.items() if m],
    )


def _by_methods(nested, photos, photo_label) -> Table:
    pairs = [(row, group) for row in range(len(photos)) for group in nested.values()]
    return Table(
        cells=[
            [photos[row], *(batch[row] for batch in group.values())]
            for row, group in pairs
        ],
        titles=[[photo_label, *group] for _, group in pairs],
        row_labels=list(nested) * len(photos),
        methods=[],
    )

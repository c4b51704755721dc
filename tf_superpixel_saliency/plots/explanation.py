"""The picture of one explanation: photo, maps, and the groups that matter."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import reductions
from tf_superpixel_saliency.plots import arrays, canvas
from tf_superpixel_saliency.plots.maps import plot_map
from tf_superpixel_saliency.plots.outlines import plot_top_groups

_GAP, _MARGIN = 16, 12  # screen pixels


def plot_explanation(
    image,
    pixel_heatmap,
    heatmap,
    segments,
    title=None,
    *,
    k=10,
    min_area=1,
    percentile=99,
    cmap=None,
    value_range=(0, 255),
    figure=None,
) -> np.ndarray:
    """Draw side by side: photo, pixel map, super-pixel map, highest groups.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), in `value_range`.
        pixel_heatmap: (H, W) or (H, W, C), the map without super-pixels; None leaves
            its panel out.
        heatmap: (H, W) or (H, W, C), the map with them.
        segments: (H, W) integers; None leaves the groups' panel out.
        title: over the picture, such as `"Egyptian cat, 0.79"`: the class and its
            probability.
        k: how many groups to outline.
        min_area: pixels that a group has at least to be outlined.
        percentile: in (0, 100], where each map is cut off, as in `plot_map`.
        cmap: colour map, as for `plot_map`.
        value_range: (low, high) of the image.
        figure: an empty matplotlib Figure to fill; a new one of pyplot unless given.
            Loops that save many pictures pass `new_figure()`, which pyplot doesn't
            keep in memory.

    Returns:
        (panels,) array of Axes.

    Raises:
        ValueError: as `plot_map`, `plot_groups` and `top_groups`, or if the figure
            isn't empty.
    """
    reductions.check_percentile(percentile)
    photo = arrays.photo(image, value_range)
    maps = {"Pixel map": pixel_heatmap, "Super-pixel map": heatmap}
    maps = {name: arrays.heat(m) for name, m in maps.items() if m is not None}
    arrays.check_same_size(image=photo, **maps)
    ranking = []
    if segments is not None:
        arrays.check_same_size(image=photo, segments=arrays.labels(segments))
        ranking = reductions.top_groups(heatmap, segments, k, min_area)
    captions = ["Photo", *maps]
    if segments is not None:
        captions.append(_groups_caption(len(ranking)))
    axes = panels(figure, photo.shape, captions, title)
    canvas.show(axes[0], photo)
    for ax, values in zip(axes[1:], maps.values()):
        plot_map(values, ax, percentile, cmap=cmap)
    if segments is not None:
        plot_top_groups(
            photo, segments, heatmap, k, axes[-1], min_area=min_area, value_range=(0, 1)
        )
    return axes


def titled_panel(shape, caption: str, title: str, figure=None):
    """One Axes of a picture's size, with a caption and a title above.

    Args:
        shape: (H, W) of the image to draw.
        caption: right above it.
        title: over the picture.
        figure: an empty matplotlib Figure to fill; a new one unless given.

    Returns:
        matplotlib Axes.
    """
    return panels(figure, shape, [caption], title)[0]


def _groups_caption(count: int) -> str:
    if count == 0:
        return "No groups to rank"
    return "Highest group" if count == 1 else f"{count} highest groups"


def panels(figure, shape, captions, title, below: int = 0) -> np.ndarray:
    """A row of Axes with captions above, and a title above all.

    Args:
        figure: an empty matplotlib Figure to fill, or None.
        shape: (H, W) of the image to draw.
        captions: one an Axes.
        title: over all of them, or None.
        below: screen pixels to leave free under the row.

    Returns:
        (len(captions),) array of Axes.
    """
    height, width = canvas.fit(shape, canvas.PANEL)
    full_width = len(captions) * (width + _GAP) - _GAP + 2 * _MARGIN
    title = canvas.wrap(title or "", full_width - 2 * _MARGIN, canvas.TITLE_SIZE)
    title_lines = len(title.splitlines())
    title_height = canvas.text_height(title_lines, canvas.TITLE_SIZE)
    top = _MARGIN + title_height + canvas.text_height(1, canvas.LABEL_SIZE)
    figure = canvas.prepare(figure, full_width, top + height + below + _MARGIN)
    if title:
        canvas.write(
            figure, full_width / 2, _MARGIN, title, canvas.TITLE_SIZE, weight="bold"
        )
    axes = np.empty(len(captions), dtype=object)
    for index, caption in enumerate(captions):
        left = _MARGIN + index * (width + _GAP)
        axes[index] = canvas.add_panel(figure, left, top, width, height)
        place = (left + width / 2, _MARGIN + title_height)
        canvas.write(figure, *place, caption, canvas.LABEL_SIZE)
    return axes

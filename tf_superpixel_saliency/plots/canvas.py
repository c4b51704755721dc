"""Figures and Axes: sizes, gaps and letters, the same in every picture.

The geometry is laid out in screen pixels, so that an image pixel covers a whole
number of them: super-pixels then have even edges, and there is no white to spare.
"""

from __future__ import annotations

import re

import numpy as np

DPI = 160
PANEL = 448  # screen pixels of a panel's longer side, some 2.8 inches
_ALONE = 672  # the same for a picture that has a figure to itself
TITLE_SIZE, LABEL_SIZE = 10.0, 8.0  # points
_MARGIN = 12
# Between which letters a line may break, the best ones first.
_BREAKS = (r"(?<=\s)", r"(?<=[-:;,(/])", r"(?<=[_=])", r"(?<=.)(?=.)")


def new_figure():
    """An empty figure that pyplot doesn't know and doesn't keep in memory.

    For loops that save many pictures: its resolution suits the plots, which set its
    size, and `savefig` writes an image pixel to a whole number of screen pixels.

    Returns:
        matplotlib Figure.
    """
    from matplotlib.figure import Figure

    return Figure(dpi=DPI)


def own_axes(ax, shape):
    """The Axes given, or one in a new figure with the proportions of the image.

    Args:
        ax: matplotlib Axes, or None.
        shape: (H, W) of the image to draw.
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    height, width = fit(shape, _ALONE)
    figure = plt.figure(
        figsize=((width + 2 * _MARGIN) / DPI, (height + 2 * _MARGIN) / DPI), dpi=DPI
    )
    # Unlike a fixed layout, this one makes room for a title or a colour bar later.
    pad = _MARGIN / DPI
    figure.set_layout_engine("compressed", w_pad=pad, h_pad=pad)
    return figure.add_subplot()


def fit(shape, longest: int) -> tuple[int, int]:
    """Screen pixels (height, width) of a panel: a multiple of the image's, if small."""
    factor = longest / max(shape[:2])
    if factor >= 1:
        factor = round(factor)
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def prepare(figure, width: float, height: float):
    """A figure of a size in screen pixels: the one given, if any, else a new one.

    Raises:
        ValueError: if the figure given has Axes already.
    """
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(dpi=DPI)
    elif figure.axes:
        raise ValueError(
            "figure must be empty, since its size is set and all of it is drawn on, "
            f"but it has {len(figure.axes)} Axes. Pass new_figure()."
        )
    figure.set_layout_engine("none")
    figure.set_size_inches(width / DPI, height / DPI)
    return figure


def add_panel(figure, left: float, top: float, width: float, height: float):
    """An Axes at a place in screen pixels, counted from the figure's top left."""
    full_width, full_height = figure.get_size_inches() * DPI
    return figure.add_axes(
        (
            left / full_width,
            1 - (top + height) / full_height,
            width / full_width,
            height / full_height,
        )
    )


def write(figure, left: float, top: float, text: str, size: float, **style):
    """Text at a place in screen pixels; `$` and the like stay as they are."""
    full_width, full_height = figure.get_size_inches() * DPI
    return figure.text(
        left / full_width,
        1 - top / full_height,
        text,
        fontsize=size,
        parse_math=False,
        **{"ha": "center", "va": "top", **style},
    )


def wrap(text: str, width: float, size: float) -> str:
    """Lines that fit in a width in screen pixels.

    They break at spaces; a word without any, as `SLIC:n_segments=1500`, after its
    punctuation, and inside a name only where nothing else helps.
    """
    # Letters of the default font are 0.6 em wide on average, if bold.
    letters = max(8, int(width / DPI * 72 / (0.6 * size)))
    lines = [""]
    for piece in _pieces(" ".join(text.split()), letters):
        if len((lines[-1] + piece).rstrip()) > letters:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(text, letters, breaks=_BREAKS):
    """What a text may be broken into, each of at most so many letters."""
    for piece in re.split(breaks[0], text):
        if len(piece.rstrip()) <= letters:
            yield piece
        else:
            yield from _pieces(piece, letters, breaks[1:])


def text_height(lines: int, size: float) -> int:
    """Screen pixels that lines of text take, with a little air below; 0 for none."""
    return round((lines * 1.25 * size + 2) / 72 * DPI) if lines else 0


def show(ax, pixels: np.ndarray, **style):
    """Draw an array whose (0, 0) is the top left pixel, without ticks or a frame."""
    width, height = inches(ax) * ax.get_figure().dpi
    enlarged = width >= pixels.shape[1] - 0.5 and height >= pixels.shape[0] - 0.5
    # Even edges where there is room for every pixel, a mean of them where there isn't.
    style["interpolation"] = "nearest" if enlarged else "antialiased"
    drawn = ax.imshow(pixels, origin="upper", aspect="equal", **style)
    bare(ax)
    return drawn


def inches(ax) -> np.ndarray:
    """(width, height) of the place that an Axes has."""
    place = ax.get_position(original=True)
    return ax.get_figure().get_size_inches() * (place.width, place.height)


def bare(ax) -> None:
    """Take away ticks, grid and frame; a label beside the Axes stays possible."""
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)

"""The geometry of a grid of pictures with its headings."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_superpixel_saliency.plots import canvas

_GAP, _MARGIN = 8, 10  # screen pixels


@dataclasses.dataclass
class Table:
    """A grid of pictures and what is written around it.

    Attributes:
        cells: rows of arrays (H, W) or (H, W, 3), not all of one length.
        titles: for each row, what stands over its cells; written where it differs from
            the row above.
        row_labels: one a row, or none.
        methods: (name, number of columns) over the titles, from column 1 on.
    """

    cells: list[list[np.ndarray]]
    titles: list[list[str]]
    row_labels: list[str]
    methods: list[tuple[str, int]]

    def lay_out(self, figure, cell: float) -> np.ndarray:
        """Make Axes for the cells and write the headings.

        Args:
            figure: an empty Figure, or None for a new one.
            cell: inches of a cell's longer side.

        Returns:
            (rows, columns) array of Axes.
        """
        height, width = self._cell_size(cell)
        columns = max(map(len, self.cells))
        titles = self._wrapped_titles(width)
        left = _MARGIN
        if self.row_labels:
            labels = [
                canvas.wrap(s, height, canvas.LABEL_SIZE) for s in self.row_labels
            ]
            left += canvas.text_height(_lines(labels), canvas.LABEL_SIZE)
        lefts = left + np.arange(columns) * (width + _GAP)
        self._part_methods(lefts)
        above = [canvas.text_height(_lines(row), canvas.LABEL_SIZE) for row in titles]
        methods = [
            canvas.wrap(name, n * (width + _GAP) - _GAP, canvas.TITLE_SIZE)
            for name, n in self.methods
        ]
        top = _MARGIN + canvas.text_height(_lines(methods), canvas.TITLE_SIZE)
        tops = top + np.cumsum(above) + np.arange(len(above)) * (height + _GAP)
        figure = canvas.prepare(
            figure, lefts[-1] + width + _MARGIN, tops[-1] + height + _MARGIN
        )
        axes = np.empty((len(tops), columns), dtype=object)
        for row, y in enumerate(tops):
            for column, x in enumerate(lefts):
                axes[row, column] = canvas.add_panel(figure, x, y, width, height)
            for x, title in zip(lefts, titles[row]):
                place = (x + width / 2, y - _GAP / 2)
                canvas.write(figure, *place, title, canvas.LABEL_SIZE, va="bottom")
            if self.row_labels:
                place = (left - _GAP, y + height / 2)
                style = {"rotation": 90, "ha": "right", "va": "center"}
                canvas.write(figure, *place, labels[row], canvas.LABEL_SIZE, **style)
        self._write_methods(figure, methods, lefts, width)
        return axes

    def _cell_size(self, cell) -> tuple[int, int]:
        heights, widths = zip(*(a.shape[:2] for row in self.cells for a in row))
        return canvas.fit((max(heights), max(widths)), round(cell * canvas.DPI))

    def _wrapped_titles(self, width) -> list[list[str]]:
        return [
            []
            if row and titles == self.titles[row - 1]
            else [canvas.wrap(title, width, canvas.LABEL_SIZE) for title in titles]
            for row, titles in enumerate(self.titles)
        ]

    def _part_methods(self, lefts) -> None:
        """Move columns right, so that a method's stand together."""
        column = 1
        for _, count in self.methods:
            lefts[column:] += _GAP
            column += count

    def _write_methods(self, figure, methods, lefts, width) -> None:
        """Each method over its columns, with a line below as wide as they are."""
        from matplotlib.lines import Line2D

        column = 1
        height = canvas.text_height(_lines(methods), canvas.TITLE_SIZE)
        full_width, full_height = figure.get_size_inches() * canvas.DPI
        for text, (_, count) in zip(methods, self.methods):
            left, right = lefts[column], lefts[column + count - 1] + width
            middle, bottom = (left + right) / 2, _MARGIN + height - _GAP
            canvas.write(figure, middle, bottom, text, canvas.TITLE_SIZE, va="bottom")
            x, y = np.array([left, right]) / full_width, 1 - bottom / full_height
            figure.add_artist(Line2D(x, [y, y], color="0.5", linewidth=0.8))
            column += count


def _lines(texts) -> int:
    return max((len(text.splitlines()) for text in texts), default=0)

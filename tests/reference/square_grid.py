"""Slow twin of the grid of near-square cells, in fractions and loops."""

from fractions import Fraction

import numpy as np


def _ratio(one, other):
    return Fraction(max(one, other), min(one, other))


def rows_and_columns(wanted, height, width):
    """The grid of `wanted` cells, roughly, that cuts H×W most nearly into squares."""
    grids = []
    for rows in range(1, height + 1):
        # Half up, as whole numbers round in school.
        columns = int(Fraction(wanted, rows) + Fraction(1, 2))
        columns = min(max(columns, 1), width)
        error = Fraction(abs(rows * columns - wanted), wanted)
        stretch = _ratio(Fraction(height, rows), Fraction(width, columns))
        grids.append((error, stretch * _ratio(rows * columns, wanted), rows, columns))
    allowed = max(Fraction(5, 100), min(grid[0] for grid in grids))
    _, rows, columns = min(grid[1:] for grid in grids if grid[0] <= allowed)
    return rows, columns


def least_error(wanted, height, width):
    """|r·c − wanted| / wanted of the best of all grids, squares or not."""
    return min(
        Fraction(abs(rows * columns - wanted), wanted)
        for rows in range(1, height + 1)
        for columns in range(1, width + 1)
    )


def cells(rows, columns, height, width):
    """(H, W): pixel (i, j) is in cell (⌊i·r/H⌋, ⌊j·c/W⌋)."""
    labels = np.empty((height, width), np.int32)
    for i in range(height):
        for j in range(width):
            labels[i, j] = (i * rows // height) * columns + j * columns // width
    return labels


def squares(size, height, width):
    """(H, W): squares of a side of `size` pixels, cut at the right and below."""
    across = -(-width // size)
    return np.array(
        [[i // size * across + j // size for j in range(width)] for i in range(height)]
    )

"""SLIC's clustering: k-means in which every centre sees its own window only.

scikit-image goes through the centres, and through the pixels of each one's window.
Here pixels go through centres: the image is cut into cells about as large as a
window's quarter, every cell lists the centres whose windows reach it, and all cells
try their n-th centre at once. Pixels lie as (place in the cell, cell), so that what
belongs to a cell is a contiguous row and needs no gathering.

Positions and colours are rounded to 2**-16 pixels. Distances are then sums of exact
products for usual settings, so that no two compilers can order them differently.
"""

from __future__ import annotations

import typing

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import groups

# Centres that a cell tries in one pass over the pixels.
_CENTRES_A_PASS = 4
# How far from a cell's place on the grid centres are looked for, in grid steps.
_NEAR = 5
_QUANTA = 2.0**16
_FAR = tf.int64.max


class Cells(typing.NamedTuple):
    """How the image is cut: cells (rows, columns), each of (height, width) pixels."""

    rows: typing.Any
    columns: typing.Any
    height: typing.Any
    width: typing.Any


def quantised(values: tf.Tensor) -> tf.Tensor:
    """Round to the multiples of 2**-16 on which clustering is exact."""
    return tf.round(values * _QUANTA) / _QUANTA


def cut_into_cells(image: tf.Tensor, cells: Cells, fill) -> tf.Tensor:
    """(H, W, C) → (C, pixels of a cell, cells), `fill` where a cell has no pixel."""
    shape = tf.shape(image)
    padded = tf.pad(
        image,
        [
            [0, cells.rows * cells.height - shape[0]],
            [0, cells.columns * cells.width - shape[1]],
            [0, 0],
        ],
        constant_values=tf.cast(fill, image.dtype),
    )
    split = tf.reshape(
        padded, [cells.rows, cells.height, cells.columns, cells.width, shape[2]]
    )
    split = tf.transpose(split, [4, 1, 3, 0, 2])
    return tf.reshape(
        split, [shape[2], cells.height * cells.width, cells.rows * cells.columns]
    )


def join_cells(values: tf.Tensor, cells: Cells, size) -> tf.Tensor:
    """(pixels of a cell, cells) → (H, W): the inverse, for one channel."""
    split = tf.reshape(values, [cells.height, cells.width, cells.rows, cells.columns])
    joined = tf.reshape(
        tf.transpose(split, [2, 0, 3, 1]),
        [cells.rows * cells.height, cells.columns * cells.width],
    )
    return joined[: size[0], : size[1]]


def _length(values):
    """Length of the first axis, a Python integer where it is known."""
    known = values.shape[0]
    return tf.shape(values)[0] if known is None else known


class WindowedKMeans:
    """The clustering of one image.

    Args:
        colors: (H, W, C) float64, scaled so that one unit weighs as one pixel.
        inside: (H, W) bool, pixels that take part.
        window: (2,) int32 tensor, how far a centre sees: rows, columns.
        cells: how to cut the image.
        spacing: weights of rows and columns in distances, Python numbers.
        color_unit: float64 scalar, the colour distance at which SLICO's adaptive
            weight starts.
        id_bits: how many bits hold the number of any centre.
    """

    def __init__(self, colors, inside, window, cells, spacing, color_unit, id_bits):
        self.size = tf.shape(inside)
        self.cells = cells
        self.window = tf.cast(window, tf.float64)
        self.weights = [float(s) ** 2 for s in spacing]
        self.color_unit = tf.cast(color_unit, tf.float64)
        self.id_mask = tf.constant(2**id_bits - 1, tf.int64)
        self.id_half = tf.constant(2 ** (id_bits - 1), tf.int64)
        self.channels = colors.shape[-1]
        self.colors = cut_into_cells(quantised(colors), cells, 0)
        self.inside = cut_into_cells(inside[..., None], cells, False)[0]
        self.near = None
        self.count = cells.rows * cells.columns
        # Rows of 2^n bytes would all want the same few lines of the cache.
        self.spaced = 8 * ((self.count + 7) // 16 * 2 + 1)
        place = tf.range(cells.height * cells.width)
        cell = tf.range(self.count)
        self.offsets = (
            tf.cast(place // cells.width, tf.float64)[:, None],
            tf.cast(place % cells.width, tf.float64)[:, None],
        )
        self.corners = (
            tf.cast(cell // cells.columns * cells.height, tf.float64),
            tf.cast(cell % cells.columns * cells.width, tf.float64),
        )
        # What is summed for each centre: 1, row, column, colours.
        ones = tf.ones_like(self.colors[0])
        values = [ones]
        for offset, corner in zip(self.offsets, self.corners):
            values.append(ones * (offset + corner))
        values = tf.stack(values + tf.unstack(self.colors), axis=-1)
        self.summed = tf.reshape(values, [-1, 3 + self.channels])

    def start(self, positions):
        """The state to start from: centres (p, 2 + C) and which of them are alive.

        Args:
            positions: (p, 2) float64, rows and columns.
        """
        count = _length(positions)
        colors = tf.zeros([count, self.channels], tf.float64)
        return tf.concat([quantised(positions), colors], axis=1), tf.fill([count], True)

    def run(self, centres, alive, max_num_iter, slic_zero=False, ignore_color=False):
        """Cluster.

        Args:
            centres: (p, 2 + C) float64: row, column, colour.
            alive: (p,) bool: a centre that lost all its pixels stays without.
            max_num_iter: how often pixels are assigned, at least 1. scikit-image
                means to stop when no pixel changes, but never does.
            slic_zero: whether colour weighs by each centre's farthest pixel.
            ignore_color: whether positions alone count.

        Returns:
            labels: (H, W) int32, number of the centre, −1 for none.
            centres, alive: after one more update, to go on from.
        """
        count = _length(centres)

        def step(i, labels, centres, alive, spread):
            seen = centres, alive, spread, slic_zero, ignore_color
            labels = self._assign(labels, *seen)
            centres, alive = self._update(labels, centres, count)
            if slic_zero:
                farthest = self._farthest_color(labels, centres, count)
                spread = tf.maximum(spread, farthest)
            return i + 1, labels, centres, alive, spread

        # None: colour weighs as it is.
        spread = tf.fill([count if slic_zero else 0], self.color_unit**2)
        state = tf.constant(0), tf.fill(tf.shape(self.inside), -1), centres, alive
        _, labels, centres, alive, _ = tf.while_loop(
            lambda i, *_: i < max_num_iter,
            step,
            (*state, spread),
            parallel_iterations=1,
            maximum_iterations=max_num_iter,
        )
        return join_cells(labels, self.cells, self.size), centres, alive

    def look_near(self, grid):
        """Expect centres near their places on a grid, which makes lists shorter.

        Args:
            grid: for rows and for columns: first position, step and number of the
                grid's lines.
        """
        homes = []
        for axis in range(2):
            edge = (self.cells.height, self.cells.width)[axis]
            start, step, lines = (tf.cast(value, tf.float64) for value in grid[axis])
            middle = self.corners[axis] + tf.cast(edge, tf.float64) / 2
            home = tf.round((middle - start) / step)
            homes.append(tf.clip_by_value(home, 0.0, lines - 1))
        around = tf.range(-_NEAR, _NEAR + 1, dtype=tf.float64)
        offsets = tf.meshgrid(around, around, indexing="ij")
        rows, columns = (
            tf.reshape(offset, [-1, 1]) + home for offset, home in zip(offsets, homes)
        )
        lines, per_line = (tf.cast(axis[2], tf.float64) for axis in grid)
        exists = (rows >= 0) & (rows < lines) & (columns >= 0) & (columns < per_line)
        numbers = tf.where(exists, rows * per_line + columns, -1.0)
        self.near = tf.cast(numbers, tf.int32)
        self.homes = [
            tf.reshape(homes[0], [self.cells.rows, -1])[:, 0],
            tf.reshape(homes[1], [self.cells.rows, -1])[0],
        ]
        self.per_line = per_line

    def _is_near(self, centres, alive):
        """Whether all that a cell can be seen by is near it on the grid."""
        number = tf.range(_length(centres), dtype=tf.float64)
        line = tf.floor(number / self.per_line)
        lines = line, number - line * self.per_line
        edges = (self.cells.height, self.cells.width)
        near = tf.constant(True)
        for axis in range(2):
            middle = tf.floor(centres[:, axis])
            last = tf.cast(_length(self.homes[axis]) - 1, tf.float64)
            for side in (-self.window[axis], self.window[axis]):
                cell = tf.floor((middle + side) / tf.cast(edges[axis], tf.float64))
                cell = tf.cast(tf.clip_by_value(cell, 0.0, last), tf.int32)
                home = tf.gather(self.homes[axis], cell)
                close = tf.abs(home - lines[axis]) <= _NEAR
                near &= tf.reduce_all(close | tf.logical_not(alive))
        return near

    def _places(self, numbers, centres, alive):
        """In which place a cell tries which centre: like `numbers`, −1 for never.

        Args:
            numbers: (n, cells) or (n, 1) int32, centres in rising order, −1 for none.
        """
        number = tf.maximum(numbers, 0)
        reach = (numbers >= 0) & tf.gather(alive, number)
        edges = (self.cells.height, self.cells.width)
        for axis in range(2):
            middle = tf.floor(tf.gather(centres[:, axis], number))
            corner = self.corners[axis][None]
            last = corner + tf.cast(edges[axis] - 1, tf.float64)
            reach &= middle - self.window[axis] <= last
            reach &= middle + self.window[axis] >= corner
        return tf.where(reach, groups.count_before(reach), -1)

    def _listed(self, numbers, places):
        """The n-th centre of every cell, at place n: (n, cells + …), negative: none."""
        count, last = _length(places), _length(places) * self.spaced
        slots = tf.where(places >= 0, places * self.spaced + tf.range(self.count), last)
        numbers = tf.broadcast_to(numbers, tf.shape(places))
        moved = tf.math.unsorted_segment_max(numbers, slots, last + 1)
        return tf.reshape(moved[:-1], [count, self.spaced])

    def _assign(self, labels, centres, alive, spread, slic_zero, ignore_color):
        """Give every pixel the nearest of the centres that see it."""
        table = self._table(centres, spread, slic_zero)
        everyone = tf.range(_length(centres))[:, None]

        def among(numbers):
            places = self._places(numbers, centres, alive)
            listed = self._listed(numbers, places)
            most = tf.reduce_max(places) + 1
            return self._nearest(labels, most, lambda: listed, table, ignore_color)

        # Long lists are made anew for each pass: they should hardly ever be needed.
        def among_all():
            def listed():
                return self._listed(everyone, self._places(everyone, centres, alive))

            most = tf.reduce_max(self._places(everyone, centres, alive)) + 1
            return self._nearest(labels, most, listed, table, ignore_color)

        if self.near is None:
            best = among(everyone)
        else:
            # A loop for each: choosing the list inside of one would copy it every time.
            is_near = self._is_near(centres, alive)
            best = tf.cond(is_near, lambda: among(self.near), among_all)
        found = tf.cast(tf.bitwise.bitwise_and(best, self.id_mask), tf.int32)
        return tf.where(self.inside & tf.not_equal(best, _FAR), found, labels)

    def _nearest(self, labels, most, listed, table, ignore_color):
        """The least key of every pixel, (pixels of a cell, cells) int64."""

        # What a pass compares with is made in the pass before. XLA would otherwise read
        # the table in the loop over the pixels, where each read is one of a column.
        def prepare(start):
            lists = listed()
            places = start + tf.range(_CENTRES_A_PASS)
            last = _length(lists) - 1
            # Past the end there is nothing, not the last once more.
            numbers = tf.gather(lists, tf.minimum(places, last))
            numbers = tf.where((places <= last)[:, None], numbers, -1)
            return numbers, self._rows(numbers, table)

        def one_pass(start, best, numbers, rows):
            for n in range(_CENTRES_A_PASS):
                row = rows[:, n, : self.count]
                keys = self._keys(numbers[n, : self.count], row, ignore_color)
                best = tf.minimum(best, keys)
            start += _CENTRES_A_PASS
            return start, best, *prepare(start)

        start = tf.constant(0)
        _, best, *_ = tf.while_loop(
            lambda start, *_: start < most,
            one_pass,
            (start, tf.fill(tf.shape(labels), _FAR), *prepare(start)),
            parallel_iterations=1,
        )
        return best

    def _table(self, centres, spread, slic_zero):
        """What keys need of each centre: (p, features).

        Row, column, both cut to whole numbers, colours, and SLICO's weight of colour.
        """
        features = [centres[:, :2], tf.floor(centres[:, :2]), centres[:, 2:]]
        if slic_zero:
            # Negative, because what is in the table is taken away from zero.
            features.append(-(self.color_unit**2) / spread[:, None])
        return tf.concat(features, axis=1)

    def _rows(self, numbers, table):
        """The table's entries seen from the cells' corners: (features, n, cells + …).

        Infinite for no centre.

        Args:
            numbers: (n, cells + …) int32, negative for none.
        """
        entries = tf.transpose(tf.gather(table, tf.maximum(numbers, 0)), [2, 0, 1])
        corners = tf.pad(
            tf.stack(self.corners * 2), [[0, 0], [0, self.spaced - self.count]]
        )
        rest = tf.zeros([table.shape[1] - 4, self.spaced], tf.float64)
        entries = tf.concat([corners, rest], axis=0)[:, None] - entries
        return tf.where(numbers >= 0, entries, np.inf)

    def _keys(self, number, rows, ignore_color):
        """The distance of every pixel to its cell's centre, as sortable integers.

        The low bits of the distance give way to the centre's number, so that the
        least key names its centre, the first one where distances are equal.

        Args:
            number: (cells,) int32, −1 for none.
            rows: (features, cells), as of `_rows`.
        """
        distance = tf.constant(0.0, tf.float64)
        seen = tf.constant(True)
        for axis in range(2):
            difference = self.offsets[axis] + rows[axis][None]
            middle = self.offsets[axis] + rows[2 + axis][None]
            seen &= tf.abs(middle) <= self.window[axis]
            distance += self.weights[axis] * difference * difference
        if not ignore_color:
            color = tf.constant(0.0, tf.float64)
            for channel in range(self.channels):
                difference = self.colors[channel] + rows[4 + channel][None]
                color += difference * difference
            if rows.shape[0] > 4 + self.channels:
                color *= rows[-1][None]
            distance += color
        # Positive floats sort as their bits do. Rounded, not cut: a distance that is
        # a short binary number then doesn't flip for its last bit.
        bits = tf.bitcast(distance, tf.int64) + self.id_half
        bits = tf.bitwise.bitwise_and(bits, tf.bitwise.invert(self.id_mask))
        number = tf.cast(tf.maximum(number, 0), tf.int64)[None]
        return tf.where(seen, tf.bitwise.bitwise_or(bits, number), _FAR)

    def _flat_labels(self, labels, count):
        """Labels to sum by, `count` for pixels that take no part."""
        return tf.reshape(tf.where(labels >= 0, labels, count), [-1])

    def _update(self, labels, centres, count):
        """Move the centres to the mean of their pixels."""
        sums = tf.math.unsorted_segment_sum(
            self.summed, self._flat_labels(labels, count), count + 1
        )[:-1]
        alive = sums[:, 0] > 0
        means = quantised(sums[:, 1:] / tf.maximum(sums[:, :1], 1.0))
        return tf.where(alive[:, None], means, centres), alive

    def _farthest_color(self, labels, centres, count):
        """The largest squared colour distance to each centre, (p,)."""
        flat = self._flat_labels(labels, count)
        centre = tf.gather(centres[:, 2:], tf.minimum(flat, count - 1))
        color = tf.constant(0.0, tf.float64)
        for channel in range(self.channels):
            pixels = tf.reshape(self.colors[channel], [-1])
            color += (pixels - centre[:, channel]) ** 2
        return tf.math.unsorted_segment_max(color, flat, count + 1)[:-1]

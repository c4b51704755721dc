"""Quickshift's two passes over every pixel's neighbourhood.

Both passes loop over the rows of the window; inside, the columns are written out,
so that XLA fuses a whole row of offsets into one loop over the pixels, with nothing
written in between. The type of the planes says how to round, as scikit-image's does:
its tie-breaking noise is 1e-5, below float32's rounding of a density of 100.
"""

from __future__ import annotations

import math
import typing

import tensorflow as tf

from tf_superpixel_saliency.ops import compilation, powers

# Farther than any pixel, and its square is still finite: a neighbour outside the
# image adds nothing to a density.
_OUTSIDE = 1e150
# Squared distance of an offset that only fills up a block of columns.
_NOT_THERE = 1e30
# Columns written out at most; wider windows are walked in blocks.
_BLOCK = 32
# A row that needs more than this share of the columns is walked with the wider rows.
_ALIKE = 0.75


class _Zone(typing.NamedTuple):
    """Rows of a window, from −reach, that are looked at up to one half width."""

    rows: list
    half_width: int


def quickshift_parents(planes, noise, kernel_size, max_dist, first=0, rows=None):
    """The pixel that quickshift links every pixel to, for some rows of an image.

    Vedaldi and Soatto, "Quick shift and kernel methods for mode seeking", ECCV 2008,
    as `skimage.segmentation.quickshift` does it: the density of a pixel is a
    Gaussian sum over the window of ±ceil(3·kernel_size); its parent is the nearest
    pixel of higher density in that window, no farther than `max_dist`, distances
    being taken in (colour, row, column); the first in raster order wins a tie.

    Args:
        planes: (C, H, W) float32 or float64, the colours, already scaled by the ratio.
        noise: (H, W) float64, added to the densities to break ties.
        kernel_size: width of the Gaussian, in pixels and in colour units.
        max_dist: the longest link.
        first, rows: which rows to link, Python integers of a size that is known;
            None for all. Only the `halo` rows before and after make a difference.

    Returns:
        (rows, W) int32: position in raster order of every pixel's parent in the
        (H, W) given, its own at a root.
    """
    reach, near = _reaches(kernel_size, max_dist)
    if rows is None:
        density = densities(planes, noise, kernel_size, reach)
        return nearest_denser(planes, density, max_dist, near)
    # Densities are needed of all rows that may be linked to, colours of more.
    top, bottom = max(first - near, 0), min(first + rows + near, planes.shape[1])
    density = densities(planes, noise[top:bottom], kernel_size, reach, top)
    # Rows without a density are never linked to. The colours are not cut down to
    # those that have one: TensorFlow 2.16 compiles that wrongly after Lab's matrix
    # products, for images 64, 128, 256 … pixels wide.
    around = [[top, planes.shape[1] - bottom], [0, 0]]
    nowhere = tf.constant(-math.inf, tf.float64)
    density = tf.pad(density, around, constant_values=nowhere)
    return nearest_denser(planes, density, max_dist, near, first, rows)


def halo(kernel_size, max_dist):
    """How many rows to each side the links of a row depend on."""
    return sum(_reaches(kernel_size, max_dist))


def _reaches(kernel_size, max_dist):
    """Rows and columns to each side, of the density and of the links."""
    reach = math.ceil(3 * kernel_size)
    # Farther pixels are out of reach in space alone, whatever their colour.
    return reach, int(min(reach, math.floor(max_dist)))


def densities(planes, noise, kernel_size, reach, first=0):
    """Noise + Σ over the window of exp(−d²/(2·kernel_size²)).

    d is the distance in (colour, row, column); the sum starts at the noise.

    Args:
        planes: (C, H, W) float32 or float64.
        noise: (rows, W) float64, of the rows from `first` on.
        kernel_size: width of the Gaussian.
        reach: rows and columns to each side.
        first: Python integer.

    Returns:
        (rows, W) float64.
    """
    # scikit-image adds up float32 images in float32, in this very order, which
    # rounds the noise: its two answers differ where an image is flat.
    single = planes.dtype == tf.float32
    if single:
        noise = powers.round_to_float32(noise)
    # In units in which the exponent is the squared distance. float32 is rounded
    # before it is scaled.
    base = 1.0 if compilation.is_portable() else math.log2(math.e)
    scale = 1.0 if single else math.sqrt(0.5 * base) / kernel_size
    shape = tf.shape(noise)
    padded = _pad(planes * tf.constant(scale, planes.dtype), reach, _OUTSIDE)

    def body(row, column, columns, half_width, total):
        own = _rows(padded, first, reach, shape)
        block = _window(padded, first + row, column, shape, columns)
        offsets = _offset_distances(
            row, column, columns, reach, half_width, planes.dtype
        )
        for offset, neighbour in zip(offsets, block):
            if single:
                factor = tf.constant(-0.5 / (kernel_size * kernel_size), tf.float32)
                exponent = _distance(own, neighbour, offset) * factor
                exponent = tf.cast(exponent, tf.float64) * base
            else:
                exponent = -(scale * scale) * (offset[0] + offset[1])
                for one, other in zip(own, neighbour):
                    exponent -= tf.math.squared_difference(one, other)
            if compilation.is_portable():
                # One vectorised kernel, where XLA's would be one call a number.
                total += tf.exp(exponent)
            else:
                # 3e-9 of a density decides nothing beside noise of 1e-5, but it may
                # decide how a sum is rounded to float32.
                total += powers.exp2(exponent, degree=8 if single else 6)
            if single:
                total = powers.round_to_float32(total)
        return total

    square = _Zone(list(range(-reach, reach + 1)), reach)
    return _over_window(reach, [square], body, noise)


def nearest_denser(planes, density, max_dist, reach, first=0, rows=None):
    """The nearest pixel of higher density within `max_dist`, or the pixel itself.

    Args:
        planes: (C, H, W) float32 or float64.
        density: (H, W) float64.
        max_dist: the longest link.
        reach: rows and columns to each side to look in.
        first, rows: which rows to link, Python integers of a size that is known;
            None for all.

    Returns:
        (rows, W) int32: that pixel's position in raster order.
    """
    shape = tf.shape(density)
    if rows is not None:
        shape = tf.constant([rows, density.shape[1]])
    width = shape[1]
    padded = _pad(planes, reach, _OUTSIDE)
    padded_density = _pad(density[None], reach, -math.inf)
    # The offset's number takes the lowest bits of the squared distance's mantissa.
    # One minimum then finds the nearest and, among equals, the first in raster
    # order; two running results would be two loops that XLA can't fuse.
    across = 2 * reach + 1 + _BLOCK
    offsets = (2 * reach + 1) * across
    bits = tf.constant((1 << (offsets - 1).bit_length()) - 1, tf.int64)

    def body(row, column, columns, half_width, nearest):
        own = _rows(padded, first, reach, shape)
        (own_density,) = _rows(padded_density, first, reach, shape)
        block = _window(padded, first + row, column, shape, columns)
        dense = _window(padded_density, first + row, column, shape, columns)
        distances = _offset_distances(
            row, column, columns, reach, half_width, planes.dtype
        )
        number = tf.cast(row * across + column, tf.int64)
        for step, (offset, neighbour, rival) in enumerate(zip(distances, block, dense)):
            distance = tf.cast(_distance(own, neighbour, offset), tf.float64)
            key = tf.bitwise.bitwise_and(
                tf.bitcast(distance, tf.int64), tf.bitwise.invert(bits)
            )
            key = tf.bitcast(tf.bitwise.bitwise_or(key, number + step), tf.float64)
            nearer = tf.where(rival[0] > own_density, key, math.inf)
            nearest = tf.minimum(nearest, nearer)
        return nearest

    nothing = tf.fill(shape, tf.constant(math.inf, tf.float64))
    nearest = _over_window(reach, _disc(reach, max_dist), body, nothing)
    key = tf.bitcast(nearest, tf.int64)
    number = tf.cast(tf.bitwise.bitwise_and(key, bits), tf.int32)
    distance = tf.bitcast(
        tf.bitwise.bitwise_and(key, tf.bitwise.invert(bits)), tf.float64
    )
    itself = first * width + tf.reshape(tf.range(shape[0] * width), shape)
    parents = itself + (number // across - reach) * width + number % across - reach
    limit = tf.constant(max_dist, tf.float64)
    return tf.where(tf.sqrt(distance) <= limit, parents, itself)


def _disc(reach, max_dist):
    """The window without most of what is farther than `max_dist`, as zones."""
    zones = []
    for down in range(reach + 1):
        # A little more, so that no rounding leaves out what is just as far.
        half_width = math.floor(math.sqrt(max(max_dist**2 - down**2, 0)) + 1e-6)
        half_width = min(half_width, reach)
        rows = sorted({-down, down})
        if zones and 2 * half_width + 1 > _ALIKE * (2 * zones[-1].half_width + 1):
            zones[-1].rows.extend(rows)
        else:
            zones.append(_Zone(rows, half_width))
    return zones


def _over_window(reach, zones, body, state):
    """Run body(row, column, columns, half_width, state) over a window's zones.

    `row` and `column` count from the window's first; `columns`, a Python number, is
    how many columns from `column` on it takes.
    """
    for zone in zones:
        state = _over_zone(reach, zone, body, state)
    return state


def _over_zone(reach, zone, body, state):
    width = 2 * zone.half_width + 1
    blocks = -(-width // _BLOCK)
    columns = -(-width // blocks)
    steps = len(zone.rows) * blocks
    rows = tf.constant([reach + row for row in zone.rows])

    def step(number, inner):
        row = rows[number // blocks]
        column = reach - zone.half_width + number % blocks * columns
        return number + 1, body(row, column, columns, zone.half_width, inner)

    _, state = tf.while_loop(
        lambda number, _: number < steps,
        step,
        (tf.constant(0), state),
        parallel_iterations=1,
        maximum_iterations=steps,
    )
    return state


def _pad(planes, reach, value):
    """Room for the window on every side, and for a last block that overhangs."""
    after = reach + _BLOCK
    if planes.dtype == tf.float32 and value == _OUTSIDE:
        value = math.inf  # what it is there
    return tf.pad(
        planes,
        [[0, 0], [reach, reach], [reach, after]],
        constant_values=tf.constant(value, planes.dtype),
    )


def _rows(padded, first, reach, shape):
    """The rows from `first` on of padded planes: a list of (rows, W)."""
    return _window(padded, first + reach, reach, shape, 1)[0]


def _window(padded, row, column, shape, columns):
    """Planes moved by (row, column + 0…columns−1): a list of lists of (rows, W).

    Each is a slice of its own, which XLA reads where it is; a slice shared by the
    columns would be copied first.
    """
    return [
        [
            tf.reshape(tf.slice(padded, [plane, row, column + step], size), shape)
            for plane in range(padded.shape[0])
        ]
        for size in [[1, shape[0], shape[1]]]
        for step in range(columns)
    ]


def _distance(planes, neighbour, offset):
    """Squared distance in (colour, row, column), (rows, W), summed in order."""
    total = None
    for one, other in zip(planes, neighbour):
        square = tf.math.squared_difference(one, other)
        total = square if total is None else total + square
    down, across = offset
    if total.dtype == tf.float64:
        return total + (down + across)
    # One after the other, as scikit-image rounds them.
    return total + down + across


def _offset_distances(row, column, columns, reach, half_width, dtype):
    """Squares of a block's offsets, (rows, columns): a list of pairs of scalars."""
    down = tf.cast(row - reach, dtype)
    distances = []
    for step in range(columns):
        across = column + step - reach
        square = tf.cast(across * across, dtype)
        # The last block may overhang the window.
        square = tf.where(across <= half_width, square, _NOT_THERE)
        distances.append((down * down, square))
    return distances

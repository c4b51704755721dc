"""Quickshift's two passes over every pixel's neighbourhood, and its forest.

Both passes loop over the rows of the window; inside, the columns are written out,
so that XLA fuses a whole row of offsets into one loop over the pixels, with nothing
written in between. The type of the planes says how to round, as scikit-image's does:
its tie-breaking noise is 1e-5, below float32's rounding of a density of 100.
"""

from __future__ import annotations

import math

import tensorflow as tf

from tf_superpixel_saliency.ops import compilation, powers, trees

# Farther than any pixel, and its square is still finite: a neighbour outside the
# image adds nothing to a density.
_OUTSIDE = 1e150
# Columns written out at most; wider windows are walked in blocks.
_BLOCK = 32


def quickshift_roots(planes, noise, kernel_size, max_dist):
    """The root pixel that quickshift links every pixel to.

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

    Returns:
        (H, W) int32: position in raster order of every pixel's root.
    """
    reach = math.ceil(3 * kernel_size)
    density = densities(planes, noise, kernel_size, reach)
    # Farther pixels are out of reach in space alone, whatever their colour.
    parents = nearest_denser(
        planes, density, max_dist, int(min(reach, math.floor(max_dist)))
    )
    roots = trees.find_roots(tf.reshape(parents, [-1]))
    return tf.reshape(roots, tf.shape(parents))


def densities(planes, noise, kernel_size, reach):
    """Noise + Σ over the window of exp(−d²/(2·kernel_size²)).

    d is the distance in (colour, row, column); the sum starts at the noise.

    Args:
        planes: (C, H, W) float32 or float64.
        noise: (H, W) float64.
        kernel_size: width of the Gaussian.
        reach: rows and columns to each side.

    Returns:
        (H, W) float64.
    """
    # scikit-image adds up float32 images in float32, in this very order, which
    # rounds the noise: its two answers differ where an image is flat.
    single = planes.dtype == tf.float32
    if single:
        noise = powers.round_to_float32(noise)
    factor = tf.constant(-0.5 / (kernel_size * kernel_size), planes.dtype)
    log2_e = tf.constant(math.log2(math.e), tf.float64)

    def add(total, offset_distances, neighbours):
        for distance, neighbour in zip(offset_distances, neighbours):
            exponent = _distance(planes, neighbour, distance) * factor
            exponent = tf.cast(exponent, tf.float64)
            if compilation.is_portable():
                # One vectorised kernel, where XLA's would be one call a number.
                total += tf.exp(exponent)
            else:
                # 1e-12 of a density decides nothing beside noise of 1e-5.
                total += powers.exp2(exponent * log2_e, degree=8)
            if single:
                total = powers.round_to_float32(total)
        return (total,)

    def body(row, column, columns, total):
        shape = tf.shape(total)
        block = _window(padded, row, column, shape, columns)
        distances = _offset_distances(row, column, columns, reach, planes.dtype)
        return add(total, distances, block)

    padded = _pad(planes, reach, _OUTSIDE)
    (total,) = _over_window(reach, body, (noise,))
    return total


def nearest_denser(planes, density, max_dist, reach):
    """The nearest pixel of higher density within `max_dist`, or the pixel itself.

    Args:
        planes: (C, H, W) float32 or float64.
        density: (H, W) float64.
        max_dist: the longest link.
        reach: rows and columns to each side to look in.

    Returns:
        (H, W) int32: that pixel's position in raster order.
    """
    shape = tf.shape(density)
    padded = _pad(planes, reach, _OUTSIDE)
    padded_density = _pad(density[None], reach, -math.inf)
    blocks, columns = _blocks(reach)
    # The offset's number takes the lowest bits of the squared distance's mantissa.
    # One minimum then finds the nearest and, among equals, the first in raster
    # order; two running results would be two loops that XLA can't fuse.
    offsets = (2 * reach + 1) * blocks * columns
    bits = tf.constant((1 << (offsets - 1).bit_length()) - 1, tf.int64)

    def body(row, column, columns, nearest):
        block = _window(padded, row, column, shape, columns)
        dense = _window(padded_density, row, column, shape, columns)
        distances = _offset_distances(row, column, columns, reach, planes.dtype)
        number = tf.cast(row * (blocks * columns) + column, tf.int64)
        for step, (offset, neighbour, rival) in enumerate(zip(distances, block, dense)):
            distance = tf.cast(_distance(planes, neighbour, offset), tf.float64)
            key = tf.bitwise.bitwise_and(
                tf.bitcast(distance, tf.int64), tf.bitwise.invert(bits)
            )
            key = tf.bitcast(tf.bitwise.bitwise_or(key, number + step), tf.float64)
            nearer = tf.where(rival[0] > density, key, math.inf)
            nearest = tf.minimum(nearest, nearer)
        return (nearest,)

    nothing = tf.fill(shape, tf.constant(math.inf, tf.float64))
    (nearest,) = _over_window(reach, body, (nothing,))
    key = tf.bitcast(nearest, tf.int64)
    number = tf.cast(tf.bitwise.bitwise_and(key, bits), tf.int32)
    distance = tf.bitcast(
        tf.bitwise.bitwise_and(key, tf.bitwise.invert(bits)), tf.float64
    )
    rows, across = number // (blocks * columns), number % (blocks * columns)
    itself = tf.reshape(tf.range(shape[0] * shape[1]), shape)
    parents = itself + (rows - reach) * shape[1] + across - reach
    limit = tf.constant(max_dist, tf.float64)
    return tf.where(tf.sqrt(distance) <= limit, parents, itself)


def _blocks(reach):
    """How many blocks the window's columns are walked in, and how wide they are."""
    width = 2 * reach + 1
    blocks = -(-width // _BLOCK)
    return blocks, -(-width // blocks)


def _over_window(reach, body, state):
    """Run body(row, column, columns, *state) over the window, in raster order.

    `columns`, a Python number, is how many columns from `column` on it takes.
    """
    blocks, columns = _blocks(reach)
    steps = (2 * reach + 1) * blocks
    _, state = tf.while_loop(
        lambda step, _: step < steps,
        lambda step, inner: (
            step + 1,
            body(step // blocks, step % blocks * columns, columns, *inner),
        ),
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


def _window(padded, row, column, shape, columns):
    """Planes moved by (row, column + 0…columns−1): a list of lists of (H, W).

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
    """Squared distance in (colour, row, column), (H, W), summed in order."""
    total = None
    for channel in range(planes.shape[0]):
        square = tf.math.squared_difference(planes[channel], neighbour[channel])
        total = square if total is None else total + square
    down, across = offset
    if planes.dtype == tf.float64:
        return total + (down + across)
    # One after the other, as scikit-image rounds them.
    return total + down + across


def _offset_distances(row, column, columns, reach, dtype):
    """Squares of a block's offsets, (rows, columns): a list of pairs of scalars."""
    down = tf.cast(row - reach, dtype)
    distances = []
    for step in range(columns):
        across = tf.cast(column + step - reach, dtype)
        distances.append((down * down, across * across))
    return distances

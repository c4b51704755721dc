"""SLIC from images in [0, 1] to labels, as pure functions."""

from __future__ import annotations

import functools
import typing

import tensorflow as tf

from tf_superpixel_saliency.ops import (
    color,
    compilation,
    connectivity,
    filters,
    groups,
    powers,
)
from tf_superpixel_saliency.superpixels import _slic_grid, _windowed_kmeans

# Images worked on at a time.
_PARALLEL_IMAGES = 2
_FEW_CENTRES = 200


class Settings(typing.NamedTuple):
    """What a layer segments with. Pairs are (rows, columns).

    Attributes:
        size: of the images, None where unknown.
        channels: of the images.
        value_range: (low, high) of the images.
        mask_step: distance of the centres where there is a mask, else None.
    """

    size: tuple
    channels: int
    value_range: tuple
    mask_step: float | None
    n_segments: int
    compactness: float
    max_num_iter: int
    sigma: tuple
    spacing: tuple
    lab: bool
    enforce_connectivity: bool
    size_factors: tuple
    slic_zero: bool


# AutoGraph finds nothing to convert here, but takes seconds to look.
@tf.autograph.experimental.do_not_convert
def segment_batch(images, *mask_and_seeds, settings):
    """Segment images, each by itself.

    Args:
        images: (N, H, W, C) of any type, in `settings.value_range`.
        *mask_and_seeds: with a mask, that (H, W) bool, then the rows and the columns
            of its centres, (p,) float64 each.
        settings: `Settings`.

    Returns:
        (N, H, W) int32, labels 0…p−1 in raster order.
    """
    images = tf.ensure_shape(images, [None, *settings.size, settings.channels])
    one = functools.partial(_segment_image, settings=settings)
    return tf.map_fn(
        lambda image: one(image, *mask_and_seeds),
        images,
        fn_output_signature=tf.TensorSpec(settings.size, tf.int32),
        parallel_iterations=_PARALLEL_IMAGES,
    )


# For eager callers: a graph runs images side by side.
segment_batch_in_graph = compilation.graph_of_each_setting(segment_batch)


@compilation.compiled
def _segment_image(image, *mask_and_seeds, settings):
    """(H, W, C) in `value_range` → (H, W) int32, labels 0…p−1 in raster order."""
    image = tf.ensure_shape(image, [*settings.size, settings.channels])
    size = tuple(
        tf.shape(image)[axis] if side is None else side
        for axis, side in enumerate(settings.size)
    )
    masked = bool(mask_and_seeds)
    if masked:
        inside, rows, columns = mask_and_seeds
        seeds = _slic_grid.Seeds(rows, columns, settings.mask_step)
    else:
        inside = tf.fill(size, True)
        seeds = _slic_grid.grid_seeds(*size, settings.n_segments)
    count = seeds.count()
    colors = _features(image, inside if masked else None, settings)
    colors *= tf.cast(seeds.step, tf.float64) / settings.compactness
    labels = _cluster(colors, inside, seeds, size, settings, masked)
    if settings.enforce_connectivity:
        labels = _connected(labels, inside, count, settings, masked)
    else:
        # No label for the outside is taken: there are no more centres than pixels
        # inside.
        outside = tf.minimum(count, size[0] * size[1] - 1)
        labels = tf.where(labels < 0, outside, labels)
    # Here, where XLA compiles it, it costs a twentieth of what it does outside.
    return groups.relabel(labels[None])[0]


def _connected(labels, inside, count, settings, masked):
    """The labels made connected, (H, W) int32 in 0…H·W−1."""
    pixels = tf.reduce_sum(tf.cast(inside, tf.int32))
    mean_size = tf.cast(pixels, tf.float64) / tf.cast(count, tf.float64)
    smallest, largest = (
        tf.cast(tf.floor(factor * mean_size), tf.int32)
        for factor in settings.size_factors
    )
    merged = connectivity.merge_small(
        labels, smallest, tf.maximum(largest, 1), masked=masked
    )
    # Groups are named by one of their pixels, so the outside can be as well.
    outside = tf.argmax(tf.reshape(merged < 0, [-1]), output_type=tf.int32)
    return tf.where(merged < 0, outside, merged)


def _features(image, inside, settings):
    """Colours to compare: scaled to their own extremes, Lab, smoothed: float64."""
    low, high = settings.value_range
    # Scaled in float64 and rounded once, as SuperpixelLayer's `partition` does.
    values = powers.round_to_float32((tf.cast(image, tf.float64) - low) / (high - low))
    low, high = values, values
    if inside is not None:
        low = tf.where(inside[..., None], values, values.dtype.max)
        high = tf.where(inside[..., None], values, values.dtype.min)
    low, high = tf.reduce_min(low), tf.reduce_max(high)
    values = (values - low) / tf.where(high > low, high - low, 1.0)
    if settings.lab:
        planes = color.lab_planes(tf.transpose(values, [2, 0, 1]))
        values = tf.transpose(planes, [1, 2, 0])
    return _smoothed(values, settings.sigma)


def _smoothed(values, sigma):
    """Gaussian smoothing with one width a spatial axis: (H, W, C)."""
    if sigma[0] == sigma[1]:
        return filters.gaussian_filter(values, sigma[0])
    # The other axis has length one meanwhile, which smoothing leaves as it is.
    shape = tf.shape(values)
    by_rows = tf.reshape(values, [shape[0], 1, shape[1] * shape[2]])
    by_rows = tf.reshape(filters.gaussian_filter(by_rows, sigma[0]), shape)
    by_columns = filters.gaussian_filter(by_rows[:, None], sigma[1])
    return tf.ensure_shape(by_columns[:, 0], values.shape)


def _cluster(colors, inside, seeds, size, settings, masked):
    """Number of every pixel's centre, (H, W) int32, −1 for none."""
    half = _slic_grid.window_steps(*size, seeds.count())
    cells = _windowed_kmeans.Cells(
        -(-size[0] // half[0]), -(-size[1] // half[1]), half[0], half[1]
    )
    clustering = _windowed_kmeans.WindowedKMeans(
        colors,
        inside,
        window=tuple(2 * side for side in half),
        cells=cells,
        spacing=settings.spacing,
        color_unit=seeds.step,
        # A grid never has more than eight times the centres asked for.
        id_bits=max(8, (8 * settings.n_segments).bit_length()),
    )
    positions = tf.stack(
        [tf.cast(seeds.rows, tf.float64), tf.cast(seeds.columns, tf.float64)], axis=1
    )
    # Few centres are as quickly looked through as the near ones.
    if seeds.grid and settings.n_segments > _FEW_CENTRES:
        clustering.look_near(seeds.grid)
    centres, alive = clustering.start(positions)
    if masked:
        # maskSLIC spreads the centres over the mask before it looks at colours.
        _, centres, alive = clustering.run(
            centres, alive, settings.max_num_iter, ignore_color=True
        )
    labels, _, _ = clustering.run(
        centres, alive, settings.max_num_iter, slic_zero=settings.slic_zero
    )
    return labels

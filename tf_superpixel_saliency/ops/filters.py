"""Smoothing filters on batches of images."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# Where scipy.ndimage and scikit-image cut the kernel, in standard deviations.
_TRUNCATE = 4.0


def gaussian_filter(images: tf.Tensor, sigma: float) -> tf.Tensor:
    """Gaussian smoothing over height and width, mirrored at the borders.

    As `skimage.filters.gaussian(…, mode="reflect", truncate=4.0)`: the kernel is
    sampled at whole pixels, cut at 4 sigma and normalised, and the image is mirrored
    about its edges (d c b a | a b c d | d c b a), as often as the kernel needs.

    Args:
        images: (..., H, W, C) float, H and W known or not.
        sigma: standard deviation in pixels; 0 returns the images as they are.

    Returns:
        The same shape and type.

    Raises:
        ValueError: if sigma is negative or not finite.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ValueError(
            "gaussian_filter: sigma must be a finite number of pixels, at least 0, "
            f"but got {sigma!r}."
        )
    radius = int(_TRUNCATE * sigma + 0.5)
    if radius == 0:
        return images
    offsets = np.arange(radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights[0] + 2.0 * weights[1:].sum()
    shape = images.shape
    for axis in (-3, -2):
        images = _correlate(images, weights, axis)
    return tf.ensure_shape(images, shape)


def _correlate(images, weights, axis):
    """Correlate one axis with a symmetric kernel: weights[|offset|]."""
    radius = len(weights) - 1
    axis += images.shape.rank
    length = tf.shape(images)[axis]
    # tf.pad mirrors once only; a kernel wider than the image needs more.
    period = tf.math.floormod(tf.range(-radius, length + radius), 2 * length)
    source = tf.where(period < length, period, 2 * length - 1 - period)
    padded = tf.gather(images, source, axis=axis)

    def shifted(offset):
        begin = [0] * images.shape.rank
        begin[axis] = radius + offset
        return tf.slice(padded, begin, tf.shape(images))

    total = tf.constant(weights[0], images.dtype) * images
    for offset in range(1, radius + 1):
        pair = shifted(-offset) + shifted(offset)
        total += tf.constant(weights[offset], images.dtype) * pair
    return total

"""What methods share that score an image with parts of it hidden."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import checks, masks


def checked_fill(fill):
    """A colour that hides: a number, or one for each channel as a tuple.

    Raises:
        ValueError: anything else, or no finite numbers.
    """
    array = checks.as_array(fill)
    real = array.dtype.kind in "iuf" and array.ndim <= 1 and array.size > 0
    if not real or not np.isfinite(array).all():
        raise ValueError(
            "fill must be a finite number or one for each channel, in the units of "
            f"the images, but got {fill!r}."
        )
    return tuple(map(float, array)) if array.ndim else float(array)


def fill_colour(fill, images: tf.Tensor) -> tf.Tensor:
    """`fill` as a float32 tensor, () or (C,), checked against the images."""
    colour = np.float32(fill)
    if colour.ndim and not images.shape[-1:].is_compatible_with(colour.shape):
        raise ValueError(
            f"fill must have one number for each of the {images.shape[-1]} channels "
            f"of the images, but has {len(colour)}."
        )
    return tf.constant(colour)


def masked_scores(scorer, images, targets, hiding, fill) -> tf.Tensor:
    """The score of every image under every mask.

    Args:
        scorer: a `Scorer`.
        images: (N, H, W, C) float32.
        targets: (N,) int32, resolved.
        hiding: (k, N, H, W) or (k, 1, H, W) float32 masks, 1 keeps a pixel.
        fill: what `fill_colour` returns.

    Returns:
        (k, N) float32.
    """
    count = tf.shape(hiding)[0]
    rows = masks.apply_masks(images, hiding, fill)
    values = scorer.evaluate(rows, tf.tile(targets, [count])).value
    return tf.reshape(values, [count, tf.shape(images)[0]])

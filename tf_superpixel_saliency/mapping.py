"""Grouping a map that came from anywhere."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import checks, groups


def group_map(maps, segments, weights: str = "mean") -> np.ndarray:
    """κ(x)·map: the mean of any saliency map inside each group (paper, eq. 3).

    Serves maps of other libraries and methods (§3.2: 'other gradient-based schemes').

    Args:
        maps: (N, H, W, C) signed maps or (N, H, W) heatmaps, real numbers.
        segments: (H, W) or (N, H, W) non-negative integers in any numbering.
        weights: "mean", or "sqrt" for √|S| times it, as `GroupIndicator` has it.

    Returns:
        float32 array of the shape of `maps`, constant in every group (and channel).

    Raises:
        ValueError, TypeError: shapes that don't fit, negative labels, no numbers.

    Example:

    >>> group_map([[[1.0, 3.0, 5.0]]], [[7, 7, 2]])
    array([[[2., 2., 5.]]], dtype=float32)
    """
    array = checks.as_array(maps)
    if array.dtype.kind not in "biuf" or array.ndim not in (3, 4):
        raise ValueError(
            "maps must be real numbers of shape (N, H, W) or (N, H, W, C), but got "
            f"{array.dtype} of shape {array.shape}."
        )
    four = array[..., None] if array.ndim == 3 else array
    labels = checks.checked_segments(segments, four.shape)
    checks.checked_choice("weights", weights, groups.WEIGHTS)
    grouped = groups.group_mean(
        tf.constant(four, tf.float32), tf.constant(labels, tf.int32), weights
    )
    return grouped.numpy().reshape(array.shape)

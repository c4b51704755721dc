"""The perturbation of an image through one indicator per group: x + A·W·g."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.ops import checks, groups


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class GroupIndicator(keras.layers.Layer):
    """x + A·W·g, which moves all pixels of a group together (paper, §3.2).

    A is the pixel-to-group incidence, W = diag(1/|S_k|) and g holds one indicator per
    group. Put before a classifier f, the gradient of f(x + A·W·g) in g at g = 0,
    gathered back to the pixels, is the grouped gradient κ(x)·∇f(x), which `GroupMean`
    makes from ∇f directly. (The paper prints the gathering as Aᵀ; A is meant.)

    A group is a (super-pixel, channel) pair. Indicators of shape (N, p) are shared by
    the channels; their gradient is then the sum over the channels.

    Args:
        weights: W, "mean" for the paper's diag(1/|S_k|); or "sqrt" for diag(1/√|S_k|),
            by which all indicators move the image equally far, ‖A·W·g‖ = ‖g‖, and
            noise that is independent from pixel to pixel has the same variance in
            every group's gradient. Kept as `group_weights`: a Keras layer's `weights`
            are its variables.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        images: (N, H, W, C) float.
        segments: (N, H, W) integers, labels 0…p−1.
        indicators: (N, p, C) or (N, p) float; p is at least the number of groups.

    Returns:
        (N, H, W, C) float32.

    Example:

    >>> images = np.zeros((1, 1, 3, 1), "float32")
    >>> segments = np.array([[[0, 0, 1]]])
    >>> moved = GroupIndicator()(images, segments, np.array([[[2.0], [5.0]]]))
    >>> moved[0, 0, :, 0].numpy().tolist()
    [1.0, 1.0, 5.0]
    """

    def __init__(self, weights="mean", **kwargs):
        kwargs.setdefault("dtype", "float32")
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.group_weights = checks.checked_choice("weights", weights, groups.WEIGHTS)
        self.built = True

    def call(self, images, segments, indicators):
        images = tf.cast(images, tf.float32)
        indicators = tf.cast(indicators, tf.float32)
        _check_shapes(images.shape, segments.shape, indicators.shape)
        segments = tf.cast(segments, tf.int32)
        return images + groups.spread_indicators(
            indicators, segments, self.group_weights
        )

    def compute_output_shape(self, images_shape, segments_shape, indicators_shape):
        return tuple(images_shape)

    def compute_output_spec(self, images, segments, indicators):
        return keras.KerasTensor(images.shape, "float32")

    def get_config(self):
        return {**super().get_config(), "weights": self.group_weights}


def _check_shapes(images, segments, indicators):
    if images.rank != 4 or segments.rank != 3:
        raise ValueError(
            "GroupIndicator takes images (N, H, W, C) and segments (N, H, W), but got "
            f"{tuple(images)} and {tuple(segments)}."
        )
    if not images[:3].is_compatible_with(segments):
        raise ValueError(
            "GroupIndicator takes images and segments of the same batch, height and "
            f"width, but got {tuple(images)} and {tuple(segments)}."
        )
    per_channel = indicators.rank == 3 and indicators[2:].is_compatible_with(images[3:])
    same_batch = indicators[:1].is_compatible_with(images[:1])
    if not same_batch or (not per_channel and indicators.rank != 2):
        raise ValueError(
            "GroupIndicator takes indicators of shape (N, p, C), one a group and "
            f"channel, or (N, p), shared by the channels, but got {tuple(indicators)} "
            f"for images {tuple(images)}."
        )

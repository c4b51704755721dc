"""The mean of a map inside every group, written back to its pixels."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.ops import checks, groups


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class GroupMean(keras.layers.Layer):
    """κ(x)·map: the mean inside each group, broadcast to the group (paper, eq. 3).

    One `tf.math.unsorted_segment_mean`, gathered back to the pixels. A group is a
    (super-pixel, channel) pair: channels are averaged apart.

    Args:
        weights: "mean", the paper's; or "sqrt", the group's sum over √|S|, as
            `GroupIndicator` has it. Kept as `group_weights`: a Keras layer's `weights`
            are its variables.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Call arguments:
        maps: (N, H, W, C) float.
        segments: (N, H, W) integers, labels 0…p−1 with p at most H·W.

    Returns:
        (N, H, W, C) float32.

    Example:

    >>> maps = np.array([[[[1.0], [3.0], [5.0]]]])
    >>> segments = np.array([[[0, 0, 1]]])
    >>> GroupMean()(maps, segments)[0, 0, :, 0].numpy().tolist()
    [2.0, 2.0, 5.0]
    """

    def __init__(self, weights="mean", **kwargs):
        kwargs.setdefault("dtype", "float32")
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.group_weights = checks.checked_choice("weights", weights, groups.WEIGHTS)
        self.built = True

    def call(self, maps, segments):
        maps = tf.cast(maps, tf.float32)
        segments = tf.cast(segments, tf.int32)
        if maps.shape.rank != 4 or not maps.shape[:3].is_compatible_with(
            segments.shape
        ):
            raise ValueError(
                "GroupMean takes maps (N, H, W, C) and segments (N, H, W) of the same "
                f"size, but got {tuple(maps.shape)} and {tuple(segments.shape)}."
            )
        return groups.group_mean(maps, segments, self.group_weights)

    def compute_output_shape(self, maps_shape, segments_shape):
        return tuple(maps_shape)

    def compute_output_spec(self, maps, segments):
        return keras.KerasTensor(maps.shape, "float32")

    def get_config(self):
        return {**super().get_config(), "weights": self.group_weights}

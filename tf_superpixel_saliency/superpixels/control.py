"""What the controls share: as many groups as asked for, or as another layer has."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.ops import groups
from tf_superpixel_saliency.superpixels.arguments import whole_number
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


class ControlLayer(SuperpixelLayer):
    """Base of the controls: partitions that don't follow what an image shows.

    Args:
        n_segments: number of groups of every image, at least 1, or None.
        like: another super-pixel layer, or None; each image then gets as many
            groups as this layer has on it.
        value_range: (low, high) of the images; that of `like`, or else (0, 255),
            unless given.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Raises:
        ValueError: for an `n_segments` below 1, a `like` that is no super-pixel
            layer, or a `value_range` other than that of `like`.
    """

    def __init__(self, n_segments=None, like=None, value_range=None, **kwargs):
        name = type(self).__name__
        if like is not None and not isinstance(like, SuperpixelLayer):
            raise ValueError(
                f"{name}: like must be a super-pixel layer, but got {like!r}. Try "
                "like=tss.Quickshift(), the layer and not its class."
            )
        if value_range is None:
            value_range = (0, 255) if like is None else like.value_range
        super().__init__(value_range=value_range, **kwargs)
        if like is not None and self.value_range != like.value_range:
            raise ValueError(
                f"{name}: value_range is {self.value_range}, but that of like is "
                f"{like.value_range}, on the same images. Leave value_range out to "
                "follow like."
            )
        if n_segments is not None:
            n_segments = whole_number(name, "n_segments", n_segments, 1)
        self.n_segments = n_segments
        self.like = like
        if like is not None:
            self.on_host = like.on_host
            self.supports_jit = like.supports_jit

    def partition(self, images):
        # As they come: `like` scales them itself, and nothing else looks at them.
        return groups.relabel(self.segment(images))

    def _group_counts(self, images):
        """How many groups each image is to get, (N,) int32."""
        if self.like is not None:
            return groups.count_groups(self.like(images))
        static = images.shape[1:3]
        message = (
            f"{type(self).__name__}: n_segments={self.n_segments} is more than the "
            "image has pixels. Try a smaller n_segments or larger images."
        )
        count = tf.constant(self.n_segments, tf.int64)
        if static.is_fully_defined():
            if self.n_segments > static.num_elements():
                raise ValueError(f"{message} The images are {static[0]}×{static[1]}.")
        else:
            shape = tf.shape(images, out_type=tf.int64)
            pixels = shape[1] * shape[2]
            # XLA drops the assertion: the minimum then makes each pixel a group.
            asserted = tf.debugging.assert_less_equal(count, pixels, message)
            with tf.control_dependencies([] if asserted is None else [asserted]):
                count = tf.minimum(count, pixels)
        return tf.fill(tf.shape(images)[:1], tf.cast(count, tf.int32))

    def get_config(self):
        config = super().get_config()
        like = self.like
        if like is not None:
            like = keras.saving.serialize_keras_object(like)
        config.update(n_segments=self.n_segments, like=like)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if isinstance(config.get("like"), dict):
            config["like"] = keras.saving.deserialize_keras_object(config["like"])
        return cls(**config)


def check_one_given(layer: str, **arguments) -> None:
    """Raise unless exactly one of the arguments is not None.

    Args:
        layer: name of the layer, for the error.
        **arguments: the arguments by name.

    Raises:
        ValueError: if none or several are given.
    """
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"{layer} takes exactly one of {', '.join(arguments)}, but got "
            f"{' and '.join(given) or 'none'}. Try {layer}(n_segments=100)."
        )

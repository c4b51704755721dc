"""Several super-pixel layers on the same images, as XRAI takes its regions."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SuperpixelStack(SuperpixelLayer):
    """The partitions of several layers, such as one algorithm at several scales.

    Args:
        layers: super-pixel layers, at least one. `value_range` is theirs.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Input shape:
        (N, H, W, C) float or integer, in the layers' `value_range`.

    Output shape:
        (N, R, H, W) int32, one partition a layer, each numbered in raster order.

    Raises:
        TypeError: something else than super-pixel layers.
        ValueError: no layer, or layers of several value ranges.
    """

    def __init__(self, layers, **kwargs):
        layers = list(layers)
        for layer in layers:
            if not isinstance(layer, SuperpixelLayer):
                raise TypeError(
                    "superpixels must be a super-pixel layer or a list of them, such "
                    f"as [Quickshift(), SLIC()], but the list holds {layer!r}."
                )
        ranges = {layer.value_range for layer in layers}
        if len(ranges) != 1:
            raise ValueError(
                "A list of super-pixel layers must hold at least one, and all of one "
                f"value_range, but this one has {len(layers)} layers of the ranges "
                f"{sorted(ranges)}."
            )
        super().__init__(value_range=ranges.pop(), **kwargs)
        self.layers = layers
        self.on_host = any(layer.on_host for layer in layers)
        self.supports_jit = all(layer.supports_jit for layer in layers)

    def segment(self, images):
        raise NotImplementedError("A stack has several partitions: call it.")

    def call(self, images):
        """Segment a batch by every layer: (N, H, W, C) → (N, R, H, W) int32."""
        return tf.stack([layer(images) for layer in self.layers], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self.layers), *input_shape[1:3])

    def get_config(self):
        config = super().get_config()
        del config["value_range"]
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**config, "layers": layers}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        layers = [
            keras.saving.deserialize_keras_object(layer, custom_objects=custom_objects)
            for layer in config["layers"]
        ]
        return cls(**{**config, "layers": layers})

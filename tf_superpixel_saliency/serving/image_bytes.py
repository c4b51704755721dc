"""The signature that takes photo files: bytes → images, bad ones flagged."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers import signatures
from tf_superpixel_saliency.ops import color
from tf_superpixel_saliency.ops.checks import UNDECODABLE_IMAGE
from tf_superpixel_saliency.serving import decoding, resizing


class Photos:
    """How files become images of the model's shape, in its value range.

    Args:
        image_shape: (H, W, C), C of 1 or 3.
        resize: as in `resizing.prepared`.
        value_range: (low, high) that 0…255 is scaled to.
        max_pixels: the largest photo, H·W.
    """

    def __init__(self, image_shape, resize, value_range, max_pixels):
        self.image_shape = image_shape
        self.resize = resize
        self.value_range = value_range
        self.max_pixels = max_pixels

    def __call__(self, files: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Files (N,) string → images (N, H, W, C) float32, 0 where not an image.

        Returns:
            The images, and which of them could be read, (N,) bool.
        """
        return tf.map_fn(
            self._read_one,
            files,
            fn_output_signature=(
                tf.TensorSpec(self.image_shape, tf.float32),
                tf.TensorSpec((), tf.bool),
            ),
            parallel_iterations=2,  # a photo of a phone takes some 0.3 GB meanwhile
        )

    def _read_one(self, data):
        height, width, channels = self.image_shape
        pixels, readable = decoding.decode_photo(data, self.max_pixels)
        image = resizing.prepared(pixels, height, width, self.resize)
        if channels == 1:
            image = tf.reduce_sum(image * np.float32(color.LUMA), -1, keepdims=True)
        image = color.in_range(image, self.value_range)
        image = tf.where(readable, image, 0.0)
        return tf.ensure_shape(image, self.image_shape), readable


def signature(explanation, photos: Photos) -> signatures.Signature:
    """`explain_image_bytes`: image_bytes (N,), targets, … → the outputs but `maps`.

    Args:
        explanation: an `explainers.signatures.Explanation`.
        photos: how files become images.
    """
    specs = {
        "image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes"),
        **{key: spec for key, spec in explanation.specs.items() if key != "images"},
        **explanation.further,
    }

    def call(tensors):
        images, readable = photos(tensors.pop("image_bytes"))
        out = explanation({**tensors, "images": images})
        out = {
            key: _where(readable, value, np.nan if value.dtype.is_floating else 0)
            for key, value in signatures.without_maps(out).items()
        }
        out["targets"] = tf.where(readable, out["targets"], tensors["targets"])
        out["status"] = tf.where(readable, out["status"], UNDECODABLE_IMAGE)
        return out

    return signatures.named("explain_image_bytes", call, specs)


def _where(readable, values, otherwise):
    shape = [-1] + [1] * (values.shape.rank - 1)
    return tf.where(
        tf.reshape(readable, shape), values, tf.cast(otherwise, values.dtype)
    )

"""Super-pixel layers for the tests, each with a NumPy twin (H, W, C) → (H, W)."""

import keras
import numpy as np
import tensorflow as tf
from skimage import segmentation

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


@keras.saving.register_keras_serializable(package="tests")
class Brightness(SuperpixelLayer):
    """Groups of equal brightness, in `levels` steps: not connected, image by image."""

    def __init__(self, levels=6, **kwargs):
        super().__init__(**kwargs)
        self.levels = levels

    def segment(self, images):
        level = tf.reduce_mean(images, axis=-1) * float(self.levels)
        return tf.cast(tf.floor(level), tf.int32)

    def get_config(self):
        return {**super().get_config(), "levels": self.levels}


def brightness(image, levels=6):
    return np.floor(np.mean(image / 255, axis=-1) * levels).astype(int)


def grid(image, size=3):
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    return (rows // size)[:, None] * 1000 + (columns // size)[None]


def quickshift(image):
    # The layer sees float32 images.
    scaled = np.float64(np.float32(image) / np.float32(255))
    return segmentation.quickshift(
        scaled, ratio=0.2, kernel_size=1, max_dist=3, rng=42, convert2lab=True
    )


LAYERS = {
    "grid": (lambda: tss.SquareGrid(size=3), grid),
    "brightness": (Brightness, brightness),
    "quickshift": (tss.Quickshift, quickshift),
}

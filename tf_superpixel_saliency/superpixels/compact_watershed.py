"""Compact-watershed super-pixels, by scikit-image."""

from __future__ import annotations

import keras
import numpy as np

from tf_superpixel_saliency.superpixels.arguments import finite_number, whole_number
from tf_superpixel_saliency.superpixels.host import HostSuperpixelLayer


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class CompactWatershed(HostSuperpixelLayer):
    """Super-pixels by flooding the image's gradient from a regular grid of seeds.

    The labels are those of `skimage.segmentation.watershed(sobel(gray),
    markers=markers, connectivity=connectivity, compactness=compactness)`, up to
    numbering, where `sobel` is `skimage.filters.sobel` and `gray` the scaled
    float32 image: itself for one channel, `skimage.color.rgb2gray` for three, and
    the mean over the channels for any other number.

    It runs on the host, the images of a batch in parallel threads: it can be
    neither compiled by XLA nor exported. A SavedModel that holds it can be written
    by Keras, but fails in any other process: `Quickshift` and `SLIC` can go there.

    Source: Neubert and Protzel, Compact watershed and preemptive SLIC, ICPR 2014,
    doi:10.1109/ICPR.2014.181. The defaults are those of scikit-image's comparison
    of super-pixels.

    Args:
        markers: at least 1: number of seeds, roughly. They lie on a regular grid,
            so that an image may get some more or fewer groups; with as many seeds
            as pixels each pixel is a group.
        compactness: at least 0; higher values give rounder groups, 0 the classic
            watershed.
        connectivity: 1 floods to four neighbours, 2 to eight.
        value_range: (low, high) of the images, scaled to [0, 1] before segmenting.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Input shape:
        (N, H, W, C) float or integer, any C of at least 1, in `value_range`.

    Output shape:
        (N, H, W) int32, labels 0…p−1 in raster order of first appearance.

    Raises:
        ValueError: for a setting that is out of the bounds above.
    """

    def __init__(
        self,
        markers=250,
        compactness=0.001,
        connectivity=1,
        value_range=(0, 255),
        **kwargs,
    ):
        super().__init__(value_range=value_range, **kwargs)
        name = type(self).__name__
        self.markers = whole_number(name, "markers", markers, 1)
        self.compactness = finite_number(name, "compactness", compactness, 0)
        if connectivity not in (1, 2):
            raise ValueError(
                f"{name}: connectivity must be 1 (four neighbours) or 2 (eight), but "
                f"got {connectivity!r}."
            )
        self.connectivity = int(connectivity)

    def segment_one(self, image):
        from skimage.filters import sobel
        from skimage.segmentation import watershed

        return watershed(
            sobel(_gray(image)),
            markers=self.markers,
            connectivity=self.connectivity,
            compactness=self.compactness,
        )

    def get_config(self):
        config = super().get_config()
        config.update(
            markers=self.markers,
            compactness=self.compactness,
            connectivity=self.connectivity,
        )
        return config


def _gray(image: np.ndarray) -> np.ndarray:
    """(H, W, C) float32 → (H, W) float32."""
    from skimage.color import rgb2gray

    channels = image.shape[-1]
    if channels == 1:
        return image[..., 0]
    return rgb2gray(image) if channels == 3 else image.mean(axis=-1)

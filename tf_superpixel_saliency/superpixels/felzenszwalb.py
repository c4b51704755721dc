"""Felzenszwalb and Huttenlocher's graph-based super-pixels, by scikit-image."""

from __future__ import annotations

import warnings

import keras

from tf_superpixel_saliency.superpixels.arguments import finite_number, whole_number
from tf_superpixel_saliency.superpixels.host import HostSuperpixelLayer


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class Felzenszwalb(HostSuperpixelLayer):
    """Super-pixels by merging over a minimum spanning tree of the pixel grid.

    Two groups merge while the edge between them is no stronger than what either
    varies inside, plus `scale` over its size. The labels are those of
    `skimage.segmentation.felzenszwalb(image, scale, sigma, min_size,
    channel_axis=-1)` on the scaled float32 image, up to numbering. All channels
    count alike: RGB isn't converted.

    It runs on the host, the images of a batch in parallel threads: it can be
    neither compiled by XLA nor exported. A SavedModel that holds it can be written
    by Keras, but fails in any other process: `Quickshift` and `SLIC` can go there.

    Source: Felzenszwalb and Huttenlocher, Efficient graph-based image segmentation,
    International Journal of Computer Vision 59, 2004.

    Args:
        scale: at least 0; higher values give larger groups. scikit-image divides
            it by 255, for images in [0, 1].
        sigma: at least 0, in pixels: standard deviation of the Gaussian that
            smooths the image first.
        min_size: at least 0, in pixels: smaller groups join a neighbour.
        value_range: (low, high) of the images, scaled to [0, 1] before segmenting.
        **kwargs: `name` and the like, for `keras.layers.Layer`.

    Input shape:
        (N, H, W, C) float or integer, any C of at least 1, in `value_range`.

    Output shape:
        (N, H, W) int32, labels 0…p−1 in raster order of first appearance.

    Raises:
        ValueError: for a setting that is out of the bounds above.
    """

    def __init__(self, scale=1, sigma=0.8, min_size=20, value_range=(0, 255), **kwargs):
        super().__init__(value_range=value_range, **kwargs)
        name = type(self).__name__
        self.scale = finite_number(name, "scale", scale, 0)
        self.sigma = finite_number(name, "sigma", sigma, 0)
        self.min_size = whole_number(name, "min_size", min_size, 0)

    def segment_batch(self, images):
        # scikit-image asks whether more than three channels are meant; here the
        # last axis always is the channels. Around all threads, for the filters
        # are the process's.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Got image with third dimension")
            return super().segment_batch(images)

    def segment_one(self, image):
        from skimage.segmentation import felzenszwalb

        return felzenszwalb(
            image,
            scale=self.scale,
            sigma=self.sigma,
            min_size=self.min_size,
            channel_axis=-1,
        )

    def get_config(self):
        config = super().get_config()
        config.update(scale=self.scale, sigma=self.sigma, min_size=self.min_size)
        return config

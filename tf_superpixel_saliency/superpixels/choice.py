"""Several partitions of each image, of which an explainer chooses one."""

from __future__ import annotations

import keras

from tf_superpixel_saliency.superpixels.base import SuperpixelLayer
from tf_superpixel_saliency.superpixels.quickshift import Quickshift
from tf_superpixel_saliency.superpixels.slic import SLIC
from tf_superpixel_saliency.superpixels.stack import SuperpixelStack

# Below this side, photos' super-pixels would be a few pixels large.
_SMALL_SIDE = 64
_SMALL_SEGMENTS = (25, 50, 100, 200, 400)
_LARGE_SEGMENTS = (300, 1000, 3000, 10_000)


def usual_candidates(side=None, value_range=(0, 255)) -> list[SuperpixelLayer]:
    """Algorithms and sizes to choose from, in the graph all of them.

    Args:
        side: the images' shorter side in pixels, None where it isn't known.
        value_range: (low, high) of the images.

    Returns:
        `SLIC` at up to five sizes, of four pixels and more, for images below 64 pixels
        a side; `Quickshift` at two sizes and `SLIC` at four for larger ones.
    """
    if side is not None and side < _SMALL_SIDE:
        most = max(1, side**2 // 4)
        counts = [n for n in _SMALL_SEGMENTS if n <= most] or [most]
        return [SLIC(n_segments=n, value_range=value_range) for n in counts]
    return [
        Quickshift(value_range=value_range),
        Quickshift(max_dist=2, value_range=value_range),
        *(SLIC(n_segments=n, value_range=value_range) for n in _LARGE_SEGMENTS),
    ]


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SuperpixelChoice(SuperpixelStack):
    """Super-pixel layers of which the one that suits an image's map best is used.

    An explainer takes it as `superpixels=`, and `superpixels="auto"` for the usual
    candidates. It makes the partitions of all layers, groups two halves of its noise
    samples by each, and takes that of the least risk (`metrics.partition_risk`), or
    pixels where no partition has less: for each image by itself, so that a map
    depends on its image and the seed alone.

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

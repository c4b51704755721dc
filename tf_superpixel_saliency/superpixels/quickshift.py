"""Quickshift as TensorFlow operations."""

from __future__ import annotations

import functools
import typing

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import color, compilation, filters, groups, trees
from tf_superpixel_saliency.superpixels import _quickshift_tree
from tf_superpixel_saliency.superpixels.arguments import finite_number, whole_number
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer

# scikit-image's: large enough to break ties, too small to decide anything else.
_NOISE_SCALE = 0.00001
# Images worked on at a time; each is split over the cores besides.
_PARALLEL_IMAGES = 2
# One image alone is split if it has so many times the rows that either band adds.
_LEAST_HALOS = 6


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class Quickshift(SuperpixelLayer):
    """Super-pixels that follow edges, by mode seeking in (colour, row, column).

    The labels are those of `skimage.segmentation.quickshift` for the same arguments
    on the image scaled to [0, 1], up to numbering, its tie-breaking noise included.
    Two defaults differ: `kernel_size=1, max_dist=3` give the 1000–2000 groups on a
    224×224 photo that suit saliency maps.

    Called outside a compiled graph, the segmentation compiles itself with XLA, once
    for every image size.

    Source: Vedaldi and Soatto, "Quick shift and kernel methods for mode seeking",
    ECCV 2008.

    Args:
        ratio: weight of colour against space, usually in 0…1; at least 0.
        kernel_size: width of the Gaussian of the density, in pixels; at least 1.
            Larger gives fewer groups.
        max_dist: the longest link between two pixels, in (colour, row, column); at
            least 1 pixel. Larger gives fewer groups.
        sigma: width of the Gaussian smoothing before, in pixels; 0 for none.
        convert2lab: True converts RGB to Lab, False takes the channels as they are,
            None converts images of three channels and no others.
        rng: seed of the tie-breaking noise, an integer of at least 0.
        precision: "float64", as scikit-image computes on integer and float64 images,
            or "float32", as it does on float32 ones. Its two answers differ where
            groups are flat: float32 rounds the tie-breaking noise.
        max_pixels: the largest H·W where the size is unknown when the graph is
            traced, which then holds that much noise, 8 bytes a pixel. Known sizes
            have no limit.
        value_range: (low, high) of the images.
        **kwargs: `name` and the like.

    Raises:
        ValueError: for an argument outside its range; on call for `convert2lab=True`
            and other than three channels, or a number of channels that isn't known.
    """

    def __init__(
        self,
        ratio=0.2,
        kernel_size=1,
        max_dist=3,
        sigma=0,
        convert2lab=None,
        rng=42,
        precision="float64",
        max_pixels=2**20,
        value_range=(0, 255),
        **kwargs,
    ):
        super().__init__(value_range=value_range, **kwargs)
        name = type(self).__name__
        self.ratio = finite_number(name, "ratio", ratio, 0)
        self.kernel_size = finite_number(name, "kernel_size", kernel_size, 1)
        self.max_dist = finite_number(name, "max_dist", max_dist, 1)
        self.sigma = finite_number(name, "sigma", sigma, 0)
        if convert2lab not in (None, True, False):
            raise ValueError(
                "Quickshift: convert2lab must be True, False, or None for 'where "
                f"there are three channels', but got {convert2lab!r}."
            )
        self.convert2lab = convert2lab
        self.rng = whole_number(name, "rng", rng, 0)
        if precision not in ("float32", "float64"):
            raise ValueError(
                "Quickshift: precision must be 'float64' or 'float32', but got "
                f"{precision!r}."
            )
        self.precision = precision
        self.max_pixels = whole_number(name, "max_pixels", max_pixels, 1)

    def partition(self, images):
        # Scaled in float64 inside the compiled part, where numbering is cheaper
        # too: float32's rounding of x / 255 alone moves a few links.
        return self._segment(images, self.value_range)

    def segment(self, images):
        return self._segment(images, (0.0, 1.0))

    def _segment(self, images, value_range):
        """Images in a range → segments, (N, H, W), numbered in raster order."""
        settings = {
            "value_range": value_range,
            "channels": images.shape[-1],
            "lab": self._converts(images.shape[-1]),
            "ratio": self.ratio,
            "kernel_size": self.kernel_size,
            "max_dist": self.max_dist,
            "sigma": self.sigma,
            "single": self.precision == "float32",
        }
        if images.shape[0] == 0:
            # A loop of no steps can't tell the size of what it would return.
            return tf.zeros(tf.shape(images)[:3], tf.int32)
        noise = self._noise(images)
        if tf.executing_eagerly():
            # A graph runs the images side by side; eager execution would not.
            return _segment_batch_in_graph(images, noise, **settings)
        return _segment_batch(images, noise, **settings)

    def _converts(self, channels):
        """Whether images of that many channels go through Lab."""
        if channels is None:
            raise ValueError(
                "Quickshift needs the number of channels, but got images of shape "
                "(…, None). Set the last axis, as in tf.ensure_shape(images, "
                "[None, None, None, 3])."
            )
        if self.convert2lab and channels != 3:
            raise ValueError(
                "Quickshift: convert2lab=True takes RGB images of 3 channels, but "
                f"got {channels}. Use convert2lab=None or False."
            )
        return channels == 3 if self.convert2lab is None else self.convert2lab

    def _noise(self, images):
        """The tie-breaking noise, (H, W) float64, as NumPy draws it for that size.

        A smaller image's noise is the beginning of a larger one's.
        """
        height, width = images.shape[1:3]
        if height is not None and width is not None:
            noise = _noise_stream(self.rng, height * width)
            return tf.constant(noise.reshape(height, width))
        shape = tf.shape(images)
        pixels = shape[1] * shape[2]
        enough = tf.debugging.assert_less_equal(
            pixels,
            self.max_pixels,
            message=(
                "Quickshift: an image of a size unknown when the graph was traced "
                f"has more than max_pixels={self.max_pixels} pixels. Give a larger "
                "max_pixels, or fix the size of the input."
            ),
        )
        with tf.control_dependencies([] if enough is None else [enough]):
            stream = tf.constant(_noise_stream(self.rng, self.max_pixels))
            return tf.reshape(stream[:pixels], shape[1:3])

    def get_config(self):
        config = super().get_config()
        config.update(
            ratio=self.ratio,
            kernel_size=self.kernel_size,
            max_dist=self.max_dist,
            sigma=self.sigma,
            convert2lab=self.convert2lab,
            rng=self.rng,
            precision=self.precision,
            max_pixels=self.max_pixels,
        )
        return config


def _segment_batch(images, noise, **settings):
    """Segments, (N, H, W) int32, of images that are segmented one by one."""

    def several():
        return tf.map_fn(
            lambda image: _segment_whole(image, noise, settings),
            images,
            fn_output_signature=tf.TensorSpec(images.shape[1:3], tf.int32),
            parallel_iterations=_PARALLEL_IMAGES,
        )

    def single():
        return _segment_in_bands(images[0], noise, bands, settings)[None]

    bands = _bands(images.shape[1], settings)
    if bands is None or (images.shape[0] or 1) > 1:
        return several()
    if images.shape[0] == 1:
        return single()
    return tf.cond(tf.equal(tf.shape(images)[0], 1), single, several)


_segment_batch_in_graph = compilation.graph_of_each_setting(_segment_batch)


class _Band(typing.NamedTuple):
    """Rows to link, `rows` from `first` on of those cut from the image at `top`."""

    top: int
    bottom: int
    first: int
    rows: int


def _bands(height, settings):
    """The image in two, for as many cores, or None where that isn't worth it."""
    kernel_size, max_dist = settings["kernel_size"], settings["max_dist"]
    halo = _quickshift_tree.halo(kernel_size, max_dist)
    # Smoothing would need a wider overlap, and a graph without XLA is slow anyway.
    whole = height is None or settings["sigma"] or compilation.is_portable()
    if whole or height < _LEAST_HALOS * halo:
        return None
    middle = height // 2
    return [
        _Band(0, middle + halo, 0, middle),
        _Band(middle - halo, height, halo, height - middle),
    ]


def _segment_whole(image, noise, settings):
    """(H, W, C) in `value_range` and noise (H, W) → segments (H, W) int32."""
    planes = _planes(image, **settings)
    return _number(_link(planes, noise, **_reaching(settings)))


def _segment_in_bands(image, noise, bands, settings):
    """As `_segment_whole`, the links in bands of rows."""
    # Each has XLA clusters of its own, which the executor runs side by side.
    parents = []
    for top, bottom, first, rows in bands:
        cut = _planes(image[top:bottom], **settings), noise[top:bottom]
        size = bottom - top, image.shape[1]
        parents.append(
            _link(*cut, size=size, first=first, rows=rows, **_reaching(settings))
        )
    return _number(*parents, tops=tuple(band.top for band in bands))


def _reaching(settings):
    """Those of the settings that the links depend on."""
    return {name: settings[name] for name in ("channels", "kernel_size", "max_dist")}


@compilation.compiled
def _planes(image, *, value_range, channels, lab, ratio, sigma, single, **_):
    """(H, W, C) in `value_range` → the planes to link in, (C, H, W).

    Compiled apart from the links: together, XLA works the last steps out again in
    every loop that reads the planes.
    """
    # A trace may serve several sizes, but not several numbers of channels.
    image = tf.ensure_shape(image, [None, None, channels])
    low, high = value_range
    planes = tf.transpose(tf.cast(image, tf.float64), [2, 0, 1])
    planes = (planes - low) / (high - low)
    if lab:
        planes = color.lab_planes(planes)
    if sigma:
        planes = filters.gaussian_filter(planes[..., None], sigma)[..., 0]
    planes = tf.cast(planes, tf.float32 if single else tf.float64)
    return planes * tf.constant(ratio, planes.dtype)


@compilation.compiled
def _link(
    planes,
    noise,
    *,
    channels,
    kernel_size,
    max_dist,
    size=(None, None),
    first=0,
    rows=None,
):
    """Every pixel's parent, as of `quickshift_parents`."""
    planes = tf.ensure_shape(planes, [channels, *size])
    noise = tf.ensure_shape(noise, size)
    return _quickshift_tree.quickshift_parents(
        planes, noise, kernel_size, max_dist, first, rows
    )


@compilation.compiled
def _number(*parents, tops=(0,)):
    """Segments from the parents in bands, counted from the row `top` of each."""
    width = tf.shape(parents[0])[1]
    parents = tf.concat(
        [band + top * width for band, top in zip(parents, tops)], axis=0
    )
    roots = trees.find_roots(tf.reshape(parents, [-1]))
    return groups.relabel(tf.reshape(roots, [1, *tf.unstack(tf.shape(parents))]))[0]


@functools.lru_cache(maxsize=8)
def _noise_stream(seed, pixels):
    return np.random.default_rng(seed).normal(scale=_NOISE_SCALE, size=pixels)

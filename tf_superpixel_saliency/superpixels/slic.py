"""SLIC as TensorFlow operations."""

from __future__ import annotations

import numbers

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.superpixels import _slic_grid, _slic_image
from tf_superpixel_saliency.superpixels.arguments import finite_number, whole_number
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SLIC(SuperpixelLayer):
    """Compact super-pixels, by k-means in (row, column, colour) inside windows.

    The labels are those of `skimage.segmentation.slic` for the same arguments on the
    image scaled to [0, 1], up to numbering and to pixels that are as near to one
    centre as to another within rounding. `docs/slic.md` has the measured agreement.

    Called outside a compiled graph, the segmentation compiles itself with XLA, once
    for every image size.

    Source: Achanta et al., "SLIC Superpixels Compared to State-of-the-art Superpixel
    Methods", TPAMI 34, 2012. `slic_zero`: the authors' SLICO. `mask`: Irving,
    "maskSLIC", 2016, arXiv:1606.09518.

    Args:
        n_segments: about how many groups; at least 1, and no more than pixels.
        compactness: weight of space against colour; above 0. Higher values give
            squarer groups.
        max_num_iter: rounds of k-means; at least 1.
        sigma: width of the Gaussian smoothing before, in pixels: one number, which
            `spacing` divides, or (rows, columns); 0 for none.
        spacing: (rows, columns), weights of the axes in distances; above 0. None
            for (1, 1).
        convert2lab: True converts RGB to Lab, False takes the channels as they are,
            None converts images of three channels and no others.
        enforce_connectivity: whether groups are made connected and small ones
            merged.
        min_size_factor: smallest group, as a share of H·W over the number of
            centres; at least 0.
        max_size_factor: largest group likewise; larger ones are cut. Above 0 and at
            least `min_size_factor`.
        slic_zero: weighs colour by each group's own contrast.
        mask: (H, W) bool, where to segment; the same for every image, since the
            centres are spread over it by a k-means outside of the graph. The pixels
            outside of it are one group of their own. None for everywhere.
        value_range: (low, high) of the images.
        **kwargs: `name` and the like.

    Input shape:
        (N, H, W, C) float or integer, any C of at least 1, in `value_range`.

    Output shape:
        (N, H, W) int32, labels 0…p−1 in raster order of first appearance.

    Raises:
        ValueError: for an argument outside its range; on call for `convert2lab=True`
            and other than three channels, a number of channels that isn't known,
            more segments than pixels, or images of another size than the mask.
    """

    def __init__(
        self,
        n_segments=100,
        compactness=10.0,
        max_num_iter=10,
        sigma=0,
        spacing=None,
        convert2lab=None,
        enforce_connectivity=True,
        min_size_factor=0.5,
        max_size_factor=3,
        slic_zero=False,
        mask=None,
        value_range=(0, 255),
        **kwargs,
    ):
        super().__init__(value_range=value_range, **kwargs)
        self.n_segments = whole_number("SLIC", "n_segments", n_segments, 1)
        self.compactness = _positive("compactness", compactness)
        self.max_num_iter = whole_number("SLIC", "max_num_iter", max_num_iter, 1)
        self.sigma = _checked_sigma(sigma)
        self.spacing = _checked_spacing(spacing)
        self.convert2lab = _checked_convert2lab(convert2lab)
        self.enforce_connectivity = bool(enforce_connectivity)
        self.min_size_factor = finite_number(
            "SLIC", "min_size_factor", min_size_factor, 0
        )
        self.max_size_factor = _positive("max_size_factor", max_size_factor)
        if self.max_size_factor < self.min_size_factor:
            raise ValueError(
                "SLIC: max_size_factor must be at least min_size_factor, but got "
                f"{max_size_factor!r} below {min_size_factor!r}. The defaults are "
                "0.5 and 3."
            )
        self.slic_zero = bool(slic_zero)
        self.mask = _checked_mask(mask)
        self._mask_seeds = None
        if self.mask is not None:
            self._mask_seeds = _slic_grid.mask_seeds(self.mask, self.n_segments)

    def partition(self, images):
        # Scaled and numbered inside the compiled part, where both are cheaper.
        return self._segment(images, self.value_range)

    def segment(self, images):
        return self._segment(images, (0.0, 1.0))

    def _segment(self, images, value_range):
        """Images in a range → segments, (N, H, W), numbered in raster order."""
        self._check_size(images.shape[1:3])
        size, arrays, seeds = tuple(images.shape[1:3]), (), self._mask_seeds
        if seeds is not None:
            size = self.mask.shape
            arrays = [tf.constant(a) for a in (self.mask, seeds.rows, seeds.columns)]
        settings = _slic_image.Settings(
            size=size,
            channels=images.shape[-1],
            value_range=value_range,
            mask_step=None if seeds is None else seeds.step,
            n_segments=self.n_segments,
            compactness=self.compactness,
            max_num_iter=self.max_num_iter,
            sigma=self._sigma_of_axes(),
            spacing=self.spacing or (1.0, 1.0),
            lab=self._converts(images.shape[-1]),
            enforce_connectivity=self.enforce_connectivity,
            size_factors=(self.min_size_factor, self.max_size_factor),
            slic_zero=self.slic_zero,
        )
        if tf.executing_eagerly():
            return _slic_image.segment_batch_in_graph(
                images, *arrays, settings=settings
            )
        return _slic_image.segment_batch(images, *arrays, settings=settings)

    def _sigma_of_axes(self):
        """Smoothing of (rows, columns); spacing stretches a single number."""
        if isinstance(self.sigma, tuple):
            return self.sigma
        return tuple(self.sigma / space for space in self.spacing or (1.0, 1.0))

    def _check_size(self, size):
        """Compare what is known of the size with the mask and the segments."""
        if self.mask is not None:
            if not size.is_compatible_with(self.mask.shape):
                raise ValueError(
                    f"SLIC: the mask is for images of {self.mask.shape} pixels, but "
                    f"got images of {tuple(size)}. Give a mask of the images' size."
                )
            size = tf.TensorShape(self.mask.shape)
        if size.is_fully_defined() and self.n_segments > size.num_elements():
            raise ValueError(
                f"SLIC: n_segments={self.n_segments} is more than the "
                f"{size.num_elements()} pixels of images of {tuple(size)}. Ask for "
                "fewer segments, or segment larger images."
            )

    def _converts(self, channels):
        """Whether images of that many channels go through Lab."""
        if channels is None:
            raise ValueError(
                "SLIC needs the number of channels, but got images of shape "
                "(…, None). Set the last axis, as in tf.ensure_shape(images, "
                "[None, None, None, 3])."
            )
        if self.convert2lab and channels != 3:
            raise ValueError(
                "SLIC: convert2lab=True takes RGB images of 3 channels, but "
                f"got {channels}. Use convert2lab=None or False."
            )
        return channels == 3 if self.convert2lab is None else self.convert2lab

    def get_config(self):
        config = super().get_config()
        names = (
            "n_segments compactness max_num_iter sigma spacing convert2lab "
            "enforce_connectivity min_size_factor max_size_factor slic_zero"
        )
        config.update({name: getattr(self, name) for name in names.split()})
        # One hexadecimal number a row: a list of booleans takes 24 times as much.
        config["mask"] = None
        if self.mask is not None:
            rows = [np.packbits(row).tobytes().hex() for row in self.mask]
            config["mask"] = {"width": self.mask.shape[1], "rows": rows}
        return config

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("mask"), dict):
            width, rows = config["mask"]["width"], config["mask"]["rows"]
            packed = [np.frombuffer(bytes.fromhex(row), np.uint8) for row in rows]
            mask = np.unpackbits(np.stack(packed), axis=1, count=width).astype(bool)
            config = {**config, "mask": mask}
        return super().from_config(config)


def _positive(name, value):
    number = finite_number("SLIC", name, value, 0)
    if number == 0:
        raise ValueError(f"SLIC: {name} must be above 0, but got {value!r}.")
    return number


def _pair(name, value, form):
    try:
        values = tuple(finite_number("SLIC", name, entry, 0) for entry in value)
    except TypeError:
        values = ()
    if len(values) != 2:
        raise ValueError(f"SLIC: {name} must be {form}, but got {value!r}.")
    return values


def _checked_sigma(sigma):
    if isinstance(sigma, numbers.Real):
        return finite_number("SLIC", "sigma", sigma, 0)
    return _pair("sigma", sigma, "a number or (rows, columns)")


def _checked_spacing(spacing):
    if spacing is None:
        return None
    spacing = _pair("spacing", spacing, "None or (rows, columns)")
    return tuple(_positive("spacing", entry) for entry in spacing)


def _checked_convert2lab(convert2lab):
    if convert2lab not in (None, True, False):
        raise ValueError(
            "SLIC: convert2lab must be True, False, or None for 'where there are "
            f"three channels', but got {convert2lab!r}."
        )
    return convert2lab


def _checked_mask(mask):
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.ndim != 2 or not (mask.dtype == bool or np.isin(mask, (0, 1)).all()):
        raise ValueError(
            "SLIC: mask must be an array (H, W) of booleans, or of 0 and 1, but got "
            f"shape {mask.shape} and type {mask.dtype}."
        )
    mask = mask.astype(bool)
    if not mask.any():
        raise ValueError(
            "SLIC: the mask has no True pixel, so there is nothing to segment. Mark "
            "what to segment by True."
        )
    return mask

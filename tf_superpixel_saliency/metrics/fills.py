"""What takes the place of pixels that a measure removes."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.ops import checks

FILLS = ("mean", "black", "blur")
# The usual blur of Insertion (RISE, Petsiuk, Das, Saenko 2018): 11 taps, sigma 5.
_BLUR_SIGMA = 5.0
_BLUR_RADIUS = 5


def fill_images(images: np.ndarray, fill) -> np.ndarray:
    """The images without any of their pixels.

    Args:
        images: (N, H, W, C) float32.
        fill: "mean", the mean colour of these `images`, one for all; "black", the
            value 0, which is not black for images scaled to [−1, 1]; "blur", each
            image through a Gaussian of 11×11 pixels and sigma 5, mirrored at the
            borders; or an array: (C,) a colour, such as the mean of a whole dataset,
            which makes results independent of the images at hand, (H, W, C) a picture
            or (N, H, W, C) one an image.

    Returns:
        (N, H, W, C) float32, perhaps a read-only view.

    Raises:
        ValueError: another name or shape, or numbers that aren't finite.
    """
    if isinstance(fill, str):
        checks.checked_choice("fill", fill, FILLS)
        if fill == "blur":
            return _blurred(images)
        if fill == "mean":
            value = images.mean(axis=(0, 1, 2), dtype=np.float64)
        else:
            value = np.zeros(images.shape[-1])
    else:
        value = checks.as_array(fill)
        shapes = [images.shape[start:] for start in (3, 1, 0)]
        if value.dtype.kind not in "biuf" or value.shape not in shapes:
            raise ValueError(
                f"fill must be one of {FILLS}, or an array of numbers of shape "
                f"{shapes[0]}, {shapes[1]} or {shapes[2]}, but got {value.dtype} of "
                f"shape {value.shape}."
            )
    value = value.astype(np.float32)
    if not np.isfinite(value).all():
        raise ValueError("fill must be finite numbers within float32.")
    return np.broadcast_to(value, images.shape)


def _blurred(images):
    from scipy.ndimage import gaussian_filter1d

    for axis in (1, 2):
        images = gaussian_filter1d(
            images, _BLUR_SIGMA, axis, truncate=_BLUR_RADIUS / _BLUR_SIGMA
        )
    return images

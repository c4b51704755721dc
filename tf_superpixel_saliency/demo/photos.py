"""Photos to try things on, and the preparation that any photo needs."""

from __future__ import annotations

import itertools
import operator

import numpy as np


def load_photos(
    size: int = 224, crop: bool = False
) -> tuple[tuple[str, ...], np.ndarray]:
    """Load scikit-image's own photos, prepared for a classifier.

    Only photos inside scikit-image's wheel, so that nothing is fetched, and of
    things that ImageNet has classes for: a cat, a cup, a motorcycle, a rocket.

    Args:
        size: side of the square photos, in pixels.
        crop: whether to keep the central square; False squeezes the whole photo
            into the square, which shows the classifier the whole cat.

    Returns:
        The names, and the photos, (N, size, size, 3) float32 in 0…255.

    Raises:
        ValueError: `size` isn't positive.
    """
    from skimage import data

    photos = {
        "chelsea": data.chelsea(),
        "coffee": data.coffee(),
        "motorcycle": data.stereo_motorcycle()[0],
        "rocket": data.rocket(),
    }
    images = np.stack([prepare(photo, size, crop) for photo in photos.values()])
    return tuple(photos), images


def prepare(image: np.ndarray, size: int = 224, crop: bool = True) -> np.ndarray:
    """Cut the central square out of a photo and resize it.

    A longer side is reduced by area: every new pixel is the mean of what it covers,
    parts of old pixels by their share. A shorter one is enlarged bilinearly,
    between pixel centres.

    Args:
        image: (H, W, 3) uint8, or another real type in 0…255.
        size: side of the result, in pixels.
        crop: whether to keep the central square; False squeezes the whole photo
            into the square instead.

    Returns:
        (size, size, 3) float32, in 0…255.

    Raises:
        ValueError: `image` has another shape or no pixels, or `size` isn't positive.
        TypeError: `image` doesn't hold real numbers, or `size` is no integer.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ValueError(
            "prepare takes one RGB image of shape (H, W, 3), but got shape "
            f"{image.shape}. Repeat a grey image thrice along a last axis, and drop "
            "an alpha channel."
        )
    if image.dtype.kind not in "uif":
        raise TypeError(
            "prepare takes an image of numbers in 0…255, such as uint8, but got "
            f"{image.dtype}."
        )
    size = operator.index(size)
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, but got {size}.")
    if crop:
        side = min(image.shape[:2])
        top, left = ((length - side) // 2 for length in image.shape[:2])
        image = image[top : top + side, left : left + side]
    columns_left = _resize(image, size)
    # The same once more with the axes swapped, then swapped back.
    resized = _resize(columns_left.swapaxes(0, 1), size).swapaxes(0, 1)
    return np.ascontiguousarray(resized, np.float32)


def _resize(pixels, size):
    """Resize the first axis: (L, …) → (size, …) float64."""
    return (_reduce if size <= len(pixels) else _enlarge)(pixels, size)


def _reduce(pixels, size):
    """Means over equal shares of the first axis."""
    edges = np.linspace(0, len(pixels), size + 1)
    rows = []
    for low, high in itertools.pairwise(edges):
        covered = np.arange(int(low), int(np.ceil(high)))
        share = np.minimum(covered + 1, high) - np.maximum(covered, low)
        rows.append(np.tensordot(share / share.sum(), pixels[covered], axes=1))
    return np.stack(rows)


def _enlarge(pixels, size):
    """Linear between pixel centres along the first axis, edges repeated."""
    centres = (np.arange(size) + 0.5) * len(pixels) / size - 0.5
    centres = np.clip(centres, 0, len(pixels) - 1)
    below = np.floor(centres).astype(int)
    above = np.minimum(below + 1, len(pixels) - 1)
    share = (centres - below).reshape((-1,) + (1,) * (pixels.ndim - 1))
    return (1 - share) * pixels[below] + share * pixels[above]

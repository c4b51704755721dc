"""What the plots take: each array checked, and converted to what is drawn."""

from __future__ import annotations

import warnings

import numpy as np

# Resizing by cubic or Lanczos kernels overshoots; this share of the range is cut off
# in silence, more is an error.
_OVERSHOOT = 0.05


def photo(image, value_range=(0, 255)) -> np.ndarray:
    """An image as matplotlib draws it: (H, W, 3) float64 in [0, 1].

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), integer or float, in `value_range`.
        value_range: (low, high), what is drawn black and white.

    Raises:
        ValueError: for another shape, for pixels that aren't finite, or outside of
            the range.
    """
    pixels = np.asarray(image, dtype=np.float64)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3) or 0 in pixels.shape:
        raise ValueError(
            "A photo is drawn from shape (H, W), (H, W, 1) or (H, W, 3), but got shape "
            f"{np.shape(image)}. Take one image of a batch, as in images[0]; of other "
            "channels choose three, as in image[..., :3], or their mean, "
            "image.mean(axis=-1)."
        )
    low, high = _bounds(value_range)
    if not np.isfinite(pixels).all():
        raise ValueError(
            "A photo is drawn from finite pixels, but got NaN or infinite ones. Try "
            "numpy.nan_to_num(image)."
        )
    least, most = pixels.min(), pixels.max()
    slack = _OVERSHOOT * (high - low)
    if least < low - slack or most > high + slack:
        raise ValueError(
            f"The image's pixels are outside of value_range=({low:g}, {high:g}): they "
            f"run from {least:g} to {most:g}. Pass the range that the images have, "
            "such as value_range=(0, 1) or (-1, 1), or undo the model's preprocessing."
        )
    if (low, high) == (0, 255) and 0 < most <= 1 and _is_float(image):
        warnings.warn(
            f"The image's largest pixel is {most:g} in value_range=(0, 255), which is "
            "drawn black. Pass value_range=(0, 1) if it is scaled so.",
            stacklevel=3,
        )
    scaled = np.clip((pixels - low) / (high - low), 0.0, 1.0)
    return np.broadcast_to(scaled, (*scaled.shape[:2], 3))


def heat(heatmap, signed: bool = False) -> np.ndarray:
    """A heatmap to draw: (H, W) float64, channels summed.

    Args:
        heatmap: (H, W), or a map (H, W, C), of which Σ_c |map| is taken, or Σ_c map
            where `signed`.
        signed: whether negative values are meant.

    Raises:
        ValueError: for another shape, or for negative values in a heatmap that isn't
            signed.
    """
    values = np.asarray(heatmap, dtype=np.float64)
    if values.ndim == 3:
        values = (values if signed else np.abs(values)).sum(axis=-1)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            "A heatmap has shape (H, W), a map (H, W, C), but got shape "
            f"{np.shape(heatmap)}. Take one image of a batch, as in heatmaps[0]."
        )
    if not signed and (values < 0).any():
        raise ValueError(
            f"A heatmap is at least 0, but got values down to {np.nanmin(values):g}. "
            "Pass signed=True for a signed map, or take its absolute values."
        )
    return np.where(np.isfinite(values), values, np.nan)


def labels(segments) -> np.ndarray:
    """Segments to draw: (H, W) integers.

    Raises:
        ValueError: for another shape or type.
    """
    values = np.asarray(segments)
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(
            f"segments have shape (H, W), but got shape {values.shape}. Take one image "
            "of a batch, as in segments[0]."
        )
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"segments hold integer labels, but got {values.dtype}. Try "
            "segments.astype('int32')."
        )
    return values


def check_same_size(**arrays: np.ndarray) -> None:
    """Raise a ValueError unless all arrays agree in height and width."""
    sizes = {name: array.shape[:2] for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} {h}×{w}" for name, (h, w) in sizes.items())
        raise ValueError(
            f"What is drawn together has one height and width, but got {found}. Pass "
            "the image that was explained, at the size the model saw."
        )


def _bounds(value_range) -> tuple[float, float]:
    try:
        low, high = (float(bound) for bound in value_range)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(
            "value_range must be two finite numbers, the lower first, such as (0, 255) "
            f"or (0, 1), but got {value_range!r}."
        )
    return low, high


def _is_float(image) -> bool:
    return np.issubdtype(np.asarray(image).dtype, np.floating)

"""Image files, on disk or in memory, as pixels."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np

# What a file is read as, whatever its name says. Pillow knows some forty formats, one
# of which runs another program (EPS): those that photos don't come in stay closed.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")

# A small file can hold a huge image. A photo of that size takes half a gigabyte as an
# array; Pillow itself refuses at 179 million.
MAX_PIXELS = 100_000_000


def read_pixels(source, max_pixels: int | None = None) -> np.ndarray:
    """Decode an image file and turn it upright.

    Args:
        source: a path, an open binary file, or the bytes of one: JPEG, PNG, BMP, GIF,
            WebP or TIFF, told by its content.
        max_pixels: the largest H·W that is read; `MAX_PIXELS` unless given.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: not an image, truncated, or too large; the text says which.
    """
    # Pillow comes with matplotlib and with scikit-image, both of which need it.
    from PIL import Image, UnidentifiedImageError

    max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    try:
        named = isinstance(source, str | os.PathLike)
        if named and os.path.exists(source) and not os.path.isfile(source):
            raise ValueError("no file but a folder, a pipe or a device")  # may hang
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=FORMATS) as image:
                _check_size(image, max_pixels)
                return _upright(image)
    except UnidentifiedImageError:
        raise ValueError("not an image, or of a format that isn't known") from None
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        raise
    except Exception as error:
        # Decoders raise anything on files that are damaged in one way or another.
        raise ValueError(f"can't be read: {error or type(error).__name__}") from None


def _upright(image) -> np.ndarray:
    """An open Pillow image, turned as its EXIF says: (H, W, 3) uint8.

    16-bit gray is scaled down, transparency laid over white.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        top = 65535.0 if values.max() > 255 else 255.0
        gray = np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=-1)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))


def _check_size(image, max_pixels):
    if image.width * image.height > max_pixels:
        raise ValueError(
            f"{image.width} × {image.height} pixels are more than the "
            f"{max_pixels:,} that are read"
        )

"""Finding and reading the photos that the command is given."""

from __future__ import annotations

import glob
import pathlib
import warnings
from collections.abc import Iterator

import numpy as np

from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.demo import prepare
from tf_superpixel_saliency.ops import color

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")

# Pillow warns from here on and raises at twice as much; here both raise. A photo of
# that size takes half a gigabyte as an array.
MAX_PIXELS = 100_000_000


def find_photos(paths) -> tuple[list[pathlib.Path], dict[pathlib.Path, str]]:
    """Files from files, folders (searched through) and globs, each once, in order.

    Returns:
        The files, and the names under which nothing was found, with the reason.

    Raises:
        CommandError: nothing was found at all.
    """
    found: dict[pathlib.Path, None] = {}
    missing: dict[pathlib.Path, str] = {}
    for text in paths:
        path = pathlib.Path(text)
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            problem = f"the folder holds no image ({', '.join(SUFFIXES)})"
        elif path.exists():
            files, problem = [path], ""
        else:
            names = sorted(glob.glob(text, recursive=True))
            files = [pathlib.Path(name) for name in names]
            files = [file for file in files if file.is_file()]
            problem = "there is no such file or folder, and no match"
        if not files:
            missing[path] = problem
        found.update(dict.fromkeys(files))
    if not found:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in missing.items())
        raise CommandError(f"nothing to explain: {reasons}.")
    return list(found), missing


def result_names(files) -> Iterator[str]:
    """A name for each file's results: its stem, numbered where two would be equal."""
    used: set[str] = set()
    for file in files:
        name, number = file.stem, 1
        while name.lower() in used:  # some file systems don't tell A from a
            number += 1
            name = f"{file.stem}-{number}"
        used.add(name.lower())
        yield name


def read_photo(path, size: int, channels: int = 3, squeeze: bool = False) -> np.ndarray:
    """Read, turn upright, crop to the central square and resize.

    Returns:
        (size, size, channels) float32 in 0…255.

    Raises:
        ValueError: not an image, truncated, or too large; the text says which.
    """
    # Pillow comes with matplotlib and with scikit-image, both of which need it.
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(
                        f"{image.width} × {image.height} pixels are more than the "
                        f"{MAX_PIXELS:,} that are read"
                    )
                pixels = _rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise ValueError("not an image, or of a format that isn't known") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None
    except (OSError, SyntaxError, EOFError, IndexError, TypeError) as error:
        # What Pillow's decoders raise on files that are damaged in one way or another.
        raise ValueError(f"can't be read: {error}") from None
    photo = prepare(pixels, size, crop=not squeeze)
    if channels == 1:
        photo = photo @ np.float32(color.LUMA)[:, None]
    return photo


def read_in_range(path, loaded, arguments) -> np.ndarray:
    """`read_photo` for a model, as the command's flags say, in its `--value-range`.

    Returns:
        (size, size, channels) float32.

    Raises:
        ValueError: as `read_photo`.
    """
    photo = read_photo(path, loaded.size, loaded.channels, arguments.squeeze)
    return color.in_range(photo, arguments.value_range)


def _rgb(image):
    """(H, W, 3) uint8: 16-bit gray scaled down, transparency laid over white."""
    from PIL import Image

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

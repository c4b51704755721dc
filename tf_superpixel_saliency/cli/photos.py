"""Finding and reading the photos that the command is given."""

from __future__ import annotations

import glob
import os
import pathlib
import warnings
from collections.abc import Iterator, Mapping

import numpy as np

from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.demo.photos import prepare, upright_pixels
from tf_superpixel_saliency.ops import color

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")

# What a file is read as, whatever its name says. Pillow knows some forty formats, one
# of which runs another program (EPS): those that photos don't come in stay closed.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")

# A small file can hold a huge image. A photo of that size takes half a gigabyte as an
# array; Pillow itself refuses at 179 million.
MAX_PIXELS = 100_000_000

_LONGEST_NAME = 200  # bytes; a file system takes 255


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
            files = sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES and not file.is_dir()
            )
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


def result_names(files, given: Mapping[str, str] | None = None) -> Iterator[str]:
    """A name for each file's results: its stem, numbered where two would be equal.

    Args:
        files: paths.
        given: path → name of those that have one already.
    """
    given = given or {}
    used = {name.lower() for name in given.values()}
    last: dict[str, int] = {}
    for file in files:
        if str(file) in given:
            yield given[str(file)]
            continue
        stem = _short(file.stem)
        name, number = stem, last.get(stem.lower(), 1)
        while name.lower() in used:  # some file systems don't tell A from a
            number += 1
            name = f"{stem}-{number}"
        used.add(name.lower())
        last[stem.lower()] = number
        yield name


def _short(stem):
    """As many characters of a name as leave room for a number and an ending."""
    while len(os.fsencode(stem)) > _LONGEST_NAME:
        stem = stem[:-1]
    return stem


def shown(path) -> str:
    """A path for people: line breaks, control and undecodable characters escaped."""
    return "".join(
        char if char.isprintable() else ascii(char)[1:-1] for char in str(path)
    )


def read_photo(
    path,
    size: int,
    channels: int = 3,
    squeeze: bool = False,
    max_pixels: int | None = None,
) -> np.ndarray:
    """Read, turn upright, crop to the central square and resize.

    Args:
        path: a JPEG, PNG, BMP, GIF, WebP or TIFF file, told by its bytes.
        size: side of the square.
        channels: 1 or 3.
        squeeze: keep the whole photo rather than its central square.
        max_pixels: the largest H·W that is read; `MAX_PIXELS` unless given.

    Returns:
        (size, size, channels) float32 in 0…255.

    Raises:
        ValueError: not an image, truncated, or too large; the text says which.
    """
    # Pillow comes with matplotlib and with scikit-image, both of which need it.
    from PIL import Image, UnidentifiedImageError

    max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
    try:
        named = isinstance(path, str | os.PathLike)  # and not an open file
        if named and os.path.exists(path) and not os.path.isfile(path):
            raise ValueError("no file but a folder, a pipe or a device")  # may hang
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            pixels = _decoded(path, max_pixels)
        photo = prepare(pixels, size, crop=not squeeze)
    except UnidentifiedImageError:
        raise ValueError("not an image, or of a format that isn't known") from None
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        raise
    except Exception as error:
        # Decoders raise anything on files that are damaged in one way or another.
        raise ValueError(f"can't be read: {error or type(error).__name__}") from None
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
    photo = read_photo(
        path, loaded.size, loaded.channels, arguments.squeeze, arguments.max_pixels
    )
    return color.in_range(photo, arguments.value_range)


def _decoded(path, max_pixels):
    from PIL import Image

    with Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > max_pixels:
            raise ValueError(
                f"{image.width} × {image.height} pixels are more than the "
                f"{max_pixels:,} that are read"
            )
        return upright_pixels(image)

"""Finding and reading the photos that the command is given."""

from __future__ import annotations

import glob
import os
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np

from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.demo.photos import prepare
from tf_superpixel_saliency.image_files import read_pixels
from tf_superpixel_saliency.ops import color

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")

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
        max_pixels: the largest H·W that is read; 100 million unless given.

    Returns:
        (size, size, channels) float32 in 0…255.

    Raises:
        ValueError: not an image, truncated, or too large; the text says which.
    """
    pixels = read_pixels(path, max_pixels)
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
    photo = read_photo(
        path, loaded.size, loaded.channels, arguments.squeeze, arguments.max_pixels
    )
    return color.in_range(photo, arguments.value_range)

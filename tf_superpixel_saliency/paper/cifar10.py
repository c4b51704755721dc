"""Labelled images from a folder of `train/CLASS/*.jpg` and `test/CLASS/*.jpg`.

CIFAR-10 comes so; any other data laid out alike will do.
"""

from __future__ import annotations

import io
import os
import pathlib
import tarfile
import zlib
from typing import NamedTuple

import numpy as np

_SPLITS = ("train", "test")
_SUFFIXES = (".jpg", ".jpeg", ".png")
# A file above this is no small photo: it is refused before it is decoded.
_MOST_BYTES = 2**26


class LabelledImages(NamedTuple):
    """Images and labels of a training and a test set.

    Attributes:
        train_images: (N, H, W, 3) uint8, classes and files in sorted order.
        train_labels: (N,) int32, indices into `classes`.
        test_images: (M, H, W, 3) uint8.
        test_labels: (M,) int32.
        classes: names, sorted.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]


def load_images(path: str | os.PathLike) -> LabelledImages:
    """Read `train/CLASS/*.jpg` and `test/CLASS/*.jpg` from a folder or a tar archive.

    Files are `.jpg`, `.jpeg` or `.png`; hidden files are passed over. An archive
    (`.tar`, `.tar.gz`, …) is read in memory and never extracted; its links and
    special files are passed over, so a forged one writes nothing and reads nothing
    else. Either may hold the two folders at its top or inside one folder.

    Args:
        path: the folder or the archive.

    Returns:
        Images in the order of sorted classes, then sorted file names, which is
        Python's order of strings. Grey images become RGB.

    Raises:
        FileNotFoundError: there is nothing at `path`.
        ValueError: another layout, a test class that training lacks (or the other way
            round), images of several sizes, or a file that is no image.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no folder or archive at {path}. Expected "
            "train/CLASS/*.jpg and test/CLASS/*.jpg in it."
        )
    try:
        files = _folder_files(path) if path.is_dir() else _archive_files(path)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"Can't read {path} as a folder or a tar archive: {error}. Expected "
            "train/CLASS/*.jpg and test/CLASS/*.jpg in it."
        ) from error
    classes = _classes(path, files)
    arrays = []
    for split in _SPLITS:
        keys = sorted(key for key in files if key[0] == split)
        arrays.append(np.stack([files[key] for key in keys]))
        arrays.append(np.array([classes.index(key[1]) for key in keys], np.int32))
    return LabelledImages(*arrays, classes)


def _classes(path, files):
    """The class names, equal in both splits, once the layout has been checked."""
    found = [sorted({key[1] for key in files if key[0] == split}) for split in _SPLITS]
    if not all(found):
        empty = _SPLITS[0] if not found[0] else _SPLITS[1]
        raise ValueError(
            f"{path} holds no image as {empty}/CLASS/NAME.jpg. Expected the folders "
            "train and test, in each a folder a class, in each .jpg or .png files."
        )
    if found[0] != found[1]:
        odd = sorted(set(found[0]) ^ set(found[1]))
        raise ValueError(
            f"{path} must have the same classes in train and test, but these are in "
            f"one of them alone: {', '.join(odd[:5])}. Add or remove their folders."
        )
    first = next(iter(files))
    for key, image in files.items():
        if image.shape != files[first].shape:
            raise ValueError(
                f"All images of {path} must have one size, but {'/'.join(first)} has "
                f"shape {files[first].shape} and {'/'.join(key)} {image.shape}. "
                "Resize them."
            )
    return tuple(found[0])


def _key(parts):
    """(split, class, file) of a path's parts, None for what isn't an image of ours."""
    if len(parts) not in (3, 4) or parts[-3] not in _SPLITS:
        return None
    name = parts[-1]
    hidden = any(part.startswith(".") for part in parts[-3:])
    if hidden or not name.lower().endswith(_SUFFIXES):
        return None
    return tuple(parts[-3:])


def _folder_files(path):
    files = {}
    for file in path.rglob("*"):
        key = _key(file.relative_to(path).parts)
        if key and file.is_file():
            _add(files, key, file.read_bytes())
    return files


def _archive_files(path):
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            parts = pathlib.PurePosixPath(member.name).parts
            key = _key(parts)
            if key and member.isreg():
                if member.size > _MOST_BYTES:
                    raise ValueError(
                        f"{member.name} in {path} has {member.size} bytes, too many "
                        f"for an image here (at most {_MOST_BYTES})."
                    )
                _add(files, key, archive.extractfile(member).read())
    return files


def _add(files, key, encoded):
    from PIL import Image

    if key in files:
        raise ValueError(f"There are two files {'/'.join(key)}: keep one data set.")
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            files[key] = np.asarray(image.convert("RGB"))
    except Exception as error:  # a damaged file can end in almost any error
        raise ValueError(
            f"Can't decode {'/'.join(key)} as an image: {error}. Remove it, or save "
            "it anew as JPEG or PNG."
        ) from error

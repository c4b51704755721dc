"""Numbered folders, of which TensorFlow Serving serves the highest."""

from __future__ import annotations

import pathlib

from tf_superpixel_saliency.ops.checks import checked_count


def version_path(base, version: int | None = None) -> pathlib.Path:
    """`base`/`version`, after a look at what is there.

    Args:
        base: the model's folder, which the server is told.
        version: a number of at least 1; None for one more than the highest there.

    Raises:
        ValueError: `base` is a file, or a SavedModel itself; no such number.
    """
    base = pathlib.Path(base)
    if base.exists() and not base.is_dir():
        raise ValueError(
            f"{str(base)!r} is a file; expected a folder for a model's versions."
        )
    if (base / "saved_model.pb").exists():
        raise ValueError(
            f"{str(base)!r} is a SavedModel itself; expected a folder for a model's "
            "versions, of which this would be one. Choose its parent or a new folder."
        )
    if version is None:
        version = 1 + max(_versions(base), default=0)
    return base / str(checked_count("version", version))


def _versions(base):
    found = base.iterdir() if base.is_dir() else ()
    return [int(folder.name) for folder in found if folder.name.isdecimal()]

"""Explanations on disk: arrays without pickle, pictures, whole or not at all."""

from __future__ import annotations

import json
import os
import pathlib

import numpy as np

from tf_superpixel_saliency.evaluation import storage

_ABOUT = "about"


_TOLD = {"settings": dict, "value_range": list, "names": (dict, type(None))}


def write_arrays(path, arrays: dict, about: dict) -> None:
    """Write arrays and what is said of them, as JSON, to a .npz file."""
    text = np.array(json.dumps(about))
    _check_folder(path)
    with storage.whole_file(path) as partial, open(partial, "wb") as target:
        np.savez_compressed(target, **arrays, **{_ABOUT: text})


def read_arrays(path: str | os.PathLike, needed) -> tuple[dict, dict]:
    """Arrays by name and what is said of them, from a file of `write_arrays`.

    Raises:
        ValueError: it is no such file.
        OSError: it can't be read.
    """
    try:
        arrays = storage.read_arrays(path)
        about = json.loads(str(arrays.pop(_ABOUT)))
        for name in needed:
            if name not in arrays:
                raise KeyError(name)
        for name, kind in _TOLD.items():
            if not isinstance(about[name], kind):
                raise TypeError(f"{name} is {type(about[name]).__name__}")
    except _UNREADABLE as error:
        raise no_explanation(path, error) from None
    return arrays, about


# What the reader and JSON raise at bytes of any kind, and what is missing.
_UNREADABLE = (ValueError, TypeError, LookupError, RecursionError)


def no_explanation(path, error) -> ValueError:
    """The error to raise for a file that doesn't hold what `save` writes."""
    return ValueError(
        f"{os.fspath(path)!r} holds no explanation: expected a .npz file that "
        f"Explanation.save wrote ({error})."
    )


def write_picture(path, plot) -> None:
    """Draw with `plot(figure=…)` and write a .png file."""
    from tf_superpixel_saliency import plots

    _check_folder(path)
    figure = plots.new_figure()
    plot(figure=figure)
    with storage.whole_file(path) as partial:
        figure.savefig(partial, format="png")


def _check_folder(path):
    folder = pathlib.Path(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(folder)!r} to write {pathlib.Path(path).name!r} "
            "to: make it first."
        )

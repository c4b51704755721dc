"""Explanations on disk: arrays without pickle, pictures, whole or not at all."""

from __future__ import annotations

import json
import os
from zipfile import BadZipFile

import numpy as np

from tf_superpixel_saliency.evaluation.storage import whole_file

_ABOUT = "about"


def write_arrays(path, arrays: dict, about: dict) -> None:
    """Write arrays and what is said of them, as JSON, to a .npz file."""
    text = np.array(json.dumps(about))
    with whole_file(path) as partial, open(partial, "wb") as target:
        np.savez_compressed(target, **arrays, **{_ABOUT: text})


def read_arrays(path: str | os.PathLike, needed) -> tuple[dict, dict]:
    """Arrays by name and what is said of them, from a file of `write_arrays`.

    Raises:
        ValueError: it is no such file.
        OSError: it can't be read.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(str(arrays.pop(_ABOUT)))
        if not set(needed) <= set(arrays):
            raise KeyError(sorted(set(needed) - set(arrays))[0])
    except (ValueError, LookupError, AttributeError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{os.fspath(path)!r} holds no explanation: expected a .npz file that "
            f"Explanation.save wrote ({error})."
        ) from None
    return arrays, about


def write_picture(path, plot) -> None:
    """Draw with `plot(figure=…)` and write a .png file."""
    from tf_superpixel_saliency import plots

    figure = plots.new_figure()
    plot(figure=figure)
    with whole_file(path) as partial:
        figure.savefig(partial, format="png")

"""Files that are whole or not there, whenever the process is killed."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib

import numpy as np

from tf_superpixel_saliency.evaluation import storage


def write_arrays(path: str | os.PathLike, settings: dict, arrays: list) -> None:
    """Write a list of arrays and their settings into one file, whole or not at all.

    Args:
        path: an `.npz` file.
        settings: what JSON can hold.
        arrays: NumPy arrays of numbers.
    """
    numbered = {f"array_{i}": array for i, array in enumerate(arrays)}
    with storage.whole_file(path) as partial, open(partial, "wb") as file:
        np.savez(file, settings=json.dumps(settings), **numbered)


def read_arrays(path: str | os.PathLike) -> tuple[dict, list[np.ndarray]]:
    """Read what `write_arrays` wrote; nothing in the file is run.

    Returns:
        The settings and the arrays.

    Raises:
        OSError: the file can't be read.
        ValueError: it is another one, or damaged.
    """
    try:
        found = storage.read_arrays(path)
        settings = json.loads(str(found["settings"]))
        arrays = [found[f"array_{i}"] for i in range(len(found) - 1)]
    except (ValueError, LookupError, RecursionError) as error:
        raise ValueError(
            f"Can't read {path}: {error}. Delete it to start that part anew."
        ) from error
    return settings, arrays


def append_line(path: str | os.PathLike, entry: dict) -> None:
    """Append an entry to a file of JSON lines, in one write.

    A line that an earlier kill cut short is ended first, so that it spoils no other.
    """
    line = json.dumps(entry) + "\n"
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: str | os.PathLike) -> list[dict]:
    """The entries of a file of JSON lines; lines cut short are passed over.

    Returns:
        The entries in order, [] where there is no file.
    """
    path = pathlib.Path(path)
    entries = []
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                entries.append(entry)
    return entries

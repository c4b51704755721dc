"""Results in files that are whole or not there, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import pathlib
import re
import warnings
from collections.abc import Callable, Iterator

import numpy as np

PARTS = "parts"
PARTIAL = ".partial-"
_NUMBERS = itertools.count()


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A path to write to, moved to `path` at the end, removed where writing fails.

    The bytes are on the disk before the move, and a move within a folder is one step:
    a reader sees the old file or the new one, never a part, whenever the process or
    the machine stops.

    Args:
        path: the file to be there in the end.

    Yields:
        A path beside it of the same suffix, which no other process writes to.
    """
    path = pathlib.Path(path)
    # Short, whatever the name: a file system takes 255 bytes.
    partial = path.with_name(
        f"{PARTIAL}{os.getpid()}-{next(_NUMBERS)}{path.suffix[:16]}"
    )
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the move is an entry of the folder's own
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class PartStore:
    """A folder of finished parts: what is there is read, what isn't is made.

    A part is written under another name and moved, so that a process that is killed
    leaves whole parts alone. What the parts depend on is kept in `settings.json`:
    parts of other settings are never mixed with these. A part that can't be read, as
    after a fault of the disk, is made anew with a warning.

    Args:
        folder: where the parts go; made where it isn't there.
        settings: what every part depends on, as JSON can hold it. None shares the
            folder with whatever wrote to it.

    Attributes:
        counts: {"made": …, "found": …}, how many parts were asked for, those of
            stores below this one included.

    Raises:
        ValueError: the folder holds parts that were made with other settings.
        OSError: the folder can't be made or written to.
    """

    def __init__(self, folder, settings: dict | None = None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.counts = {"made": 0, "found": 0}
        if settings is not None:
            self._check_settings(json.loads(json.dumps(settings)))

    def _check_settings(self, settings):
        path = self.folder / "settings.json"
        if not path.exists():
            with whole_file(path) as partial:
                partial.write_text(json.dumps(settings, indent=1, sort_keys=True))
            return
        try:
            found = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise ValueError(
                f"{path} doesn't hold settings any more, so that it can't be told what "
                f"made the parts beside it. Remove {self.folder}, or use another "
                "folder."
            ) from None
        different = sorted(
            key
            for key in {*found, *settings}
            if found.get(key, ...) != settings.get(key, ...)
        )
        if different:
            key = different[0]
            raise ValueError(
                f"{self.folder} holds results of other settings: {', '.join(different)}"
                f" (there {found.get(key)!r}, now {settings.get(key)!r}). Use the same "
                "settings to go on with them, or another folder."
            )

    def sub(self, name: str, settings: dict | None = None) -> PartStore:
        """A store in a folder of its own below this one."""
        store = PartStore(self.folder / _file_name(name), settings)
        store.counts = self.counts
        return store

    def has(self, key: str) -> bool:
        """Whether a part of this key is there, of either kind."""
        name = _file_name(key)
        return any((self.folder / f"{name}{end}").exists() for end in (".npz", ".json"))

    def arrays(self, key: str, make: Callable[[], dict]) -> dict:
        """Arrays by name: read from `key`.npz, or made and written there."""
        path = self.folder / f"{_file_name(key)}.npz"
        found = self._found(path, read_arrays)
        if found is not None:
            return found
        made = {name: np.asarray(value) for name, value in make().items()}
        with whole_file(path) as partial, open(partial, "wb") as target:
            np.savez(target, **made)
        return made

    def records(self, key: str, make: Callable[[], list]) -> list:
        """Rows as JSON holds them: read from `key`.json, or made and written there.

        NaN is kept; NumPy's numbers become Python's.
        """
        path = self.folder / f"{_file_name(key)}.json"
        found = self._found(path, _read_json)
        if found is not None:
            return found
        made = json.loads(json.dumps(make(), default=_plain))
        with whole_file(path) as partial:
            partial.write_text(json.dumps(made), encoding="utf-8")
        return made

    def _found(self, path, read):
        """What a part holds, or None where it has to be made."""
        if path.exists():
            try:
                part = read(path)
            except _DAMAGED as error:
                warnings.warn(
                    f"{path} can't be read ({error}) and is made anew.", stacklevel=4
                )
            else:
                self.counts["found"] += 1
                return part
        self.counts["made"] += 1
        return None


# What `read_arrays` and JSON raise at bytes of any kind.
_DAMAGED = (ValueError, RecursionError)


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays by name from a .npz file; nothing in it is run.

    Raises:
        OSError: it can't be read.
        ValueError: it is another kind of file, or damaged.
    """
    # From memory: a damaged zip points to places where a file can't be read.
    content = io.BytesIO(pathlib.Path(path).read_bytes())
    try:
        with np.load(content, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except Exception as error:  # bytes of any kind end in almost any error
        raise ValueError(f"it is no .npz file, or damaged: {error}") from error
    for name, value in arrays.items():
        if not isinstance(value, np.ndarray):  # a file in the zip that is no .npy
            raise ValueError(f"{name!r} in it is no array")
    return arrays


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _file_name(key):
    """A key as a file's name: letters, digits and a few signs."""
    return re.sub(r"[^\w.,=+-]+", "-", key)


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"JSON can't hold {type(value).__name__}: {value!r}")

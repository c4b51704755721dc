"""Results in files that are whole or not there, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator

import numpy as np

PARTIAL = ".partial-"


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A path to write to, moved to `path` at the end, removed where writing fails.

    The bytes are on the disk before the move, and a move within a folder is one step:
    a reader sees the old file or the new one, never a part, whenever the process or
    the machine stops.

    Args:
        path: the file to be there in the end.

    Yields:
        A path beside it of the same suffix.
    """
    path = pathlib.Path(path)
    partial = path.with_name(f"{PARTIAL}{path.name}")
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
    parts of other settings are never mixed with these.

    Args:
        folder: where the parts go; made where it isn't there.
        settings: what every part depends on, as JSON can hold it. None shares the
            folder with whatever wrote to it.

    Raises:
        ValueError: the folder holds parts that were made with other settings.
        OSError: the folder can't be made or written to.
    """

    def __init__(self, folder, settings: dict | None = None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if settings is not None:
            self._check_settings(json.loads(json.dumps(settings)))

    def _check_settings(self, settings):
        path = self.folder / "settings.json"
        if not path.exists():
            with whole_file(path) as partial:
                partial.write_text(json.dumps(settings, indent=1, sort_keys=True))
            return
        found = json.loads(path.read_text())
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
        return PartStore(self.folder / _file_name(name), settings)

    def has(self, key: str) -> bool:
        """Whether a part of this key is there, of either kind."""
        name = _file_name(key)
        return any((self.folder / f"{name}{end}").exists() for end in (".npz", ".json"))

    def arrays(self, key: str, make: Callable[[], dict]) -> dict:
        """Arrays by name: read from `key`.npz, or made and written there."""
        path = self.folder / f"{_file_name(key)}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as found:
                return {name: found[name] for name in found.files}
        made = {name: np.asarray(value) for name, value in make().items()}
        with whole_file(path) as partial, open(partial, "wb") as target:
            np.savez(target, **made)
        return made

    def records(self, key: str, make: Callable[[], list]) -> list:
        """Rows as JSON holds them: read from `key`.json, or made and written there.

        NaN is kept; NumPy's numbers become Python's.
        """
        path = self.folder / f"{_file_name(key)}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        made = json.loads(json.dumps(make(), default=_plain))
        with whole_file(path) as partial:
            partial.write_text(json.dumps(made), encoding="utf-8")
        return made


def _file_name(key):
    """A key as a file's name: letters, digits and a few signs."""
    return re.sub(r"[^\w.,=+-]+", "-", key)


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"JSON can't hold {type(value).__name__}: {value!r}")

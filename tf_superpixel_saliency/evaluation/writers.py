"""One process that writes to a folder, and nothing left of those that were killed."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import re
from collections.abc import Iterator

from tf_superpixel_saliency.evaluation.storage import PARTIAL, PARTS

_IS_PARTIAL = re.compile(re.escape(PARTIAL) + r"\d+-\d+(\..*)?")


@contextlib.contextmanager
def only_writer(folder: str | os.PathLike) -> Iterator[None]:
    """Write to a folder alone, after what killed processes left half-written is gone.

    The lock is the operating system's: it ends with the process, however that ends.
    Where there is none (Windows, some network folders), two writers are not noticed;
    each of their files is whole all the same.

    Args:
        folder: is there; parts are in its folder `parts`.

    Raises:
        BlockingIOError: another process writes to it.
        OSError: it can't be written to.
    """
    folder = pathlib.Path(folder)
    with _locked(folder):
        for left in itertools.chain(
            folder.glob(f"{PARTIAL}*"), (folder / PARTS).rglob(f"{PARTIAL}*")
        ):
            if _IS_PARTIAL.fullmatch(left.name) and left.is_file():
                left.unlink(missing_ok=True)
        yield


@contextlib.contextmanager
def _locked(folder):
    try:
        import fcntl
    except ImportError:
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a network folder without locks
            pass
        yield
    finally:
        os.close(opened)

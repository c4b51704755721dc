"""What is to be explained: images, Parquet files or TFRecords, divided into shards."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import pathlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
PARQUET_SUFFIXES = (".parquet", ".pq")
RECORD_SUFFIXES = (".tfrecord", ".tfrecords")


class Run(NamedTuple):
    """Images that stand one after another.

    Attributes:
        path: of an image file, or of a file of many.
        key: of the file, by which its images are known; below the source's folder.
        first: of a file of many images, the number of the first.
        count: how many.
        offset: of TFRecords, where the first begins, in bytes.
    """

    path: str
    key: str
    first: int = 0
    count: int = 1
    offset: int = 0


class Shard(NamedTuple):
    """What one result file is made of: its number, and its images."""

    number: int
    runs: tuple[Run, ...]

    @property
    def count(self) -> int:
        """How many images it has."""
        return sum(run.count for run in self.runs)

    def as_text(self) -> str:
        """JSON, which is all that a cluster is handed."""
        return json.dumps([self.number, self.runs])

    @classmethod
    def from_text(cls, text: str) -> Shard:
        """A shard of what `as_text` returned."""
        number, runs = json.loads(text)
        return cls(number, tuple(Run(*run) for run in runs))


class Columns(NamedTuple):
    """Where Parquet files and TFRecords hold an image and its key.

    Attributes:
        image: the column or feature of encoded image files' bytes; in Parquet it may
            be a structure with a field `bytes`.
        key: the column or feature of keys, or None for "file:number".
    """

    image: str
    key: str | None


def find_runs(source) -> list[Run]:
    """All images of a source in a fixed order, each once.

    Args:
        source: a folder, which is searched through, or a file, a glob, or a list of
            them. All files must be images, or Parquet, or TFRecords.

    Raises:
        ValueError: nothing is found, or files of several kinds.
    """
    found = _files(source)
    kinds = {_kind(path) for path, _ in found}
    if len(kinds) != 1:
        text = "nothing of these" if not kinds else f"files of {len(kinds)} kinds"
        raise ValueError(
            "source must be a folder, files or a glob of images "
            f"({', '.join(IMAGE_SUFFIXES)}), of Parquet files "
            f"({', '.join(PARQUET_SUFFIXES)}) or of TFRecords "
            f"({', '.join(RECORD_SUFFIXES)}), but {source!r} has {text}."
        )
    (kind,) = kinds
    if kind == "image":
        return [Run(path, key) for path, key in found]
    count = _count_rows if kind == "parquet" else _record_offsets
    runs = []
    for path, key in found:
        try:
            runs += [run._replace(path=path, key=key) for run in count(path)]
        except (OSError, ValueError, struct.error) as error:
            raise ValueError(f"{path!r} can't be read: {error}.") from None
    return runs


def _files(source):
    """(path, key) of every file, in order; keys from the folder that holds them all."""
    if isinstance(source, (str, os.PathLike)):
        source = [source]
    files: dict[str, None] = {}
    folders = []
    for text in source:
        path = os.path.abspath(text)
        if os.path.isdir(path):
            found = sorted(str(one) for one in pathlib.Path(path).rglob("*"))
            folders.append(path)
        else:
            found = [path] if os.path.exists(path) else sorted(glob.glob(path))
            folders += map(os.path.dirname, found)
        if not found:
            raise ValueError(f"source: there is no file, and no match for {text!r}.")
        files.update(dict.fromkeys(name for name in found if _kind(name)))
    common = os.path.commonpath(folders) if folders else ""
    return [(file, _text(os.path.relpath(file, common))) for file in files]


def _text(path):
    """A path as text that any file can hold; names needn't be any encoding's."""
    return os.fsencode(pathlib.PurePath(path).as_posix()).decode(
        "utf-8", "backslashreplace"
    )


def _kind(path):
    suffix = pathlib.PurePath(path).suffix.lower()
    for kind, suffixes in (
        ("image", IMAGE_SUFFIXES),
        ("parquet", PARQUET_SUFFIXES),
        ("records", RECORD_SUFFIXES),
    ):
        if suffix in suffixes:
            return kind
    return ""


def _count_rows(path) -> Iterator[Run]:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        first = 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            # Its place is its row group, all of which is read at once.
            yield Run(path, "", first, rows, number)
            first += rows


# Of each record: its length (8 bytes), a checksum (4), the bytes, a checksum (4).
_HEAD, _TAIL = 12, 4


def _record_offsets(path) -> Iterator[Run]:
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        offset = number = 0
        while offset < end:
            file.seek(offset)
            (length,) = struct.unpack("<Q", file.read(_HEAD)[:8])
            after = offset + _HEAD + length + _TAIL
            if after > end:
                raise ValueError(
                    f"record {number} ends behind the end of the file; it is damaged, "
                    "or compressed, which is not supported"
                )
            yield Run(path, "", number, 1, offset)
            offset, number = after, number + 1


def shards(runs: list[Run], size: int) -> list[Shard]:
    """Shards of at most `size` images; a Parquet row group is divided where larger."""
    made: list[Shard] = []
    current: list[Run] = []
    room = size
    for run in runs:
        while run.count:
            taken = min(room, run.count)
            current.append(run._replace(count=taken))
            run = run._replace(first=run.first + taken, count=run.count - taken)
            room -= taken
            if not room:
                made.append(Shard(len(made), tuple(current)))
                current, room = [], size
    if current:
        made.append(Shard(len(made), tuple(current)))
    return made


def digest(runs: list[Run]) -> str:
    """SHA-256 of which images there are, in which order: keys, not whole paths."""
    told = hashlib.sha256()
    for run in runs:
        told.update(json.dumps([run.key, run.first, run.count]).encode() + b"\n")
    return told.hexdigest()

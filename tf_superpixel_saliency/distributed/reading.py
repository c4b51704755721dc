"""The images of a shard, as the model takes them; a bad one with its reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.demo.photos import prepare
from tf_superpixel_saliency.distributed.sources import (
    PARQUET_SUFFIXES,
    RECORD_SUFFIXES,
    Columns,
    Run,
    Shard,
)
from tf_superpixel_saliency.image_files import MAX_PIXELS, read_pixels
from tf_superpixel_saliency.ops import color


class Preparation(NamedTuple):
    """What becomes of an image before it is explained.

    Attributes:
        size: side of the square, or None for the image's own height and width.
        channels: 1 or 3.
        squeeze: the whole image into the square, in place of its central part.
        value_range: (low, high) that 0…255 is scaled to.
        max_pixels: the largest H·W that is read.
    """

    size: int | None = 224
    channels: int = 3
    squeeze: bool = False
    value_range: tuple[float, float] = (0.0, 255.0)
    max_pixels: int = MAX_PIXELS

    def __call__(self, data: bytes) -> np.ndarray:
        """The bytes of an image file → (H, W, channels) float32 in `value_range`.

        Raises:
            ValueError: no image, damaged, or too large; the text says which.
        """
        pixels = read_pixels(data, self.max_pixels)
        if self.size is None:
            photo = pixels.astype(np.float32)
        else:
            photo = prepare(pixels, self.size, crop=not self.squeeze)
        if self.channels == 1:
            photo = photo @ np.float32(color.LUMA)[:, None]
        return color.in_range(photo, self.value_range)


class Item(NamedTuple):
    """One image: its key, and its pixels (H, W, C) float32 or what is wrong with it."""

    key: str
    image: np.ndarray | None
    error: str | None


def read_shard(shard: Shard, columns: Columns, prepared: Preparation) -> Iterator[Item]:
    """The images of a shard in order."""
    for run in shard.runs:
        try:
            for key, data in _bytes_of(run, columns):
                yield _item(key, data, prepared)
        except OSError as error:  # of a whole file; those that were read stay
            reason = f"can't be read: {error.strerror or error}"
            yield from (Item(key, None, reason) for key in _keys(run))


def _item(key, data, prepared):
    try:
        return Item(key, prepared(data), None)
    except ValueError as error:
        return Item(key, None, str(error))


def _keys(run: Run):
    if _is_many(run.path):
        return [f"{run.key}:{run.first + number}" for number in range(run.count)]
    return [run.key]


def _is_many(path):
    return path.lower().endswith(PARQUET_SUFFIXES + RECORD_SUFFIXES)


def _bytes_of(run: Run, columns: Columns):
    """(key, bytes) of all images of a run; read before the first is handed on."""
    if run.path.lower().endswith(PARQUET_SUFFIXES):
        return _parquet_rows(run, columns)
    if run.path.lower().endswith(RECORD_SUFFIXES):
        return _records(run, columns)
    if not os.path.isfile(run.path):  # a pipe or a device would be waited for
        raise FileNotFoundError(2, "there is no such file")
    with open(run.path, "rb") as file:
        return [(run.key, file.read())]


def _parquet_rows(run, columns):
    import pyarrow.parquet

    wanted = [columns.image] if columns.key is None else [columns.image, columns.key]
    with pyarrow.parquet.ParquetFile(run.path) as file:
        known = file.schema_arrow.names
        for name in wanted:
            if name not in known:
                raise LookupError(
                    f"{run.path} has no column {name!r}, but {known}: say which one "
                    "holds the images by image_column, and their keys by key_column."
                )
        before = sum(
            file.metadata.row_group(number).num_rows for number in range(run.offset)
        )
        table = file.read_row_group(run.offset, wanted)
    table = table.slice(run.first - before, run.count)
    keys = _keys(run)
    if columns.key is not None:
        keys = [str(key) for key in table.column(columns.key).to_pylist()]
    return list(zip(keys, map(_content, table.column(columns.image).to_pylist())))


def _content(value):
    """The bytes of a cell: themselves, or a field of that name."""
    value = value.get("bytes") if isinstance(value, dict) else value
    return value if isinstance(value, bytes) else b""


def _records(run, columns):
    import tensorflow as tf

    with open(run.path, "rb") as file:
        file.seek(run.offset)
        length = int.from_bytes(file.read(12)[:8], "little")
        content = file.read(length)
    (key,) = _keys(run)
    try:
        features = tf.train.Example.FromString(content).features.feature
    except Exception:  # protobuf's own, which has no public name
        return [(key, b"")]
    if columns.image not in features:
        raise LookupError(
            f"{run.path} has no feature {columns.image!r}, but {sorted(features)}: say "
            "which one holds the images by image_column."
        )
    if columns.key is not None and columns.key in features:
        named = features[columns.key]
        values = named.bytes_list.value or named.int64_list.value
        key = _as_text(values[0]) if values else key
    values = features[columns.image].bytes_list.value
    return [(key, values[0] if values else b"")]


def _as_text(value):
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)

"""Result files: Parquet, whole or not there, each with what made it."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from tf_superpixel_saliency.evaluation.storage import whole_file

ABOUT = b"tf_superpixel_saliency"
_ARRAYS = ("maps", "segments")
_NUMBERS = ("targets", "scores", "status")


def shard_path(folder, number: int) -> pathlib.Path:
    """Where a shard's results are: the same name whoever makes them, and how often."""
    return pathlib.Path(folder) / f"part-{number:07d}.parquet"


def write_shard(folder, number: int, rows: Iterable[dict], about: dict) -> dict:
    """Write a shard's results under another name and move them into place.

    A shard that is made twice, as after its worker was killed, replaces itself.

    Args:
        folder: of the results.
        number: of the shard.
        rows: `key` and `error` (None where there is none) of every image, and of
            those without an error one image's outputs.
        about: what made them, as JSON holds it.

    Returns:
        What `read_summary` returns.
    """
    import pyarrow.parquet

    schema = _schema()
    failed: dict = {}
    status: dict = {}
    count = 0
    path = shard_path(folder, number)
    with whole_file(path) as partial:
        with pyarrow.parquet.ParquetWriter(
            partial, schema, compression="zstd", use_dictionary=["error"]
        ) as writer:
            for row in rows:
                if row["error"] is not None:
                    failed[row["key"]] = row["error"]
                elif row["status"]:
                    status[row["key"]] = int(row["status"])
                count += 1
                cells = [_cells(row)]
                writer.write_table(pyarrow.Table.from_pylist(cells, schema))
            told = {"images": count, "failed": failed, "status": status}
            text = json.dumps({**about, **told}, ensure_ascii=False)
            writer.add_key_value_metadata({ABOUT: text.encode("utf-8", "replace")})
    return told


def _schema():
    import pyarrow as pa

    whole, real = pa.int32(), pa.float32()
    fields = [("key", pa.string()), ("error", pa.string())]
    fields += [(name, whole) for name in ("targets", "status")] + [("scores", real)]
    fields += [(name, whole) for name in ("height", "width", "channels")]
    return pa.schema([*fields, ("maps", pa.list_(real)), ("segments", pa.list_(whole))])


def _cells(row):
    if row["error"] is not None:
        return {"key": row["key"], "error": row["error"]}
    height, width, channels = row["maps"].shape
    return {
        "key": row["key"],
        "error": None,
        **{name: row[name].item() for name in _NUMBERS},
        **{"height": height, "width": width, "channels": channels},
        **{name: row[name].ravel() for name in _ARRAYS},
    }


def read_about(path) -> dict:
    """What made a shard, and what became of its images.

    Returns:
        As `read_summary`, and the settings, digests and versions.
    """
    import pyarrow.parquet

    return json.loads(pyarrow.parquet.read_metadata(path).metadata[ABOUT])


def read_summary(path) -> dict:
    """`images`, how many there are, {key: reason} of those `failed`, {key: flags} of
    those whose `status` isn't 0.
    """
    about = read_about(path)
    return {name: about[name] for name in ("images", "failed", "status")}


def read_results(folder: str | os.PathLike) -> Iterator[dict]:
    """The results of `explain_dataset`, one image after another, in order.

    Args:
        folder: where it wrote them.

    Yields:
        `key`, `error` (None, or why there is nothing else), `maps` (H, W, C) float32,
        `segments` (H, W) int32, `targets`, `scores` and `status`.

    Raises:
        ValueError: the folder holds no results.
    """
    import pyarrow.parquet

    paths = sorted(pathlib.Path(folder).glob("part-*.parquet"))
    if not paths:
        raise ValueError(f"{str(folder)!r} holds no results of explain_dataset.")
    for path in paths:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1):
                yield _row(batch)


def _row(batch):
    cells = {
        name: batch.column(name)[0].as_py()
        for name in batch.schema.names
        if name not in _ARRAYS
    }
    row = {"key": cells["key"], "error": cells["error"]}
    if row["error"] is not None:
        return row
    shape = (cells["height"], cells["width"], cells["channels"])
    for name in _ARRAYS:
        flat = batch.column(name)[0].values.to_numpy()
        row[name] = flat.reshape(shape if name == "maps" else shape[:2])
    types = {"scores": np.float32}
    return row | {name: types.get(name, np.int32)(cells[name]) for name in _NUMBERS}

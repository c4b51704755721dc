"""One process of many: an explainer, made once, that explains shard after shard."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.distributed import results
from tf_superpixel_saliency.distributed.reading import (
    Item,
    Preparation,
    read_shard,
)
from tf_superpixel_saliency.distributed.sources import Columns, Shard
from tf_superpixel_saliency.explainers import Explainer


class Job(NamedTuple):
    """What a worker is told: all but the shards.

    Attributes:
        output: folder of the results, the same on all machines.
        explainer: a function that makes the explainer, or the bytes of a `.keras`
            file that holds it.
        columns: where Parquet files and TFRecords hold images.
        prepared: what becomes of an image before.
        target: the class to explain, −1 for the predicted one.
        batch_size: images that go through the model together.
        threads: TensorFlow's, a worker.
        about: what made the results, written beside them.
    """

    output: str
    explainer: Callable | bytes
    columns: Columns
    prepared: Preparation
    target: int
    batch_size: int
    threads: int
    about: dict


def load_explainer(source: Callable | bytes) -> Explainer:
    """The explainer of a `Job`.

    Raises:
        TypeError: the function returned something else.
    """
    if callable(source):
        explainer = source()
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "explainer.keras")
            path.write_bytes(source)
            explainer = keras.saving.load_model(path, compile=False)
    if not isinstance(explainer, Explainer):
        raise TypeError(
            "explainer must be an explainer such as tss.SmoothGrad(model), or a "
            f"function that makes one, but the function returned {explainer!r}."
        )
    return explainer


class Worker:
    """Explains shards and writes their results; made once in each process by Ray.

    Args:
        job: a `Job`.
    """

    def __init__(self, job: Job):
        _limit_threads(job.threads)
        self.job = job
        self.explainer = load_explainer(job.explainer)

    def __call__(self, batch: dict) -> dict:
        """Rows of Ray's: shards as JSON → what became of each, as JSON."""
        shards = map(Shard.from_text, batch["shard"])
        return {"told": [json.dumps(self.explain_shard(shard)) for shard in shards]}

    def explain_shard(self, shard: Shard) -> dict:
        """Explain a shard, unless it is there already, and write its results.

        Returns:
            As `results.read_summary`, and its `number`.
        """
        path = results.shard_path(self.job.output, shard.number)
        if path.exists():  # written by a worker that was killed before it said so
            told = results.read_summary(path)
        else:
            rows = self._rows(shard)
            told = results.write_shard(
                self.job.output, shard.number, rows, self.job.about
            )
        return {"number": shard.number, **told}

    def _rows(self, shard) -> Iterator[dict]:
        items = read_shard(shard, self.job.columns, self.job.prepared)
        for batch in _ahead(_batches(items, self.job.batch_size)):
            yield from self._explain(batch)

    def _explain(self, batch: list[Item]) -> Iterator[dict]:
        good = [item for item in batch if item.image is not None]
        rows = {}
        if good:
            out = self._outputs(np.stack([item.image for item in good]))
            for number, item in enumerate(good):
                rows[id(item)] = {key: value[number] for key, value in out.items()}
        for item in batch:
            yield {"key": item.key, "error": item.error, **rows.get(id(item), {})}

    def _outputs(self, images):
        targets = np.full(len(images), self.job.target, np.int32)
        batch = {"images": images, "targets": targets}
        with warnings.catch_warnings():
            # Said for each image in its row.
            warnings.filterwarnings("ignore", message=".*See the output `status`.*")
            (out,) = self.explainer.explain_batches(iter([batch]))
        return out


def _limit_threads(threads):
    """Before TensorFlow starts: it can't be told afterwards."""
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        pass
    os.environ["OMP_NUM_THREADS"] = str(threads)


def _batches(items, size) -> Iterator[list[Item]]:
    """At most `size` images of one shape, in order, the bad ones among them."""
    batch: list[Item] = []
    shape = None
    for item in items:
        own = shape if item.image is None else item.image.shape
        if batch and (len(batch) == size or (shape is not None and own != shape)):
            yield batch
            batch, shape = [], None
        batch.append(item)
        shape = shape if item.image is None else item.image.shape
    if batch:
        yield batch


def _ahead(batches) -> Iterator:
    """The same, the next one read while one is explained."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, batches, end)
        while (batch := following.result()) is not end:
            following = pool.submit(next, batches, end)
            yield batch

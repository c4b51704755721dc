"""Super-pixels on the host, of the next batch while this one's gradients are taken."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from tf_superpixel_saliency.explainers import sources
from tf_superpixel_saliency.ops import checks


def segmented_batches(explainer, batches: Iterator[dict]) -> Iterator[dict]:
    """Batches with their segments, one of them made ahead.

    Args:
        explainer: an `Explainer`.
        batches: dictionaries of tensors, as its graph takes them.

    Yields:
        The batches as they are where the super-pixels are part of the graph, or
        `segments` are there already.
    """
    if not _segments_on_host(explainer):
        yield from batches
        return
    with ThreadPoolExecutor(1) as thread:
        pending = []
        for batch in batches:
            pending.append(thread.submit(_with_segments, explainer, batch))
            if len(pending) > 1:
                yield pending.pop(0).result()
        yield from (one.result() for one in pending)


def segmented_dataset(explainer, data, batch_size=None) -> tf.data.Dataset | None:
    """The same for `predict`, or None where there is nothing to do ahead.

    Args:
        explainer: an `Explainer`.
        data: a dataset of batches, or a dictionary of arrays to be batched.
        batch_size: for arrays.
    """
    if not _segments_on_host(explainer):
        return None
    if not isinstance(data, tf.data.Dataset):
        data = tf.data.Dataset.from_tensor_slices(data).batch(batch_size)

    def segmented(*element):
        batch = dict(zip(sources.KEYS, sources.unpack(*element)))
        return _with_segments(explainer, sources.as_tensors(**batch))

    return data.map(segmented, deterministic=True).prefetch(1)


def _segments_on_host(explainer):
    layer = explainer.superpixels
    if layer is None or getattr(explainer, "is_dynamic", False):
        return False
    return any(getattr(one, "on_host", False) for one in layer._flatten_layers())


def _with_segments(explainer, batch):
    if "segments" in batch:
        return batch
    images = tf.cast(batch["images"], tf.float32)
    finite = checks.all_finite(images)[:, None, None, None]
    images = tf.where(finite, images, 0.0)  # as the graph does before it segments
    return {**batch, "segments": explainer.superpixels(images)}

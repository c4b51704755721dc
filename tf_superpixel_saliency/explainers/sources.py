"""What an explainer takes: arrays, tensors, dictionaries and datasets, checked."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.ops import checks

KEYS = ("images", "targets", "segments", "inputs")


def unpack(images, targets=None, segments=None, inputs=None):
    """(images, targets, segments, inputs) from these, or one dictionary of them."""
    if isinstance(images, Mapping):
        unknown = sorted(set(images) - set(KEYS))
        if unknown or "images" not in images:
            raise ValueError(
                'A dictionary of inputs holds "images" and, if wanted, "targets", '
                '"segments" and "inputs" (a dictionary of the model\'s further '
                f"inputs), but this one holds {sorted(images)}."
            )
        targets = images.get("targets", targets)
        segments = images.get("segments", segments)
        inputs = images.get("inputs", inputs)
        images = images["images"]
    elif isinstance(images, tuple) and len(images) == 2:
        raise ValueError(_PAIR_TEXT)
    return images, targets, segments, inputs


_PAIR_TEXT = (
    "Expected images, or dictionaries, but got (x, y) pairs. Which of the two is "
    'explained would be a guess: map them to {"images": x, "targets": y} to explain '
    "class y, or to x alone to explain the predicted class."
)


def is_symbolic(*values) -> bool:
    """Whether Keras is building a model, or TensorFlow a graph."""
    if not tf.executing_eagerly():
        return True
    flat = tf.nest.flatten([value for value in values if value is not None])
    return any(isinstance(value, keras.KerasTensor) for value in flat)


def is_array(data) -> bool:
    """Whether data is images at hand, in memory, rather than a source of batches."""
    if isinstance(data, Mapping):
        return True
    return isinstance(data, np.ndarray | list) or tf.is_tensor(data)


def check_source(data):
    """Refuse a dataset of (x, y) pairs or of single images; returns the data.

    A generator is looked into and put together again.
    """
    if isinstance(data, tuple):
        raise ValueError(_PAIR_TEXT)
    spec = getattr(data, "element_spec", None)
    if spec is not None:
        _check_element(spec, "dataset")
    elif isinstance(data, keras.utils.PyDataset):
        _check_element(data[0], "dataset")
    elif inspect.isgenerator(data):
        first = next(data, None)
        if first is None:
            raise ValueError("The generator gave no batch of images.")
        _check_element(first, "generator")
        return _joined(first, data)
    return data


def _joined(first, rest):
    # Keras takes no itertools.chain, and tuples alone out of a generator.
    for element in itertools.chain([first], rest):
        yield element if isinstance(element, (tuple, list)) else (element,)


def _check_element(element, what):
    if isinstance(element, (tuple, list)) and len(element) > 1:
        raise ValueError(_PAIR_TEXT)
    if isinstance(element, (tuple, list)):
        (element,) = element
    images, *_ = unpack(element)
    shape = images.shape if hasattr(images, "shape") else np.shape(images)
    rank = shape.rank if isinstance(shape, tf.TensorShape) else len(shape)
    if rank is not None and rank != 4:
        raise ValueError(
            f"The {what} must give batches of images of shape (N, H, W, C), but gives "
            f"{tuple(shape)}."
            + (" Batch it with dataset.batch(32)." if rank == 3 else "")
        )


def _elements(data):
    if not isinstance(data, keras.utils.PyDataset):
        return data
    count = data.num_batches  # a PyDataset doesn't say where it ends by itself
    return (data[i] for i in (itertools.count() if count is None else range(count)))


def batches(data, batch_size: int) -> Iterator[dict]:
    """Batches, dictionaries of `KEYS`, from arrays or a source of batches."""
    if not is_array(data):
        for element in _elements(check_source(data)):
            _check_element(element, "iterable")
            if isinstance(element, (tuple, list)):
                (element,) = element
            yield dict(zip(KEYS, unpack(element)))
        return
    images, targets, segments, inputs = unpack(data)
    images = images if tf.is_tensor(images) else np.asarray(images)
    count = len(images)
    if targets is not None:
        targets = checks.checked_targets(targets, count)
    for start in range(0, count, batch_size):
        rows = slice(start, start + batch_size)
        yield {
            "images": images[rows],
            "targets": None if targets is None else targets[rows],
            "segments": segments
            if segments is None or np.ndim(segments) == 2
            else segments[rows],
            "inputs": inputs
            and {name: np.asarray(value)[rows] for name, value in inputs.items()},
        }


def as_tensors(images, targets=None, segments=None, inputs=None) -> dict:
    """A dataset's batch as an explainer's graph takes it; `status` tells what is wrong.

    Args:
        images: (N, H, W, C) numbers.
        targets: None, one integer or (N,).
        segments: None, (H, W) or (N, H, W) integers.
        inputs: None, or the model's further inputs, {name: (N, …)}.
    """
    images = tf.cast(images, tf.float32)
    count = tf.shape(images)[:1]
    targets = -1 if targets is None else tf.cast(targets, tf.int32)
    tensors = {"images": images, "targets": tf.broadcast_to(targets, count)}
    if segments is not None:
        segments = tf.cast(segments, tf.int32)
        tensors["segments"] = tf.broadcast_to(segments, tf.shape(images)[:3])
    if inputs:
        tensors["inputs"] = tf.nest.map_structure(tf.convert_to_tensor, dict(inputs))
    return tensors

"""Several devices under `tf.distribute`: each batch shared among them, in the graph."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf


def shared(function: Callable, strategy, tensors: dict) -> dict:
    """Outputs of one batch of which every replica gets an equal share.

    Keras shares a dataset instead: its last batch may then leave a replica without
    an image, and each device has an iterator of its own, which can hold up the end of
    a run. Here a batch that can't be shared equally is filled up with its own rows,
    which are cut off again.

    Args:
        function: tensors → outputs by name, with a row an image.
        strategy: a `tf.distribute.Strategy`.
        tensors: by name, nested or not, "images" (N, …) among them.

    Returns:
        The outputs by name, each (N, …).
    """
    count = tf.shape(tensors["images"])[0]
    share = -(-count // strategy.num_replicas_in_sync)

    def part(context):
        first = context.replica_id_in_sync_group * share
        rows = (first + tf.range(share)) % tf.maximum(count, 1)
        return tf.nest.map_structure(lambda one: tf.gather(one, rows), tensors)

    parts = strategy.experimental_distribute_values_from_function(part)
    outputs = strategy.run(function, args=(parts,))
    return {
        key: tf.concat(strategy.experimental_local_results(value), 0)[:count]
        for key, value in outputs.items()
    }


def predict(model, outputs: Iterable[dict], steps, verbose, callbacks) -> dict:
    """What `keras.Model.predict` does around its batches, callbacks included.

    Args:
        model: the `keras.Model` that callbacks are told of.
        outputs: the outputs of one batch after another, dictionaries of NumPy arrays.
        steps: how many batches there are or are wanted, or None.
        verbose, callbacks: as in Keras.

    Returns:
        The outputs of all batches, joined.

    Raises:
        ValueError: there is no batch.
    """
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=1,
            steps=steps,
            model=model,
        )
    parts: list[dict] = []
    model.stop_predicting = False
    callbacks.on_predict_begin()
    outputs = iter(outputs)
    for number in itertools.count() if steps is None else range(steps):
        callbacks.on_predict_batch_begin(number)
        part = next(outputs, None)
        if part is None:
            break
        parts.append(part)
        callbacks.on_predict_batch_end(number, {"outputs": part})
        if model.stop_predicting:
            break
    callbacks.on_predict_end()
    if not parts:
        raise ValueError("Expected images to explain, but there is no batch of them.")
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def number_of_batches(data, batch_size: int) -> int | None:
    """How many batches arrays or a source give, None where that isn't known."""
    if isinstance(data, dict):
        return -(-len(data["images"]) // batch_size)
    if isinstance(data, tf.data.Dataset):
        count = int(data.cardinality())
        return count if count >= 0 else None
    return data.num_batches if isinstance(data, keras.utils.PyDataset) else None

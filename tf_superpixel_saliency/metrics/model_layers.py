"""The layers of a Keras model, by name, and copies of it."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable

import keras
import numpy as np


def weighted_layers(model: keras.Model) -> list[tuple[str, keras.layers.Layer]]:
    """(name, layer) of the layers that have weights of their own, input first.

    Args:
        model: a built Keras model.

    Raises:
        TypeError: not a Keras model.
        ValueError: it has no weights, for one because it isn't built.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "model must be a Keras model, whose layers can be told apart, but got "
            f"{type(model).__name__}. Load it with keras.saving.load_model."
        )
    found = [
        (name, layer)
        for name, layer in nested_layers(model)
        if own_weights(layer) and not isinstance(layer, keras.layers.Normalization)
    ]
    if not found:
        raise ValueError(
            "model must have layers with weights, but none has any. Build it first: "
            "call it once on images."
        )
    return found


def nested_layers(layer, prefix: str = "", seen: set | None = None):
    """(name, layer) of all layers inside of one, in the order they are applied in.

    Keras' own flattening reverses the layers of a nested model.
    """
    seen = set() if seen is None else seen
    for child in _children(layer):
        if id(child) in seen:
            continue
        seen.add(id(child))
        name = f"{prefix}{child.name}"
        yield from nested_layers(child, f"{name}/", seen)
        yield name, child


def own_weights(layer) -> list:
    """The weights that a layer has itself, without those of layers inside of it."""
    nested = {id(weight) for child in _children(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in nested]


def _children(layer):
    return layer.layers if isinstance(layer, keras.Model) else layer._layers


def is_batch_norm(layer) -> bool:
    """Whether a layer keeps moving statistics of its signal."""
    return isinstance(layer, keras.layers.BatchNormalization)


def checked_copy(
    model: keras.Model, copy: Callable[[keras.Model], keras.Model]
) -> keras.Model:
    """`copy(model)`, once it has been seen to be another model of the same weights.

    Raises:
        ValueError: it isn't.
    """
    copied = copy(model)
    same = [
        a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
        for a, b in zip(model.get_weights(), copied.get_weights())
    ]
    if copied is model or len(same) != len(copied.get_weights()) or not all(same):
        raise ValueError(
            "The copy of the model differs from it, or isn't one. A subclassed model "
            "has to be rebuilt with its weights by get_config and from_config; or "
            "pass copy, a function that makes an independent copy."
        )
    return copied


def saved_and_loaded(model: keras.Model) -> keras.Model:
    """A copy by way of a `.keras` file: unlike a clone, for subclasses too.

    Raises:
        ValueError: the model can't be saved or loaded.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        try:
            model.save(path)
            # The user's own model, which holds whatever it holds: not a foreign file.
            return keras.saving.load_model(path, compile=False, safe_mode=False)
        except Exception as error:
            raise ValueError(
                f"Can't copy the model by saving and loading it: {error}. Register "
                "its classes with keras.saving.register_keras_serializable, or pass "
                "copy, a function that makes an independent copy."
            ) from error

"""Models of several inputs: which one is the image, and how all of them are passed."""

from __future__ import annotations

import keras
import tensorflow as tf


def input_names(model) -> list[str]:
    """Names of a model's inputs in its own order, [] where it doesn't tell.

    A functional Keras or tf_keras model tells, and a signature of a SavedModel (that
    called `serving_default` of a loaded one).
    """
    return [name for name in _symbols(model) if isinstance(name, str)]


def _symbols(model) -> dict:
    """Name or place → symbolic input or specification, {} where the model has none."""
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return signature_specs(model)
    if hasattr(model, "signatures"):
        default = model.signatures.get("serving_default")
        return {} if default is None else signature_specs(default)
    try:
        tensors = list(model.inputs or [])
    except (AttributeError, ValueError, RuntimeError, TypeError):
        return {}  # a function, or subclassed, or never called
    try:
        structure = model.input
    except (AttributeError, ValueError, RuntimeError):
        structure = None  # a sequential model has it only once it was called
    if isinstance(structure, dict):
        return dict(structure)  # its keys are what Keras takes, whatever the names
    names = getattr(model, "input_names", None)  # tf_keras: without the ":0"
    names = names or [tensor._keras_history.operation.name for tensor in tensors]
    return dict(zip(names, tensors))


def signature_specs(signature) -> dict:
    """Inputs by keyword, or by place for a concrete function of one's own."""
    positions, keywords = signature.structured_input_signature
    return {**dict(enumerate(positions)), **keywords}


def image_input(model, given) -> str | None:
    """The input that the image goes to: the one that isn't given.

    Args:
        model: of any kind.
        given: names of the further inputs.

    Returns:
        Its name; None where the model doesn't tell its inputs, or has the one.

    Raises:
        ValueError: none is left, or several are.
    """
    names = input_names(model)
    if not names or (len(names) == 1 and not given):
        return names[0] if names else None
    unknown = sorted(set(given) - set(names))
    left = [name for name in names if name not in given]
    if unknown or len(left) != 1:
        raise ValueError(
            f"The model has the inputs {names}, and all but the image's are passed as "
            f"inputs={{name: (N, …) array}}, but got {sorted(given)}."
        )
    return left[0]


def image_shape(model, given=()) -> tuple | None:
    """(N, H, W, C) of the image's input, None where it isn't known."""
    tensors = _symbols(model)
    left = [name for name in tensors if name not in given]
    if len(left) != 1:
        return None
    shape = tensors[left[0]].shape
    if isinstance(shape, tf.TensorShape) and shape.rank is None:
        return None
    return tuple(shape)


def check_image_dtype(model, given=()):
    """Refuse a Keras model whose image `Input` has an integer dtype: no gradient.

    Raises:
        ValueError: says which input it is.
    """
    if not isinstance(model, keras.Model):
        return
    tensors = _symbols(model)
    left = [name for name in tensors if name not in given]
    if len(left) == 1 and not keras.backend.is_float_dtype(tensors[left[0]].dtype):
        raise ValueError(
            f"The model's input {left[0]!r} has dtype {tensors[left[0]].dtype}: "
            "integers have no gradient. Build the model with a float32 Input, and cast "
            "inside of it where a layer wants another type."
        )


def arranged(model, images, given: dict):
    """What a Keras or tf_keras model with known inputs is called with.

    Args:
        model: the model.
        images: (N, H, W, C).
        given: the further inputs by name.

    Returns:
        `images` alone, or a dictionary of all inputs.
    """
    if not given:
        return images
    return {image_input(model, given): images, **given}


def given_specs(model, given_names=None) -> dict[str, tf.TensorSpec]:
    """Specifications of a model's further inputs, batch size left free.

    Args:
        model: of any kind.
        given_names: names of all inputs but the image's; None takes every input that
            isn't of shape (N, H, W, C).

    Raises:
        ValueError: the names don't leave one input for the image.
    """
    tensors = _symbols(model)
    if given_names is None:
        given_names = [name for name, one in tensors.items() if len(one.shape) != 4]
    if len(tensors) > 1 or given_names:
        image_input(model, given_names)
    return {
        name: tf.TensorSpec(
            (None, *tensors[name].shape[1:]), tf.as_dtype(tensors[name].dtype), name
        )
        for name in given_names
    }

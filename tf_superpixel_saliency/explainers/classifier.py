"""One way to call whatever the user calls a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import keras
import tensorflow as tf


def as_function(model) -> Callable[[tf.Tensor], tf.Tensor]:
    """images → outputs for a model of any kind, always in inference mode.

    Args:
        model: a Keras model or layer (functional, sequential, subclassed, tf_keras),
            an object that `tf.saved_model.load` returned (its `__call__`, `serve` or
            signature `serving_default`, in this order), a signature of one, or a
            function on tensors.

    Returns:
        A function of (N, H, W, C) float32 that returns one tensor.

    Raises:
        TypeError: nothing of the above.
    """
    if isinstance(model, keras.layers.Layer):
        return _in_inference_mode(model)
    if callable(getattr(model, "call", None)) and hasattr(model, "trainable_weights"):
        return _in_inference_mode(model)  # tf_keras
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return _signature_function(model)
    if hasattr(model, "signatures"):
        return _saved_model_function(model)
    if callable(model):
        return _where_it_is_taken(model)
    hint = (
        " Load it first, with keras.models.load_model or tf.saved_model.load."
        if isinstance(model, str) or hasattr(model, "__fspath__")
        else ""
    )
    raise TypeError(
        "model must be a Keras model, an object loaded by tf.saved_model.load or a "
        f"function from images (N, H, W, C) to outputs, but got {model!r}.{hint}"
    )


def input_shape(model) -> tuple:
    """(H, W, C) that a model takes, None where a size is free or isn't known."""
    spec = None
    if isinstance(model, keras.layers.Layer) or hasattr(model, "trainable_weights"):
        try:
            spec = model.input_shape
        except (AttributeError, ValueError, RuntimeError):
            spec = None  # subclassed, or never called
    elif isinstance(model, tf.types.experimental.ConcreteFunction):
        spec = _signature_shape(model)
    elif hasattr(model, "signatures") and "serving_default" in model.signatures:
        spec = _signature_shape(model.signatures["serving_default"])
    if isinstance(spec, (list, tuple)) and len(spec) == 4:
        if all(size is None or isinstance(size, int) for size in spec):
            return tuple(spec[1:])
    return (None, None, None)


def check_input_dtype(model):
    """Refuse a Keras model whose `Input` has an integer dtype: it has no gradient."""
    if not isinstance(model, keras.Model):
        return
    try:
        inputs = model.inputs or []
    except (AttributeError, ValueError):  # subclassed, or never called
        inputs = []
    for tensor in inputs:
        if not keras.backend.is_float_dtype(tensor.dtype):
            raise ValueError(
                f"The model's input {tensor.name!r} has dtype {tensor.dtype}: integers "
                "have no gradient. Build the model with a float32 Input, and cast "
                "inside of it where a layer wants another type."
            )


def uses_float16(model) -> bool:
    """Whether any layer of a Keras model computes in float16."""
    if not isinstance(model, keras.layers.Layer):
        return False
    layers = model._flatten_layers()
    return any(layer.compute_dtype == "float16" for layer in layers)


def _names_training(function) -> bool:
    # Outside of Keras, **kwargs may be anything: nothing is put in unasked.
    return "training" in _parameters(function)


def _parameters(function):
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _in_inference_mode(layer):
    # Asked for by name: a call that defaults to training=True would otherwise be
    # explained with dropout on.
    if "training" not in _parameters(layer.call) and isinstance(
        layer, keras.layers.Layer
    ):
        layer = _Inference(layer)
    return lambda images: _one_output(layer(images, training=False))


class _Inference(keras.layers.Layer):
    """Tells the layers inside of one whose own call has no `training` argument.

    They ask Keras' call context, in which an outer model may be training.
    """

    def __init__(self, layer):
        super().__init__(name="inference", dtype="float32", autocast=False)
        # A function keeps the layer's weights out of sight.
        self._function = lambda images: layer(images, training=False)
        self.built = True

    def call(self, images, training=False):
        return self._function(images)


def _where_it_is_taken(function, owner=None):
    keywords = {"training": False} if _names_training(function) else {}

    def call(images, _owner=owner):  # a SavedModel's function dies without it
        return _one_output(function(images, **keywords))

    return call


def _saved_model_function(model):
    if callable(model):
        function = model.__call__  # it, unlike the object, tells its arguments
    elif callable(getattr(model, "serve", None)):
        function = model.serve
    elif "serving_default" in model.signatures:
        return _signature_function(model.signatures["serving_default"], owner=model)
    else:
        raise TypeError(
            "The loaded SavedModel can't be called: expected a __call__, a `serve` "
            "endpoint or a signature `serving_default`, but its signatures are "
            f"{sorted(model.signatures)}. Pass one of them, as in "
            "model.signatures['name']."
        )
    return _where_it_is_taken(function, owner=model)


def _signature_function(signature, owner=None):
    specs = _signature_specs(signature)
    if len(specs) != 1:
        raise TypeError(
            f"The signature must take images alone, but its inputs are "
            f"{sorted(map(str, specs))}. Wrap it in a function of the images."
        )
    (name,) = specs

    def function(images, _owner=owner):
        if isinstance(name, int):
            return _one_output(signature(images))
        return _one_output(signature(**{name: images}))

    return function


def _signature_specs(signature):
    """Inputs by keyword, or by place for a concrete function of one's own."""
    positions, keywords = signature.structured_input_signature
    return {**dict(enumerate(positions)), **keywords}


def _signature_shape(signature):
    specs = list(_signature_specs(signature).values())
    if len(specs) == 1 and specs[0].shape.rank is not None:
        return tuple(specs[0].shape)
    return None


def _one_output(outputs):
    if isinstance(outputs, dict) and len(outputs) == 1:
        (outputs,) = outputs.values()
    elif isinstance(outputs, (list, tuple)) and len(outputs) == 1:
        (outputs,) = outputs
    if isinstance(outputs, (dict, list, tuple)):
        names = list(outputs) if isinstance(outputs, dict) else len(outputs)
        raise ValueError(
            "The model must return one tensor of shape (N, classes), but it returns "
            f"several: {names}. Pass a function that picks one, as in "
            "lambda images: model(images)['name']."
        )
    return tf.convert_to_tensor(outputs)

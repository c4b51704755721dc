"""One way to call whatever the user calls a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers import model_inputs


def as_function(model) -> Callable[..., tf.Tensor]:
    """images → outputs for a model of any kind, always in inference mode.

    Args:
        model: a Keras model or layer (functional, sequential, subclassed, tf_keras),
            an object that `tf.saved_model.load` returned (its `__call__`, `serve` or
            signature `serving_default`, in this order), a signature of one, or a
            function on tensors.

    Returns:
        A function of images (N, H, W, C) float32, and of the model's further inputs
        as keyword arguments, that returns one tensor. Functional models and signatures
        get all of them by name; other models and functions are called with the images
        first and the further inputs as keyword arguments.

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


def input_shape(model, given=()) -> tuple:
    """(H, W, C) of the images that a model takes, None where a size isn't known.

    Args:
        model: what `as_function` takes.
        given: names of further inputs, which are not the image's.
    """
    spec = model_inputs.image_shape(model, given)
    if spec is None and not given:
        try:
            spec = model.input_shape  # a sequential or subclassed one that was built
        except (AttributeError, ValueError, RuntimeError):
            spec = None
    if isinstance(spec, (list, tuple)) and len(spec) == 4:
        if all(size is None or isinstance(size, int) for size in spec):
            return tuple(spec[1:])
    return (None, None, None)


def uses_float16(model) -> bool:
    """Whether any layer of a Keras model computes in float16."""
    if not isinstance(model, keras.layers.Layer):
        return getattr(model, "compute_dtype", None) == "float16"
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
        inside = Inference(lambda x, **given: layer(x, training=False, **given))
        return _with_inputs(inside, layer)
    return _with_inputs(layer, layer)


def _with_inputs(function, layer):
    """Called with a dictionary where a layer names its inputs, or with keywords."""

    def call(images, **given):
        if given and model_inputs.input_names(layer):
            everything = model_inputs.arranged(layer, images, given)
            return _one_output(function(everything, training=False))
        return _one_output(function(images, training=False, **given))

    return call


class Inference(keras.layers.Layer):
    """Tells all layers that a function runs that nothing is trained.

    They ask Keras' call context, in which an outer model may be training. A function
    keeps their weights out of sight.
    """

    def __init__(self, function):
        super().__init__(name="inference", dtype="float32", autocast=False)
        self._function = function
        self.built = True

    def call(self, images, training=False, **given):
        return self._function(images, **given)


def in_inference(inputs, function) -> tf.Tensor:
    """One tensor from a function that runs Keras layers, none of them in training."""
    return _one_output(Inference(function)(inputs, training=False))


def _where_it_is_taken(function, owner=None):
    keywords = {"training": False} if _names_training(function) else {}

    def call(images, _owner=owner, **given):  # a SavedModel's dies without its owner
        return _one_output(function(images, **keywords, **given))

    return call


def _saved_model_function(model):
    if len(model_inputs.input_names(model)) > 1:  # a call may take them in any form
        return _signature_function(model.signatures["serving_default"], owner=model)
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
    specs = model_inputs.signature_specs(signature)
    placed = [name for name in specs if isinstance(name, int)]
    if placed and len(specs) > 1:
        raise TypeError(
            "The signature must name its inputs, but they are "
            f"{sorted(map(str, specs))}. Wrap it in a function of the images."
        )

    def function(images, _owner=owner, **given):
        if placed:
            return _one_output(signature(images))
        name = model_inputs.image_input(signature, given)
        return _one_output(signature(**{name: images}, **given))

    return function


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

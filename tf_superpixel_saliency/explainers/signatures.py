"""What a SavedModel of an explainer offers: its signatures, as functions to trace."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers import model_inputs

# What every explanation takes besides the model's further inputs.
RESERVED = ("images", "targets", "segments", "image_bytes")


class Signature(NamedTuple):
    """One way to call a SavedModel.

    Attributes:
        name: what clients call it.
        function: tensors → a tensor or a structure of them.
        specs: what `keras.export.ExportArchive.add_endpoint` takes, one an argument.
    """

    name: str
    function: Callable
    specs: list


def own(model, image_shape, further=None) -> Signature:
    """The model's own signature, as `model.export` or its SavedModel has it.

    Args:
        model: what `classifier.as_function` takes.
        image_shape: (H, W, C), for models that don't tell it.
        further: specifications of further inputs by name, for models that don't tell
            them.

    Returns:
        A signature of Keras' name `serve`, which an archive makes `serving_default`
        as well. Names of inputs and outputs are the model's.
    """
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return _of_signature(model, model)
    if "serving_default" in getattr(model, "signatures", ()):
        return _of_signature(model.signatures["serving_default"], model)
    if isinstance(model, keras.Model) and (structure := _structure(model)) is not None:
        specs = [tf.nest.map_structure(_spec, structure)]
        return Signature("serve", _shaped(model.__call__, specs), specs)
    if not isinstance(model, keras.layers.Layer) and model_inputs.input_names(model):
        return _of_tf_keras(model)
    return _of_function(model, image_shape, further or {})


def _structure(model):
    """The symbolic inputs as a Keras model is called with them, None: not told."""
    try:
        return model.input
    except (AttributeError, ValueError, RuntimeError):
        inputs = getattr(model, "inputs", None)  # a sequential model's, a list of one
        return inputs[0] if inputs else None


def _spec(tensor):
    return tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, tensor.name)


def _of_signature(signature, owner):
    specs = {
        name: tf.TensorSpec(spec.shape, spec.dtype, str(name))
        for name, spec in model_inputs.signature_specs(signature).items()
    }

    def call(*tensors, _owner=owner):  # whose variables die with it
        if all(isinstance(name, str) for name in specs):
            return signature(**dict(zip(specs, tensors)))
        return signature(*tensors)

    return Signature("serve", _shaped(call, [*specs.values()]), [*specs.values()])


def _of_tf_keras(model):
    specs = model_inputs.given_specs(model, model_inputs.input_names(model)[1:])
    first = model_inputs.input_names(model)[0]
    shape = model_inputs.image_shape(model, specs)
    specs = [tf.TensorSpec((None, *shape[1:]), tf.float32, first), *specs.values()]

    def call(*tensors):
        named = dict(zip(model_inputs.input_names(model), tensors))
        return model(named if len(named) > 1 else tensors[0], training=False)

    return Signature("serve", _shaped(call, specs), specs)


def _of_function(model, image_shape, further):
    # Keras leaves the image of a subclassed model unnamed, which gives "args_0".
    name = None if isinstance(model, keras.layers.Layer) and not further else "images"
    specs = [tf.TensorSpec((None, *image_shape), tf.float32, name), *further.values()]

    def call(images, *others):
        return model(images, **dict(zip(further, others)))

    return Signature("serve", _shaped(call, specs), specs)


def _shaped(function, specs):
    """Refuses other shapes at run time, as a server hands on whatever it is sent.

    Some kernels end the whole process on a tensor of another rank.
    """

    def call(*args):  # named as Keras names them, where a specification has no name
        return function(*tf.nest.map_structure(_ensure, list(args), specs))

    return call


def _ensure(tensor, spec):
    return tensor if spec.shape.rank is None else tf.ensure_shape(tensor, spec.shape)


class Explanation:
    """An explainer's graph, traced once, whichever signatures call it.

    Args:
        explainer: an `Explainer`.
        image_shape: (H, W, C), None where a size stays free.
        further: specifications of the model's further inputs by name.
        with_segments: whether the caller brings `segments` (N, H, W).
    """

    def __init__(self, explainer, image_shape, further=None, with_segments=False):
        self.specs: dict[str, Any] = {
            "images": tf.TensorSpec((None, *image_shape), tf.float32, "images"),
            "targets": tf.TensorSpec((None,), tf.int32, "targets"),
        }
        if with_segments:
            shape = (None, *image_shape[:2])
            self.specs["segments"] = tf.TensorSpec(shape, tf.int32, "segments")
        self.further = dict(further or {})
        self._own = own(explainer.model, image_shape, self.further)

        def call(tensors, inputs):
            return explainer.call(**tensors, inputs=inputs or None)

        # Without autograph errors keep their own text, as under Keras' `predict`.
        function = tf.function(call, autograph=False)
        self._traced = function.get_concrete_function(self.specs, self.further)

    @property
    def graph_function(self):
        """The traced function, with its graph and variables."""
        return self._traced

    def __call__(self, tensors: dict) -> dict:
        """All outputs; the tensors are those of `specs` and `further` by name."""
        inputs = {name: tensors[name] for name in self.further}
        given = {name: tensors[name] for name in self.specs}
        return dict(self._traced(given, inputs))

    def signatures(self) -> list[Signature]:
        """What every export has: the model's own, `explain` and `explain_maps`."""
        return [
            self._own,
            self._signature("explain", with_maps=False),
            self._signature("explain_maps", with_maps=True),
        ]

    def _signature(self, name: str, with_maps: bool) -> Signature:
        """images, targets, … → the outputs, the largest of which may stay out."""

        def call(tensors):
            out = self(tensors)
            return out if with_maps else without_maps(out)

        return named(name, call, {**self.specs, **self.further})


def without_maps(out: dict) -> dict:
    """The outputs but for those that are C times as large as the heatmaps."""
    large = ("maps", "standard_error")
    return {key: value for key, value in out.items() if key not in large}


def named(name: str, function, specs: dict) -> Signature:
    """A signature of a function of one dictionary, its tensors checked at run time.

    Args:
        name: of the signature.
        function: {name: tensor} → outputs.
        specs: {name: specification}.
    """

    def call(*values, **by_name):
        tensors = {**dict(zip(specs, values)), **by_name}
        tensors = {key: _ensure(tensors[key], spec) for key, spec in specs.items()}
        return function(_of_one_length(tensors))

    if all(key.isidentifier() for key in specs):  # callable by keyword, too
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(key, kind) for key in specs]
        call.__signature__ = inspect.Signature(parameters)
    return Signature(name, call, list(specs.values()))


def _of_one_length(tensors):
    """The tensors, where all have as many rows as the first; one alone would fit."""
    first, *others = tensors
    count = tf.shape(tensors[first])[0]
    checks = [tf.debugging.assert_positive(count, f"{first} must have a row at least")]
    checks += [
        tf.debugging.assert_equal(
            tf.shape(tensors[key])[0],
            count,
            f"{key} must have one row for each of {first}, but the numbers of rows are",
        )
        for key in others
    ]
    with tf.control_dependencies(checks):
        return {key: tf.identity(value) for key, value in tensors.items()}

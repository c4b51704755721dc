"""Saving explainers: what `.keras` can hold, and the SavedModel."""

from __future__ import annotations

import keras

from tf_superpixel_saliency.explainers import model_inputs, saved_model
from tf_superpixel_saliency.explainers.signatures import Explanation
from tf_superpixel_saliency.ops.compilation import portable_graph


def check_serializable(explainer):
    """Refuse to write a `.keras` file that could not be read again.

    Raises:
        ValueError: the model, or a score callable, is of a class or function that
            Keras doesn't know by name, or its configuration can't be built again.
    """
    reason = None
    if not isinstance(explainer.model, keras.Model):
        reason = f"its model is no Keras model but {type(explainer.model).__name__}"
    elif unknown := _unknown_class(explainer):
        reason = (
            f"{unknown} is not registered with keras.saving.register_keras_serializable"
        )
    elif callable(explainer.score) and not _is_known(explainer.score):
        reason = "its score is a function that is not registered with Keras"
    elif not _can_be_built_again(explainer.preprocess):
        reason = "its preprocess is a function that is not registered with Keras"
    else:
        try:
            type(explainer).from_config(explainer.get_config())
        except Exception as error:
            reason = f"its configuration can't be built again ({error})"
    if reason:
        raise ValueError(
            f"This explainer can't be saved as a .keras file: {reason}. Use "
            "explainer.export(path), which writes a SavedModel that needs none of "
            "the code, or register the class."
        )


# Their layers hold others in their configuration, by class.
_PLAIN_PACKAGES = ("keras", "tf_superpixel_saliency")


def _unknown_class(layer):
    """Name of the first class in a layer's configuration that Keras doesn't know.

    Keras finds a class that isn't registered as long as its module is there, and
    fails in the process that has it under another name or not at all. A registered
    class builds its own layers and may hold any.
    """
    kind = layer.__class__  # that of the model inside, of a wrapper of models
    if not _is_known(kind):
        return kind.__name__
    if _package(kind) not in _PLAIN_PACKAGES:
        return None
    found = (_unknown_class(inner) for inner in layer._layers)
    return next(filter(None, found), None)


def _is_known(item):
    if isinstance(item, type) and _package(item) in _PLAIN_PACKAGES:
        return True
    if not hasattr(item, "__name__"):  # a partial function, an object with __call__
        return False
    name = keras.saving.get_registered_name(item)
    return keras.saving.get_registered_object(name) is item


def _can_be_built_again(preprocess):
    if preprocess is None or isinstance(preprocess, keras.layers.Layer):
        return True  # a layer's class was looked at with all others
    return _is_known(preprocess) or _application_name(preprocess) is not None


def serialized(preprocess):
    """The configuration of a step before the model, as `deserialized` takes it.

    Keras builds layers and registered functions again, but not the functions of
    `keras.applications`: these are kept by their public names.
    """
    return _application_name(preprocess) or keras.saving.serialize_keras_object(
        preprocess
    )


def deserialized(config, custom_objects=None):
    """The function or layer of a configuration that `serialized` made."""
    if isinstance(config, str):
        package, _, name = config.removesuffix(".preprocess_input").rpartition(".")
        if package == "keras.applications":
            return getattr(keras.applications, name).preprocess_input
    if isinstance(config, dict):
        return keras.saving.deserialize_keras_object(config, custom_objects)
    return config


def _application_name(function):
    """The public name of a `preprocess_input` of `keras.applications`, or None."""
    for name, module in vars(keras.applications).items():
        if function is not None and function is getattr(
            module, "preprocess_input", None
        ):
            return f"keras.applications.{name}.preprocess_input"
    return None


def _package(item):
    return str(getattr(item, "__module__", "")).split(".")[0]


def export(explainer, path, image_shape, verbose=False):
    """Write a SavedModel: the model's own signature and the explanation's.

    Args:
        explainer: an `Explainer`.
        path: folder to make.
        image_shape: (H, W, C), None where a size stays free.
        verbose: print the signatures, as Keras does.

    Raises:
        ValueError: the super-pixels or the model run on the host, or `path` exists.
    """
    if len(image_shape) != 3:
        raise ValueError(
            "image_shape must be (H, W, C), None where a size stays free, but got "
            f"{image_shape}."
        )
    saved_model.refuse_host_layers(explainer)
    further = model_inputs.given_specs(explainer.model)
    with saved_model.whole_folder(path) as folder, portable_graph():
        explanation = Explanation(explainer, image_shape, further)
        resources = saved_model.lookup_tables(explainer.model)
        saved_model.write(explanation.signatures(), folder, resources, verbose)

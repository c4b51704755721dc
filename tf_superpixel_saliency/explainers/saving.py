"""Saving explainers: what `.keras` can hold, and the SavedModel."""

from __future__ import annotations

import contextlib
import os

import keras
import tensorflow as tf

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
    elif not _is_known(type(explainer.model)):
        reason = (
            f"its model's class {type(explainer.model).__name__} is not registered "
            "with keras.saving.register_keras_serializable"
        )
    elif callable(explainer.score) and not _is_known(explainer.score):
        reason = "its score is a function that is not registered with Keras"
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


def _is_known(item):
    if str(getattr(item, "__module__", "")).split(".")[0] == "keras":
        return True
    name = keras.saving.get_registered_name(item)
    return keras.saving.get_registered_object(name) is item


def export(explainer, path, image_shape, verbose=False):
    """Write a SavedModel with one endpoint `serve`: images and targets → outputs.

    Args:
        explainer: an `Explainer`.
        path: folder to make.
        image_shape: (H, W, C), None where a size stays free.
        verbose: print the endpoint's signature, as Keras does.

    Raises:
        ValueError: the super-pixels run on the host, or `path` exists.
    """
    refuse_host_layers(explainer)
    path = os.fspath(path)
    if os.path.exists(path):
        raise ValueError(
            f"{path!r} exists. Choose a new folder: an export is never mixed with "
            "what is there."
        )
    archive = keras.export.ExportArchive()
    # Neither the explainer nor the model is passed to `track`: the endpoint's own
    # variables are found, and tracking would store every weight twice.
    signature = [
        tf.TensorSpec((None, *image_shape), tf.float32, name="images"),
        tf.TensorSpec((None,), tf.int32, name="targets"),
    ]
    with portable_graph():
        archive.add_endpoint(
            "serve",
            lambda images, targets: explainer.call(images, targets),
            input_signature=signature,
        )
        with open(os.devnull, "w") as sink:
            quiet = contextlib.redirect_stdout(sink)
            with contextlib.nullcontext() if verbose else quiet:
                archive.write_out(path)


def refuse_host_layers(explainer):
    """Raise where a super-pixel layer leaves the graph: its export would not load."""
    for layer in explainer._flatten_layers():
        if getattr(layer, "on_host", False):
            raise ValueError(
                f"{type(layer).__name__} calls scikit-image on the host and can't be "
                "exported: the SavedModel would need this Python process. Use "
                "Quickshift, SLIC or SquareGrid, which are in the graph, or pass "
                "`segments` of your own."
            )

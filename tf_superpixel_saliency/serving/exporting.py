"""`tss.export`: an explainer as a SavedModel for TensorFlow Serving."""

from __future__ import annotations

import pathlib

import tensorflow as tf

from tf_superpixel_saliency.explainers import model_inputs, saved_model
from tf_superpixel_saliency.explainers.base import Explainer
from tf_superpixel_saliency.explainers.signatures import RESERVED, Explanation
from tf_superpixel_saliency.ops.checks import checked_choice, checked_count
from tf_superpixel_saliency.ops.compilation import portable_graph
from tf_superpixel_saliency.serving import image_bytes as photo_files
from tf_superpixel_saliency.serving import metadata, resizing
from tf_superpixel_saliency.serving.versions import version_path
from tf_superpixel_saliency.serving.warm_up import add_warm_up


def export(
    explainer,
    path,
    *,
    version=None,
    image_shape=None,
    inputs=None,
    segments="superpixels",
    image_bytes=True,
    resize="crop",
    value_range=None,
    max_pixels=50_000_000,
    warm_up=(1,),
    verbose=False,
) -> pathlib.Path:
    """Write an explainer as a SavedModel that TensorFlow Serving serves as it is.

    The folder `path`/`version` needs TensorFlow alone: super-pixels and all else are
    in its graph, and the model's weights once. Batch sizes are free. Its signatures:

    - `serving_default`: the model's own, names and all; Keras calls it `serve`, too.
    - `explain`: `images` (N, H, W, C) float32 and `targets` (N,) int32, −1 for the
      predicted class → the explainer's outputs but `maps`.
    - `explain_maps`: the same → all outputs, C times as much to send.
    - `explain_image_bytes`: photo files `image_bytes` (N,) and `targets` → as
      `explain`. A file that can't be read has status 16, NaN and segments 0, and
      changes nothing of its neighbours.
    - `metadata`: `keys` (N,) string → `values` (N,) string, JSON of the settings,
      digests and versions; all of them for the key "".

    A model's further inputs are inputs of `explain`, `explain_maps` and
    `explain_image_bytes` under their own names. `metadata` is also written to
    `assets.extra/metadata.json`.

    Args:
        explainer: any explainer; saved or not, compiled or not.
        path: the model's folder, which the server is told.
        version: number of the new folder in it; None for the next free one.
        image_shape: (H, W, C) of the images, None where a size stays free; that of
            the model unless given. Subclassed models and functions don't tell it.
        inputs: `tf.TensorSpec`s of the model's further inputs by name, for models
            that don't tell them, or that take a second image.
        segments: "superpixels" has the graph make them; "input" takes them from the
            caller: `explain` and `explain_maps` have an input `segments` (N, H, W)
            int32, integers in any numbering, and there is no `explain_image_bytes`.
        image_bytes: whether to add `explain_image_bytes`.
        resize: how photos become images of that shape: "crop" keeps the largest
            central part of the shape H : W, "squeeze" keeps everything.
        value_range: (low, high) that photos' 0…255 is scaled to; that of the
            super-pixels unless given, (0, 255) without any.
        max_pixels: the largest photo that is decoded, H·W.
        warm_up: batch sizes of requests that the server answers while it loads, one
            of each for each signature but `metadata`. They are tried here first. ()
            writes none and tries nothing.
        verbose: print the signatures, as Keras does.

    Returns:
        The folder that was written. It is there whole, or not at all.

    Raises:
        TypeError: no explainer.
        ValueError: the folder exists; the super-pixels or the model run on the host;
            something isn't known that a signature needs; a warm-up request fails.
        OSError: the folder can't be written.
    """
    if not isinstance(explainer, Explainer):
        raise TypeError(
            f"export takes an explainer, such as SmoothGrad(model), but got "
            f"{type(explainer).__name__}."
        )
    target = version_path(path, version)
    from_caller = checked_choice("segments", segments, ("superpixels", "input"))
    from_caller = from_caller == "input"
    batches = _checked_batches(warm_up)
    further = _further(explainer.model, inputs)
    shape = _image_shape(explainer, image_shape, further)
    value_range = _value_range(explainer, value_range)
    checked_choice("resize", resize, resizing.RESIZES)
    photos = None
    if image_bytes and not from_caller:
        _check_photo_shape(shape)
        max_pixels = checked_count("max_pixels", max_pixels)
        photos = photo_files.Photos(shape, resize, value_range, max_pixels)
    saved_model.refuse_host_layers(explainer, from_caller)
    with saved_model.whole_folder(target) as folder, portable_graph():
        explanation = Explanation(explainer, shape, further, from_caller)
        described = metadata.describe(explainer, explanation, photos)
        signatures = [*explanation.signatures(), metadata.signature(described)]
        if photos:
            signatures.append(photo_files.signature(explanation, photos))
        resources = saved_model.lookup_tables(explainer.model)
        saved_model.write(signatures, folder, resources, verbose)
        metadata.write(folder, described)
        if batches:
            add_warm_up(folder, batches, shape, value_range)
    return target


def _checked_batches(batches):
    try:
        return [checked_count("warm_up", batch) for batch in batches]
    except TypeError:
        raise ValueError(
            "warm_up must be batch sizes, such as (1, 8), or () for none, but got "
            f"{batches!r}."
        ) from None


def _further(model, inputs):
    """Specifications of further inputs, their batch size free."""
    if inputs is None:
        further = model_inputs.given_specs(model)
    else:
        model_inputs.image_input(model, inputs)
        further = {
            name: tf.TensorSpec((None, *spec.shape[1:]), spec.dtype, name)
            for name, spec in inputs.items()
        }
    taken = sorted(set(further) & set(RESERVED))
    if taken:
        raise ValueError(
            f"The model's further input {taken[0]!r} has a name that `explain` uses "
            f"itself ({', '.join(RESERVED)}). Rename it in the model, or wrap the "
            "model in a function."
        )
    return further


def _image_shape(explainer, given, further):
    known = explainer._image_shape(further)
    if given is None:  # what a preprocess takes isn't told; photos have 3 channels
        return (*known[:2], known[2] or 3)
    if len(given) != 3 or given[2] is None:
        raise ValueError(
            "image_shape must be (H, W, C), None where H or W stays free, but got "
            f"{given}."
        )
    if not tf.TensorShape(given).is_compatible_with(known):
        raise ValueError(f"image_shape is {given}, but the model takes {known}.")
    return tuple(given)


def _value_range(explainer, given):
    layer = explainer.superpixels
    own_range = (0.0, 255.0) if layer is None else tuple(layer.value_range)
    if given is None:
        return own_range
    low, high = (float(bound) for bound in given)
    if not low < high:
        raise ValueError(f"value_range must be (low, high), but got {given}.")
    if layer is not None and (low, high) != own_range:
        raise ValueError(
            f"value_range={given} is not that of the explainer's super-pixels, "
            f"{own_range}, which are made on the same images."
        )
    return low, high


def _check_photo_shape(shape):
    if None in shape[:2]:
        raise ValueError(
            "explain_image_bytes resizes photos to the model's size, which isn't known "
            f"here: the images have the shape {shape}. Pass image_shape=(H, W, C) with "
            "all three numbers, or image_bytes=False."
        )
    if shape[2] not in (1, 3):
        raise ValueError(
            f"explain_image_bytes makes images of 1 or 3 channels, but the model takes "
            f"{shape[2]}. Pass image_bytes=False: `explain` takes images of any."
        )

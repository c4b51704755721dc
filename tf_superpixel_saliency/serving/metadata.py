"""What a SavedModel says of itself: what made it, of which weights, how to call it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import pathlib

import tensorflow as tf

from tf_superpixel_saliency.explainers import signatures
from tf_superpixel_saliency.explainers.settings import array_digest, plain, settings
from tf_superpixel_saliency.serving.warm_up import FOLDER
from tf_superpixel_saliency.version import __version__

FILE = "metadata.json"
_PACKAGES = ("tensorflow", "keras", "numpy")


def describe(explainer, explanation, photos=None) -> dict:
    """Settings, digests and versions, as JSON holds them.

    Args:
        explainer: an `Explainer`.
        explanation: its `signatures.Explanation`.
        photos: an `image_bytes.Photos`, or None.
    """
    described = {
        "method": type(explainer).__name__,
        "settings": settings(explainer),
        "superpixels": plain(explainer.superpixels),
        "preprocess": plain(explainer.preprocess),
        "model": getattr(explainer.model, "name", type(explainer.model).__name__),
        "versions": {
            "tf_superpixel_saliency": __version__,
            **{package: _version(package) for package in _PACKAGES},
        },
    }
    if photos is not None:
        described["image_bytes"] = {
            "image_shape": list(photos.image_shape),
            "resize": photos.resize,
            "value_range": list(photos.value_range),
            "max_pixels": photos.max_pixels,
        }
    described["settings_sha256"] = _settings_digest(described)
    described["weights_sha256"] = weights_digest(explanation.graph_function)
    return described


def weights_digest(function) -> str:
    """SHA-256 of the weights that a traced function reads, whatever their order.

    That is the SHA-256 of the sorted SHA-256s of "dtype shape" and the bytes of each
    variable and each tensor from outside; of the constants in the graph where there
    are none.
    """
    weights = {id(variable): variable for variable in function.variables}
    for tensor in function.captured_inputs:  # a variable's are handles
        if tensor.dtype not in (tf.resource, tf.variant):
            weights[id(tensor)] = tensor
    arrays = [weight.numpy() for weight in weights.values()]
    if not arrays:
        nodes = function.graph.as_graph_def().node
        tensors = [node.attr["value"].tensor for node in nodes if node.op == "Const"]
        arrays = [tf.make_ndarray(tensor) for tensor in tensors]
    return hashlib.sha256(b"".join(sorted(map(array_digest, arrays)))).hexdigest()


def _settings_digest(described):
    """SHA-256 of the description's JSON, keys sorted, but for names and versions."""
    left_out = ("versions", "model")
    kept = {key: value for key, value in described.items() if key not in left_out}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def signature(described: dict) -> signatures.Signature:
    """`metadata`: keys (N,) string → values (N,) string, JSON of each entry.

    The key "" gives everything; one that isn't there gives "null". A server has no
    other way to hand on what is written beside a model.
    """
    texts = {"": json.dumps(described)}
    texts.update({key: json.dumps(value) for key, value in described.items()})
    names, values = list(texts), [*texts.values(), "null"]

    def call(tensors):
        found = tf.equal(tensors["keys"][:, None], tf.constant(names))
        place = tf.where(tf.reduce_any(found, 1), tf.argmax(found, 1), len(names))
        return {"values": tf.gather(tf.constant(values), place)}

    specs = {"keys": tf.TensorSpec((None,), tf.string, "keys")}
    return signatures.named("metadata", call, specs)


def write(folder: pathlib.Path, described: dict) -> None:
    """The same as a file, for those who have the folder."""
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    text = json.dumps(described, indent=1, ensure_ascii=False)
    (target / FILE).write_text(text + "\n", encoding="utf-8")


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None  # such as tensorflow-cpu, of which TensorFlow tells

"""What an explainer was told, as JSON holds it: for files that say what made them."""

from __future__ import annotations

import hashlib
import inspect

import keras
import numpy as np
import tensorflow as tf

# Arguments whose names Keras' objects have for something else.
_ATTRIBUTES = {"weights": "group_weights"}
# Of a layer's configuration: what doesn't change its result.
_LEFT_OUT = ("name", "trainable", "dtype")


def settings(explainer) -> dict:
    """The arguments that an explainer was made with, but for its large parts."""
    skipped = ("model", "superpixels", "preprocess")
    kept = {
        name: _ATTRIBUTES.get(name, name)
        for name in argument_names(type(explainer))
        if name not in skipped
    }
    return {
        name: plain(getattr(explainer, attribute))
        for name, attribute in kept.items()
        if hasattr(explainer, attribute)
    }


def argument_names(kind: type) -> list[str]:
    """The arguments of an explainer's class, its bases' included."""
    names: set = set()
    for ancestor in kind.__mro__:
        if ancestor is keras.Model:
            break
        names.update(inspect.signature(ancestor.__init__).parameters)
    return sorted(names - {"self", "args", "kwargs"})


def plain(value):
    """As JSON holds it: layers by class and configuration, functions by name."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, keras.layers.Layer):
        return {"class": type(value).__name__, **plain(value.get_config())}
    if isinstance(value, dict):
        kept = [key for key in value if key not in _LEFT_OUT]
        return {str(key): plain(value[key]) for key in kept}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) or tf.is_tensor(value):
        array = np.asarray(value)
        return {"shape": list(array.shape), "sha256": array_digest(array).hex()}
    return getattr(value, "__name__", type(value).__name__)


def array_digest(array) -> bytes:
    """SHA-256 of "dtype shape" and the bytes of an array."""
    array = np.ascontiguousarray(array)
    head = f"{array.dtype} {array.shape}".encode()
    body = array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
    return hashlib.sha256(head + body).digest()

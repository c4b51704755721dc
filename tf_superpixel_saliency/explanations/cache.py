"""The explainers of one model that were used last, by what they were told."""

from __future__ import annotations

import collections
import json
import threading

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.settings import array_digest
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


class ExplainerCache:
    """Explainers, each made and traced once, and the oldest forgotten.

    Kept by what they were told, never by an object's address; their graphs read the
    model's weights anew at every call, so that `fit` makes none of them stale.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 8):
        self._size = size
        self._explainers = collections.OrderedDict()
        self._lock = threading.Lock()

    def get(self, told, make):
        """What was made for these settings, or what `make` makes now.

        Args:
            told: everything that the explainer depends on but the model, of any type.
            make: a function without arguments.
        """
        key = as_key(told)
        with self._lock:
            if key not in self._explainers:
                self._explainers[key] = make()
                while len(self._explainers) > self._size:
                    self._explainers.popitem(last=False)
            self._explainers.move_to_end(key)
            return self._explainers[key]

    def __len__(self):
        return len(self._explainers)

    def __reduce__(self):
        return type(self), (self._size,)  # a copy is another model's


class _Itself:
    """Equal to nothing but the very same object, which it keeps alive."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Itself) and other.value is self.value

    def __hash__(self):
        return id(self.value)


def as_key(value):
    """A setting as what can be looked up: equal settings have equal keys."""
    if isinstance(value, keras.layers.Layer):
        return _layer_key(value)
    if isinstance(value, dict):
        return tuple(sorted((str(name), as_key(one)) for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(as_key(one) for one in value)
    if isinstance(value, np.ndarray) or tf.is_tensor(value):
        return array_digest(np.asarray(value))
    try:
        hash(value)
    except TypeError:
        return _Itself(value)
    return value


def _layer_key(layer):
    """Class and configuration where they tell all; else the layer itself."""
    if layer.variables or not _has_own_config(type(layer)):
        return _Itself(layer)
    try:
        config = {k: v for k, v in layer.get_config().items() if k != "name"}
        if isinstance(layer, SuperpixelLayer):
            config = _without_names(config)
        return type(layer), json.dumps(config, sort_keys=True, default=_plain)
    except (TypeError, ValueError, NotImplementedError):
        return _Itself(layer)


def _has_own_config(kind) -> bool:
    """Whether the class that takes the arguments writes the configuration, too."""
    for ancestor in kind.__mro__:
        if "get_config" in vars(ancestor):
            return True
        if "__init__" in vars(ancestor):
            return False
    return False


def _without_names(config):
    """Without the names that Keras counts up, also of layers inside, as in `like`."""
    if isinstance(config, dict):
        return {k: _without_names(v) for k, v in config.items() if k != "name"}
    if isinstance(config, (list, tuple)):
        return [_without_names(one) for one in config]
    return config


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return array_digest(value).hex()
    raise TypeError(f"{type(value).__name__} is not written as text")

"""Explainers of one model by what they are told, each made and traced once."""

from __future__ import annotations

import collections
import difflib
import json
import threading

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers import Explainer, naming
from tf_superpixel_saliency.explainers.classifier import input_shape
from tf_superpixel_saliency.explainers.lime import LIME
from tf_superpixel_saliency.explainers.settings import argument_names, array_digest
from tf_superpixel_saliency.explainers.xrai import XRAI
from tf_superpixel_saliency.superpixels import SLIC, Quickshift
from tf_superpixel_saliency.superpixels import naming as superpixel_naming
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer

DEFAULT = "default"
# Below this side, photos' super-pixels would be a few pixels large.
_SMALL_SIDE = 64
# They choose groups that suit them, and GradCAM and the like need none.
_OWN_REGIONS = ("GradCAM", "ScoreCAM", "RISE", "LIME", "XRAI")


class ExplainerCache:
    """The explainers of a model that were used last.

    Kept by what they were told, never by an object's address; their graphs read the
    model's weights anew at every call, so that `fit` makes none of them stale.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 8):
        self._size = size
        self._explainers = collections.OrderedDict()
        self._lock = threading.Lock()

    def get(self, model, method, superpixels, value_range, settings, side) -> Explainer:
        """The explainer for these settings, a new one where there is none.

        Args:
            model: what is explained.
            method: a name, a class or an explainer of this model.
            superpixels: a name, a layer, None, or "default".
            value_range: of layers made by name.
            settings: further arguments of the method.
            side: the images' shorter side in pixels, for the default super-pixels.

        Raises:
            ValueError, TypeError: an unknown name or setting, or an explainer of
                another model.
        """
        if isinstance(method, Explainer):
            return _own_explainer(model, method, superpixels, settings)
        kind = naming.from_text(method) if isinstance(method, str) else method
        if not (isinstance(kind, type) and issubclass(kind, Explainer)):
            raise TypeError(
                "method must be a name such as 'SmoothGrad', an explainer's class or "
                f"an explainer of this model, but got {method!r}."
            )
        _check_settings(kind, settings)
        layer = _layer(kind, superpixels, value_range, side)
        key = (kind, _key(layer), _key(settings))
        with self._lock:
            if key not in self._explainers:
                given = {} if layer is None else {"superpixels": layer}
                self._explainers[key] = kind(model, **given, **settings)
                while len(self._explainers) > self._size:
                    self._explainers.popitem(last=False)
            self._explainers.move_to_end(key)
            return self._explainers[key]


def _own_explainer(model, explainer, superpixels, settings):
    if explainer.model is not model:
        raise ValueError(
            "method is an explainer of another model. Pass one that was made of this "
            "model, or a class or name."
        )
    if settings or superpixels is not DEFAULT:
        told = [*settings, *(() if superpixels is DEFAULT else ("superpixels",))]
        raise ValueError(
            f"method is an explainer, which has its settings already, but got {told} "
            "as well. Pass its class, or make another explainer."
        )
    return explainer


def _check_settings(kind, settings):
    known = [name for name in argument_names(kind) if name != "model"]
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{kind.__name__} has no setting {name!r}.{hint} There are: "
                f"{', '.join(known)}."
            )


def _layer(kind, superpixels, value_range, side):
    if superpixels is None or (
        isinstance(superpixels, str)
        and superpixel_naming.plain(superpixels) in ("pixels", "pixel", "none")
    ):
        if issubclass(kind, (LIME, XRAI)):
            raise ValueError(f"{kind.__name__} explains super-pixels, not pixels.")
        return None
    if isinstance(superpixels, SuperpixelLayer):
        return superpixels
    if not isinstance(superpixels, str):
        raise TypeError(
            "superpixels must be a name such as 'quickshift' or 'slic:n_segments=50', "
            f"a super-pixel layer, or None for pixels, but got {superpixels!r}. "
            "Regions of your own are passed as segments=labels."
        )
    if superpixels != DEFAULT:
        return superpixel_naming.from_text(superpixels, value_range=value_range)
    if kind.__name__ in _OWN_REGIONS:
        return None
    if side < _SMALL_SIDE:
        return SLIC(n_segments=100, value_range=value_range)
    return Quickshift(value_range=value_range)


def shorter_side(model, images) -> int:
    """The images' shorter side in pixels; the model's input where they don't tell."""
    shape = tuple(getattr(images, "shape", ())) or np.shape(images)
    if len(shape) == 4:
        return min(shape[1:3])
    known = [size for size in input_shape(model)[:2] if size]
    return min(known, default=224)


def _key(value):
    """A setting as what can be looked up: equal settings have equal keys."""
    if isinstance(value, keras.layers.Layer):
        config = {k: v for k, v in value.get_config().items() if k != "name"}
        return type(value), json.dumps(config, sort_keys=True, default=repr)
    if isinstance(value, dict):
        return tuple(sorted((name, _key(one)) for name, one in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_key(one) for one in value)
    if isinstance(value, np.ndarray) or tf.is_tensor(value):
        return array_digest(np.asarray(value))
    return value

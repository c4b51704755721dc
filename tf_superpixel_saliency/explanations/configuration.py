"""Explainers from what people say: names, classes, layers, settings."""

from __future__ import annotations

from typing import Any, NamedTuple

from tf_superpixel_saliency.explainers import (
    LIME,
    RISE,
    XRAI,
    Explainer,
    GradCAM,
    ScoreCAM,
    naming,
)
from tf_superpixel_saliency.explainers.settings import argument_names
from tf_superpixel_saliency.superpixels import SLIC, Quickshift
from tf_superpixel_saliency.superpixels import naming as superpixel_naming
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer
from tf_superpixel_saliency.superpixels.choice import (
    SuperpixelChoice,
    usual_candidates,
)
from tf_superpixel_saliency.superpixels.stack import SuperpixelStack

DEFAULT = "default"
USUAL_RANGE = (0, 255)
# Below this side, photos' super-pixels would be a few pixels large.
_SMALL_SIDE = 64
# Super-pixels that suit them, of images in 0…255.
_OWN_SUPERPIXELS = (LIME, XRAI)
_NO_DEFAULT = (*_OWN_SUPERPIXELS, GradCAM, ScoreCAM, RISE)
_NOT_SETTINGS = ("model", "superpixels", "num_points")  # the last, between classes
# What is said of the model rather than of the method.
_OF_THE_MODEL = ("model_output", "preprocess", "score")


class How(NamedTuple):
    """What to explain with, as it was told.

    Attributes:
        method: a name, a class or an explainer of the model.
        superpixels: a name, a layer, None, or "default".
        value_range: (low, high) of the images, None where nobody told it.
        settings: further arguments of the method.
    """

    method: Any
    superpixels: Any
    value_range: tuple[float, float] | None
    settings: dict


def find_explainer(cache, model, how: How, side: int, segments: bool):
    """The explainer for these settings, out of a model's cache or a new one.

    Args:
        cache: an `ExplainerCache` of this model.
        model: what is explained.
        how: what was told.
        side: the images' shorter side in pixels, for the default super-pixels.
        segments: whether the caller has groups, which need no default.

    Raises:
        ValueError, TypeError: an unknown name or setting, or an explainer of another
            model.
    """
    method, superpixels, value_range, settings = how
    check_told(model, method, superpixels, settings)
    if isinstance(method, Explainer):
        return method
    kind, value_range = method_class(method), value_range or USUAL_RANGE
    if is_default(superpixels):
        layer = None if segments else _default_layer(kind, value_range, side)
    else:
        layer = _layer(kind, superpixels, value_range, side)
    own = layer is None and issubclass(kind, _OWN_SUPERPIXELS)
    return cache.get(
        (kind, layer, value_range if own else None, settings),
        lambda: _made(kind, model, layer, value_range, settings),
    )


def check_told(model, method, superpixels, settings) -> None:
    """Refuse methods, super-pixels and settings that no explainer could be made of."""
    if isinstance(method, Explainer):
        _check_explainer(model, method, superpixels, settings)
        return
    kind = method_class(method)
    _check_settings(kind, settings)
    if not is_default(superpixels):
        _layer(kind, superpixels, USUAL_RANGE)


def method_class(method) -> type:
    """The class of an explainer, from its name, itself, or one of its objects."""
    if isinstance(method, str):
        return naming.from_text(method)
    if isinstance(method, Explainer):
        return type(method)
    if isinstance(method, type) and issubclass(method, Explainer):
        return method
    raise TypeError(
        "method must be a name such as 'SmoothGrad', an explainer's class or an "
        f"explainer of this model, but got {method!r}."
    )


def is_default(value) -> bool:
    """Whether nothing was told."""
    return isinstance(value, str) and value == DEFAULT


def settings_for(method, usual_method, settings) -> dict:
    """Of the usual method's settings, those that another method keeps.

    All for the usual method, under another name or not; what is said of the model for
    another, so that it is never explained without its `preprocess`.
    """
    if isinstance(method, Explainer):
        return {}
    kind = method_class(method)
    if isinstance(usual_method, Explainer):
        settings = {name: getattr(usual_method, name) for name in _OF_THE_MODEL}
    elif kind is method_class(usual_method):
        return dict(settings)
    taken = argument_names(kind)
    return {k: v for k, v in settings.items() if k in _OF_THE_MODEL and k in taken}


def superpixels_for(method, usual_method, superpixels):
    """The usual super-pixels, for another method than that explainer as well."""
    if not isinstance(usual_method, Explainer) or isinstance(method, Explainer):
        return superpixels
    kinds = method_class(method), type(usual_method)
    own = any(issubclass(kind, _NO_DEFAULT) for kind in kinds)
    return superpixels if own else usual_method.superpixels


def unwrapped(model):
    """The model itself, of one that `explainable` wrapped."""
    return model.model if getattr(type(model), "wraps_a_model", False) else model


def _check_explainer(model, explainer, superpixels, settings):
    if unwrapped(explainer.model) is not model:
        raise ValueError(
            "method is an explainer of another model. Pass one that was made of this "
            "model, or a class or name."
        )
    if settings or not is_default(superpixels):
        told = [*settings, *(() if is_default(superpixels) else ("superpixels",))]
        raise ValueError(
            f"method is an explainer, which has its settings already, but got {told} "
            "as well. Pass its class, or make another explainer."
        )


def _check_settings(kind, settings):
    known = [name for name in argument_names(kind) if name not in _NOT_SETTINGS]
    for name in settings:
        if name not in known:
            raise TypeError(
                f"{kind.__name__} has no setting {name!r}."
                f"{superpixel_naming.nearest(name, known)} There are: "
                f"{', '.join(known)}."
            )


def _default_layer(kind, value_range, side):
    """None where a method brings its own, or needs none."""
    if issubclass(kind, _NO_DEFAULT):
        return None
    if side < _SMALL_SIDE:
        return SLIC(n_segments=100, value_range=value_range)
    return Quickshift(value_range=value_range)


def _layer(kind, superpixels, value_range, side=None):
    """What an explainer is given as super-pixels; None for pixels."""
    if isinstance(superpixels, str) and superpixel_naming.plain(superpixels) == "auto":
        return SuperpixelChoice(usual_candidates(side, value_range))
    if superpixels is None or (
        isinstance(superpixels, str)
        and superpixel_naming.plain(superpixels) in ("pixels", "pixel", "none")
    ):
        if issubclass(kind, _OWN_SUPERPIXELS):
            raise ValueError(f"{kind.__name__} explains super-pixels, not pixels.")
        return None
    if issubclass(kind, XRAI) and isinstance(superpixels, (list, tuple)):
        return [_named_layer(one, value_range) for one in superpixels]
    return _named_layer(superpixels, value_range)


def _named_layer(superpixels, value_range):
    if isinstance(superpixels, SuperpixelLayer):
        return superpixels
    if isinstance(superpixels, str):
        return superpixel_naming.from_text(superpixels, value_range=value_range)
    raise TypeError(
        "superpixels must be a name such as 'quickshift' or 'slic:n_segments=50', a "
        f"super-pixel layer, 'auto', or None for pixels, but got {superpixels!r}. "
        "Regions of your own are passed as segments=labels."
    )


def _made(kind, model, layer, value_range, settings):
    if layer is not None:
        return kind(model, superpixels=layer, **settings)
    explainer = kind(model, **settings)
    if not issubclass(kind, _OWN_SUPERPIXELS) or tuple(value_range) == USUAL_RANGE:
        return explainer
    if issubclass(kind, XRAI):  # with regions that are told, another is usual
        settings = {**settings, "dilation": explainer.dilation}
    return kind(
        model, superpixels=_in_range(explainer.superpixels, value_range), **settings
    )


def _in_range(layer, value_range):
    """The same super-pixels of images in another range."""
    if isinstance(layer, SuperpixelStack):
        return type(layer)([_in_range(one, value_range) for one in layer.layers])
    return type(layer).from_config({**layer.get_config(), "value_range": value_range})

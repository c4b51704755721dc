"""The feature maps inside a classifier, and the base of what explains by them."""

from __future__ import annotations

import abc
from collections.abc import Callable

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.base import Explainer

_PAIR_HINT = (
    "Pass layer=(features, head), two functions: images → feature maps (N, h, w, K), "
    "and feature maps → what the model returns."
)


class FeatureMaps:
    """Runs a model and shows the feature maps that a layer of it makes.

    The model itself is run, node by node: no second model is built of its layers,
    and its weights are read anew at every call.

    Args:
        model: as in `Explainer`.
        layer: name of a layer, None for the last one with feature maps, or a pair of
            functions (features, head).
    """

    def __init__(self, model, layer):
        self.layer = layer
        self._path = None
        if layer is None or isinstance(layer, str):
            if not _has_graph(model):
                raise ValueError(
                    f"The model, {_described(model)}, does not show its layers: "
                    "expected a functional or sequential Keras model. " + _PAIR_HINT
                )
            if _is_built(model):
                self._path = _find_path(model, layer)
            self._run = _Inference(
                lambda images, mark: _run_path(model, self._path, images, mark)
            )
        else:
            features, head = _checked_pair(layer)
            self._run = _Inference(lambda images, mark: head(mark(features(images))))
        self._model = model

    def outputs(self, images: tf.Tensor, mark: Callable):
        """What the model returns, with `mark` called on the feature maps on the way.

        Args:
            images: (N, H, W, C) float32.
            mark: feature maps (N, h, w, K) → what the model goes on with.
        """
        if self._path is None and (self.layer is None or isinstance(self.layer, str)):
            if not _is_built(self._model):  # a Sequential that was never called
                self._model(images, training=False)
            self._path = _find_path(self._model, self.layer)
        return self._run(
            images, mark=lambda maps: mark(_checked_maps(maps)), training=False
        )

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """The feature maps of images, (N, h, w, K) float32."""
        found = []

        def keep(maps):
            found.append(maps)
            return maps

        self.outputs(images, keep)
        return tf.cast(found[-1], tf.float32)


class FeatureMapExplainer(Explainer, abc.ABC):
    """Base of the methods that weigh the feature maps of a layer.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`.
        layer: which feature maps. The name of a layer of a functional or sequential
            Keras model, "outer/inner" for one of a model inside of it (a name that
            is there once needs no path); None for the last layer whose output is
            (N, h, w, K) with more than one pixel. For other models (subclassed,
            functions, SavedModels) a pair of functions: images → feature maps and
            feature maps → what the model returns. A layer that runs several times
            counts with its last run.

    Raises:
        ValueError, at once or for a model that was never called at the first call: no
            such layer, several of the name, or none that can be seen.
    """

    def __init__(self, model, superpixels=None, layer=None, **kwargs):
        super().__init__(model, superpixels, **kwargs)
        # Out of Keras' sight: the two functions may be models, with weights that are
        # in the model already.
        self._feature_maps = FeatureMaps(model, layer)

    @property
    def layer(self):
        """The layer asked for: a name, None or a pair of functions."""
        return self._feature_maps.layer

    def save(self, filepath, overwrite=True, **kwargs):
        """As `Explainer.save`; refused where `layer` is a pair of functions.

        Raises:
            ValueError: the model, score or layer isn't one that Keras can build again.
        """
        if self.layer is not None and not isinstance(self.layer, str):
            raise ValueError(
                "This explainer can't be saved as a .keras file: its layer is a pair "
                "of functions. Use explainer.export(path), which writes a SavedModel "
                "that needs none of the code, or give the name of a layer."
            )
        super().save(filepath, overwrite=overwrite, **kwargs)

    def get_config(self):
        return {**super().get_config(), "layer": self.layer}


class _Inference(keras.layers.Layer):
    """Tells all layers inside that nothing is trained, whoever calls from outside."""

    def __init__(self, function):
        super().__init__(name="feature_maps", dtype="float32", autocast=False)
        self._function = function
        self.built = True

    def call(self, images, mark, training=False):
        return self._function(images, mark)


def _checked_pair(layer):
    if isinstance(layer, (tuple, list)) and len(layer) == 2:
        if all(callable(function) for function in layer):
            return layer
    raise TypeError(
        "layer must be the name of a layer, None for the last one with feature maps, "
        f"or a pair of functions (features, head), but got {layer!r}."
    )


def _checked_maps(maps):
    shape = getattr(maps, "shape", None)
    if shape is None or len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            "The layer must give feature maps of shape (N, h, w, K), K known, but "
            f"gives {tuple(shape) if shape is not None else type(maps).__name__}. "
            "Choose a layer before the pooling."
        )
    return maps


def _described(model):
    return f"{type(model).__name__} {getattr(model, 'name', '')!r}".strip(" '")


# -- Keras models of layers -----------------------------------------------------------


def _has_graph(layer):
    """Whether a layer is a model of layers that run as its graph says."""
    if not isinstance(layer, keras.Model):
        return False
    if not (isinstance(layer, keras.Sequential) or hasattr(layer, "_nodes_by_depth")):
        return False
    owner = next(cls for cls in type(layer).__mro__ if "call" in vars(cls))
    return owner.__module__.split(".")[0] == "keras"  # no `call` of its own


def _is_built(model):
    try:
        return bool(model.inputs)
    except (AttributeError, ValueError):
        return False


def _output_shape(layer):
    try:
        output = layer.output
    except (AttributeError, ValueError, RuntimeError):
        return ()
    if isinstance(output, (list, tuple)) and len(output) == 1:
        (output,) = output
    return tuple(getattr(output, "shape", ()))


def _makes_maps(layer):
    if isinstance(layer, keras.layers.InputLayer):
        return False
    if "preprocessing" in type(layer).__module__:  # still the image itself
        return False
    shape = _output_shape(layer)
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _find_path(model, name):
    """The layer asked for, after the models that it is inside of, outermost first."""
    if name is None:
        path = _last_maps(model)
        if path is None:
            raise ValueError(
                f"{_described(model)} has no layer with an output of shape (N, h, w, "
                "K), h and w above 1. " + _PAIR_HINT
            )
        return path
    paths = list(_paths(model))
    found = [p for p in paths if name in (_joined(p), p[-1].name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(
            f"{len(found)} layers are called {name!r}: say which, as in "
            f"{' or '.join(repr(_joined(p)) for p in found)}."
        )
    known = [_joined(p) for p in paths if _makes_maps(p[-1])][-5:]
    raise ValueError(
        f"{_described(model)} has no layer {name!r} in reach. Its last ones with "
        f"feature maps are {known}. A layer inside of a subclassed layer is out of "
        "reach. " + _PAIR_HINT
    )


def _paths(model):
    for layer in model.layers:
        yield (layer,)
        if _has_graph(layer):
            yield from ((layer, *path) for path in _paths(layer))


def _joined(path):
    return "/".join(layer.name for layer in path)


def _last_maps(model):
    for layer in reversed(model.layers):
        # The maps that a model returns are what is explained, not what explains it.
        if _makes_maps(layer) and not _is_output(layer, model):
            return (layer,)
        if _has_graph(layer):
            path = _last_maps(layer)
            if path:
                return (layer, *path)
        elif isinstance(layer, keras.Model):
            raise ValueError(
                f"The last feature maps may be inside of {_described(layer)}, which "
                f"does not show its layers. Name a layer before it, if it is meant. "
                + _PAIR_HINT
            )
    return None


def _is_output(layer, model):
    ends = [tensor._keras_history.operation for tensor in model.outputs]
    return any(layer is end for end in ends)


def _run_path(model, path, images, mark):
    """The outputs of a model, `mark` called on those of the last layer of a path."""

    def chosen(layer):
        def call(*args, **kwargs):
            if layer is path[0] and len(path) > 1:
                return _run_path(layer, path[1:], args[0], mark)
            if "training" in kwargs:
                kwargs["training"] = False
            outputs = layer(*args, **kwargs)
            return mark(outputs) if layer is path[0] else outputs

        return call

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            images = chosen(layer)(images)
        return images
    images = tf.cast(images, model.inputs[0].dtype)
    return model._run_through_graph([images], chosen)

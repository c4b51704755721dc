"""The feature maps inside a classifier, and the base of what explains by them."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable

import tensorflow as tf

from tf_superpixel_saliency.explainers.base import Explainer
from tf_superpixel_saliency.explainers.classifier import Inference
from tf_superpixel_saliency.explainers.layer_graph import (
    PAIR_HINT,
    described,
    find_path,
    has_graph,
    is_built,
    run_path,
)
from tf_superpixel_saliency.explainers.model_inputs import arranged
from tf_superpixel_saliency.explainers.state import ModelState
from tf_superpixel_saliency.ops.resizing import resize_bilinear


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
        self._state = ModelState(model)
        self._path = None
        self._has_name = layer is None or isinstance(layer, str)
        if self._has_name:
            if not has_graph(model):
                raise ValueError(
                    f"The model, {described(model)}, does not show its layers: "
                    "expected a functional or sequential Keras model. " + PAIR_HINT
                )
            self._model = model
            if is_built(model):
                self._find()
            self._run = lambda images, given, mark: run_path(
                model, self._path, arranged(model, images, given), mark
            )
        else:
            features, head = _checked_pair(layer)
            self._run = lambda images, given, mark: head(
                mark(features(images, **_taken(features, given))),
                **_taken(head, given),
            )

    def _find(self):
        if not is_built(self._model):
            raise ValueError(
                f"The inputs of {described(self._model)} are not known, even after a "
                "call. " + PAIR_HINT
            )
        self._path = find_path(self._model, self.layer)

    def outputs(self, images: tf.Tensor, mark: Callable, given: dict | None = None):
        """What the model returns, with `mark` called on the feature maps on the way.

        Args:
            images: (N, H, W, C) float32.
            mark: feature maps (N, h, w, K) → what the model goes on with.
            given: the model's further inputs, {name: (N, …)}.
        """
        if self._path is None and self._has_name:
            if not is_built(self._model):  # a Sequential that was never called
                self._model(images, training=False)
            self._find()

        def run(images):
            return self._run(
                images, given or {}, lambda maps: mark(_checked_maps(maps))
            )

        return self._state.run(lambda x: Inference(run)(x, training=False), images)

    def features(self, images: tf.Tensor, given: dict | None = None) -> tf.Tensor:
        """The feature maps of images, (N, h, w, K) float32."""
        found = []

        def keep(maps):
            found.append(maps)
            return maps

        self.outputs(images, keep, given)
        return tf.cast(found[-1], tf.float32)


class FeatureMapExplainer(Explainer, abc.ABC):
    """Base of the methods that weigh the feature maps of a layer.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        layer: which feature maps. The name of a layer of a functional or sequential
            Keras model, "outer/inner" for one of a model inside of it (a name that
            is there once needs no path); None for the last layer whose output is
            (N, h, w, K) with more than one pixel. For other models (subclassed,
            functions, SavedModels) a pair of functions: images → feature maps and
            feature maps → what the model returns, each with arguments of the names of
            those further inputs that it needs. A layer that runs several times counts
            with its last run.

    Raises:
        ValueError, at once or for a model that was never called at the first call: no
            such layer, several of the name, or none that can be seen.
    """

    def __init__(self, model, superpixels=None, layer=None, **kwargs):
        if kwargs.get("model_dtype") is not None:
            raise ValueError(
                f"{type(self).__name__} runs the layers of the model itself, as they "
                "are: model_dtype must be None. Build the model under a mixed policy, "
                "as in Keras."
            )
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


def enlarged(coarse: tf.Tensor, images: tf.Tensor, relu: bool) -> tf.Tensor:
    """Maps of a layer's size at the images' size, negative values made 0 before.

    Args:
        coarse: (N, h, w, 1) float32.
        images: (N, H, W, C).
        relu: False leaves negative values.

    Returns:
        (N, H, W, 1) float32.
    """
    coarse = tf.nn.relu(coarse) if relu else coarse
    shape = tf.shape(images)
    maps = resize_bilinear(coarse, shape[1], shape[2])
    return tf.ensure_shape(maps, [*images.shape[:3], 1])


def checked_switch(name: str, value) -> bool:
    """True or False; a ValueError that names it otherwise."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, but got {value!r}.")
    return value


def _taken(function, given):
    """Those of the further inputs that a function has an argument for."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in given.items() if name in names}


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

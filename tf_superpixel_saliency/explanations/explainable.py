"""`model.explain(images)`: a mix-in for one's own classes, and a wrapper."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.explanations.configuration import (
    DEFAULT,
    ExplainerCache,
    shorter_side,
)
from tf_superpixel_saliency.explanations.explanation import Explanation

_CACHE = "_explainers_by_settings"


class Explainable:
    """A mix-in that gives one's own `keras.Model` classes an `explain`.

    `fit`, `predict`, `save` and all else stay as they are: explainers are kept where
    Keras doesn't look, so that they are neither trained, saved nor counted.

    Example:

    >>> class Net(tss.Explainable, keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = keras.layers.Dense(3, activation="softmax")
    ...     def call(self, images):
    ...         return self.dense(keras.ops.mean(images, axis=(1, 2)))
    >>> net, images = Net(), np.ones((2, 8, 8, 3))
    >>> explanation = net.explain(images, superpixels="SquareGrid:size=4")
    >>> explanation.heatmaps.shape
    (2, 8, 8)
    """

    def explain(
        self,
        images,
        targets=None,
        method="SmoothGrad",
        superpixels=DEFAULT,
        *,
        segments=None,
        inputs=None,
        class_names=None,
        value_range=None,
        batch_size=32,
        **settings,
    ) -> Explanation:
        """Which regions of the images made this model decide.

        Args:
            images: (N, H, W, C), what the model takes, or the pictures before
                `preprocess`; or a dictionary, as for an explainer.
            targets: (N,) integers, or one for all: the class to explain; None or −1
                for the predicted one.
            method: a name in any spelling ("SmoothGrad", "integrated_gradients",
                "gradcam"), an explainer's class, or an explainer of this model.
            superpixels: a name with settings if wanted ("quickshift",
                "slic:n_segments=50"), a super-pixel layer, None for pixels, or
                "default": `Quickshift()`, `SLIC(n_segments=100)` for images of less
                than 64 pixels a side, and their own for the methods of regions.
            segments: (H, W) or (N, H, W) integers, groups of your own.
            inputs: further inputs of the model, {name: (N, …)}.
            class_names: names of the classes for pictures: a list, a dictionary or a
                function of the index.
            value_range: (low, high) of the images, for super-pixels by name and for
                pictures; that of the super-pixel layer or (0, 255) unless given.
            batch_size: images that go through the model at once.
            **settings: of the method, such as `num_samples=50`, `score="logit"`,
                `preprocess=`.

        Returns:
            An `Explanation`. The same method and settings are traced once.

        Raises:
            ValueError, TypeError: an unknown method, super-pixel or setting; bad
                images, targets, segments or inputs.
        """
        return _explain(
            self,
            vars(self).get(_CACHE) or _new_cache(self),
            images,
            targets,
            (method, superpixels, value_range, settings),
            {"segments": segments, "inputs": inputs},
            class_names,
            batch_size,
        )


def explainable(model, method="SmoothGrad", superpixels=DEFAULT, **settings):
    """Any model with an `explain`.

    Args:
        model: a Keras model of any kind, what `tf.saved_model.load` returned, or a
            function on tensors.
        method, superpixels: what `explain` does unless told otherwise, as in
            `Explainable.explain`.
        **settings: likewise.

    Returns:
        An `ExplainableModel`, whose every other attribute is the model's: `fit`,
        `predict`, `save`, `summary` and calling it go on as before.

    Example:

    >>> net = keras.Sequential([
    ...     keras.Input((8, 8, 3)), keras.layers.Flatten(),
    ...     keras.layers.Dense(3, activation="softmax"),
    ... ])
    >>> model = tss.explainable(net, superpixels="SquareGrid:size=4", num_samples=4)
    >>> model.explain(np.ones((2, 8, 8, 3))).targets.shape
    (2,)
    """
    return ExplainableModel(model, method, superpixels, settings)


class ExplainableModel:
    """A model and its `explain`; made by `explainable`.

    Attributes:
        model: the model itself, as `keras.saving` and other libraries want it.
    """

    def __init__(self, model, method=DEFAULT, superpixels=DEFAULT, settings=None):
        if isinstance(model, ExplainableModel):
            model = model.model
        own = vars(self)
        own["model"] = model
        own["_defaults"] = ("SmoothGrad" if method is DEFAULT else method, superpixels)
        own["_settings"] = dict(settings or {})
        own[_CACHE] = ExplainerCache()
        if not callable(model) and not hasattr(model, "signatures"):
            raise TypeError(
                "model must be a Keras model, an object loaded by tf.saved_model.load "
                f"or a function from images to outputs, but got {model!r}."
            )

    def explain(
        self,
        images,
        targets=None,
        method=DEFAULT,
        superpixels=DEFAULT,
        *,
        segments=None,
        inputs=None,
        class_names=None,
        value_range=None,
        batch_size=32,
        **settings,
    ) -> Explanation:
        """As `Explainable.explain`; what isn't told is as `explainable` was told."""
        usual_method, usual_superpixels = self._defaults
        defaults = dict(self._settings)
        usual_names = defaults.pop("class_names", None)
        class_names = usual_names if class_names is None else class_names
        usual_range = defaults.pop("value_range", None)
        value_range = usual_range if value_range is None else value_range
        if method is DEFAULT:
            method = usual_method
            settings = {**defaults, **settings}
        if superpixels is DEFAULT:
            superpixels = usual_superpixels
        return _explain(
            self.model,
            vars(self)[_CACHE],
            images,
            targets,
            (method, superpixels, value_range, settings),
            {"segments": segments, "inputs": inputs},
            class_names,
            batch_size,
        )

    def __call__(self, *args, **kwargs):
        return self.model(*args, **kwargs)

    def __getattr__(self, name):
        if name == "model":  # while it is copied or read from a file
            raise AttributeError(name)
        return getattr(self.model, name)

    def __setattr__(self, name, value):
        setattr(self.model, name, value)

    def __dir__(self):
        return sorted({*super().__dir__(), *dir(self.model)})

    def __repr__(self):
        method, superpixels = self._defaults
        name = method if isinstance(method, str) else getattr(method, "__name__", "")
        return f"<explainable {self.model!r}, method={name!r}, {superpixels=!r}>"

    def __reduce__(self):
        return ExplainableModel, (self.model, *self._defaults, self._settings)


def _new_cache(model):
    # Past Keras, which would track explainers as layers of the model.
    object.__setattr__(model, _CACHE, ExplainerCache())
    return vars(model)[_CACHE]


def _explain(model, cache, images, targets, how, further, class_names, batch_size):
    method, superpixels, value_range, settings = how
    if not isinstance(images, dict):
        images = {"images": images}
    given = {"targets": targets, **further}
    given = {key: value for key, value in given.items() if value is not None}
    given = {**images, **given}
    side = shorter_side(model, given.get("images"))
    explainer = cache.get(
        model, method, superpixels, value_range or (0, 255), settings, side
    )
    parts = list(explainer.explain_batches(given, batch_size))
    out = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    if value_range is None and explainer.superpixels is not None:
        value_range = explainer.superpixels.value_range
    return Explanation(given["images"], out, value_range, class_names, explainer)

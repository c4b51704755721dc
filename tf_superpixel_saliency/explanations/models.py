"""`model.explain(images)`: a mix-in for one's own classes, and a wrapper."""

from __future__ import annotations

import keras

from tf_superpixel_saliency.explainers import Explainer
from tf_superpixel_saliency.explanations import configuration
from tf_superpixel_saliency.explanations.cache import ExplainerCache
from tf_superpixel_saliency.explanations.class_names import checked_names
from tf_superpixel_saliency.explanations.configuration import DEFAULT, How
from tf_superpixel_saliency.explanations.explaining import explained, told_range
from tf_superpixel_saliency.explanations.explanation import Explanation
from tf_superpixel_saliency.ops import checks

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
                `preprocess`; or a dictionary, as for an explainer. One image is a
                batch of one, `image[None]`.
            targets: (N,) integers, or one for all: the class to explain; None or −1
                for the predicted one.
            method: a name in any spelling ("SmoothGrad", "integrated_gradients",
                "gradcam"), an explainer's class, or an explainer of this model.
            superpixels: a name with settings if wanted ("quickshift",
                "slic:n_segments=50"), a super-pixel layer, None or "pixels" for
                pixels, "auto" for a choice of its own in each image by the methods
                that draw noise, or "default": `Quickshift()`, `SLIC(n_segments=100)`
                for images of less than 64 pixels a side, and their own for the methods
                of regions. For XRAI a list of them, too.
            segments: (H, W) or (N, H, W) integers, groups of your own.
            inputs: further inputs of the model, {name: (N, …)}.
            class_names: names of the classes for pictures: a list, a dictionary or a
                function of the index.
            value_range: (low, high) of the images, for super-pixels that aren't given
                as a layer and for pictures; (0, 255), or the layer's, unless given.
            batch_size: images that go through the model at once.
            **settings: of the method, such as `num_samples=50`, `score="logit"`,
                `preprocess=`.

        Returns:
            An `Explanation`. The same method and settings are traced once; functions
            are the same if they are the same object.

        Raises:
            ValueError, TypeError: an unknown method, super-pixel or setting; bad
                images, targets, segments or inputs. All are checked before the first
                image is explained.
        """
        # Past Keras, which would track explainers as layers of the model.
        cache = vars(self).setdefault(_CACHE, ExplainerCache())
        how = How(method, superpixels, value_range, settings)
        given = {"targets": targets, "segments": segments, "inputs": inputs}
        return explained(self, cache, how, images, given, class_names, batch_size)


def explainable(model, method="SmoothGrad", superpixels=DEFAULT, **settings):
    """Any model with an `explain`.

    Args:
        model: a Keras model of any kind, what `tf.saved_model.load` returned, or a
            function on tensors.
        method, superpixels: what `explain` does unless told otherwise, as in
            `Explainable.explain`.
        **settings: likewise: the method's, and `value_range`, `class_names`,
            `batch_size`. Under another method than this one, those stay that are said
            of the model: `score`, `model_output`, `preprocess`.

    Returns:
        An `ExplainableModel`, whose every other attribute is the model's: `fit`,
        `predict`, `save`, `summary` and calling it go on as before.

    Raises:
        ValueError, TypeError: no model, or an unknown method, super-pixel or setting.

    Example:

    >>> net = keras.Sequential([
    ...     keras.Input((8, 8, 3)), keras.layers.Flatten(),
    ...     keras.layers.Dense(3, activation="softmax"),
    ... ])
    >>> model = tss.explainable(net, superpixels="SquareGrid:size=4", num_samples=4)
    >>> model.explain(np.ones((2, 8, 8, 3))).targets.shape
    (2,)
    """
    return ExplainableModel(model, method, superpixels, **settings)


class ExplainableModel:
    """A model and its `explain`; made by `explainable`.

    To Keras it is the model: `isinstance(wrapped, keras.Model)`, and it can be saved,
    cloned, or be a layer of another model, wherever the model can.

    Attributes:
        model: the model itself.
    """

    wraps_a_model = True

    def __init__(
        self,
        model,
        method="SmoothGrad",
        superpixels=DEFAULT,
        *,
        value_range=None,
        class_names=None,
        batch_size=32,
        **settings,
    ):
        model = configuration.unwrapped(model)
        if not callable(model) and not hasattr(model, "signatures"):
            raise TypeError(
                "model must be a Keras model, an object loaded by tf.saved_model.load "
                f"or a function from images to outputs, but got {model!r}."
            )
        configuration.check_told(model, method, superpixels, settings)
        own = vars(self)  # setting an attribute would set the model's
        own["model"] = model
        own["_how"] = How(method, superpixels, told_range(value_range), settings)
        own["_class_names"] = checked_names(class_names)
        own["_batch_size"] = checks.checked_count("batch_size", batch_size)
        own[_CACHE] = ExplainerCache()

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
        batch_size=None,
        **settings,
    ) -> Explanation:
        """As `Explainable.explain`; what isn't told is as `explainable` was told."""
        usual = self._how
        if configuration.is_default(method):
            method = usual.method
        kept = configuration.settings_for(method, usual.method, usual.settings)
        if configuration.is_default(superpixels):
            superpixels = configuration.superpixels_for(
                method, usual.method, usual.superpixels
            )
        return explained(
            self.model,
            vars(self)[_CACHE],
            How(
                method,
                superpixels,
                usual.value_range if value_range is None else value_range,
                {**kept, **settings},
            ),
            images,
            {"targets": targets, "segments": segments, "inputs": inputs},
            self._class_names if class_names is None else class_names,
            self._batch_size if batch_size is None else batch_size,
        )

    def __call__(self, *args, **kwargs):
        return self.model(*args, **kwargs)

    @property
    def __class__(self):
        # Keras asks for it by isinstance: as a layer that isn't one, in another model,
        # this would neither be trained nor saved.
        model = vars(self).get("model")
        known = isinstance(model, keras.layers.Layer)
        return type(model) if known else ExplainableModel

    def __getattr__(self, name):
        if "model" not in vars(self):  # while it is made
            raise AttributeError(name)
        return getattr(self.model, name)

    def __setattr__(self, name, value):
        setattr(self.model, name, value)

    def __delattr__(self, name):
        delattr(self.model, name)

    def __dir__(self):
        # Keras saves what it finds here: the model's own, each under its own name.
        return sorted({"explain", *dir(self.model)})

    def __repr__(self):
        method, superpixels = self._how[:2]
        name = configuration.method_class(method).__name__
        return f"<explainable {self.model!r}, method={name!r}, {superpixels=!r}>"

    def __reduce_ex__(self, protocol):
        method, superpixels, value_range, settings = self._how
        # An explainer is copied with its model: a second copy would be another model.
        model = None if isinstance(method, Explainer) else self.model
        told = {
            "value_range": value_range,
            "class_names": self._class_names,
            "batch_size": self._batch_size,
            **settings,
        }
        return _copied, (model, method, superpixels, told)


def _copied(model, method, superpixels, told):
    model = method.model if model is None else model
    return ExplainableModel(model, method, superpixels, **told)

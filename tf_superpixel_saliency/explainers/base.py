"""The base of all explainers: a `keras.Model` from images to saliency maps."""

from __future__ import annotations

import abc
import threading
import warnings
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers import classifier, inputs, saving
from tf_superpixel_saliency.explainers.scoring import Scorer
from tf_superpixel_saliency.ops import checks, groups, reductions
from tf_superpixel_saliency.ops.scores import Score
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer

PARTITIONS = ("static", "dynamic")


class Attribution(NamedTuple):
    """What a method makes of a batch.

    Attributes:
        maps: (N, H, W, C) float32.
        grouped: whether the maps are grouped already.
        score: the score at the clean images.
        extras: further outputs, each (N, …).
    """

    maps: tf.Tensor
    grouped: bool
    score: Score
    extras: dict


class Explainer(keras.Model, abc.ABC):
    """Base of the explainers, each a `keras.Model`: images → saliency maps.

    Args:
        model: the classifier, images (N, H, W, C) → (N, classes): a Keras model of any
            kind, an object that `tf.saved_model.load` returned, or a function on
            tensors that has gradients. It is called with `training=False` and never
            changed; its weights are read anew at every call.
        superpixels: a super-pixel layer such as `Quickshift()`: maps are averaged
            inside its groups (paper, §3.2). None leaves each pixel a group.
        score: what is explained: "probability" (default, the paper's f after the
            softmax), "logit", or a callable (outputs, targets) → (N,).
        model_output: "probability" or "logit", what the model returns; "auto" finds
            it out from the last operation and asks where it can't be told.
        **kwargs: `name`, for `keras.Model`.

    Call arguments:
        images: (N, H, W, C), numbers of any type, or a dictionary of all three.
        targets: (N,) integers, or one for all: the class to explain; None or −1 for
            the predicted one.
        segments: (H, W) or (N, H, W) integers in any numbering, groups of the
            caller's own, used in place of `superpixels`.

    Returns:
        A dictionary: `maps` (N, H, W, C) float32, signed, grouped, per channel;
        `heatmaps` (N, H, W), Σ over channels of |maps|, not scaled; `segments`
        (N, H, W) int32, 0…p−1 in raster order; `targets` (N,) int32; `scores` (N,),
        f_c(x); `status` (N,) int32, 0 or a sum of the flags of `ops.checks`. Images
        that can't be explained (NaN pixels, class out of range) have NaN maps.

    Raises:
        ValueError, TypeError: at a direct call, or `predict` on arrays: see
            `ops.checks`. Inside a graph and for datasets `status` tells instead.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if superpixels is not None and not isinstance(superpixels, SuperpixelLayer):
            raise TypeError(
                "superpixels must be a super-pixel layer, such as Quickshift(), or "
                f"None, but got {superpixels!r}. Labels of your own are passed at the "
                "call: explainer(images, segments=labels)."
            )
        self._scorer = Scorer(model, score, model_output)
        self.model = model
        self.superpixels = superpixels
        self.score = score
        self.model_output = model_output
        self._direct = _DirectCalls()
        self._auto_jit = True
        self.built = True

    # -- inside the graph ---------------------------------------------------------

    @abc.abstractmethod
    def attribute(self, images, targets, segments) -> Attribution:
        """The method itself.

        Args:
            images: (N, H, W, C) float32, finite.
            targets: (N,) int32, −1 for the predicted class.
            segments: (N, H, W) int32, or None for pixel maps.
        """

    def call(self, images, targets=None, segments=None):
        images, targets, segments = inputs.unpack(images, targets, segments)
        images, targets = _standardized(images, targets)
        finite = checks.all_finite(images)
        images = tf.where(finite[:, None, None, None], images, 0.0)
        segments = self._partition(images, segments)
        result = self.attribute(images, targets, segments)
        status, usable = _status(finite, result)
        maps = result.maps
        if segments is not None and not result.grouped:
            maps = groups.group_mean(maps, segments)
        maps = tf.where(usable[:, None, None, None], maps, np.nan)
        return {
            "maps": maps,
            "heatmaps": reductions.sum_absolute(maps),
            "segments": _pixels(images) if segments is None else segments,
            "targets": result.score.targets,
            "scores": result.score.value,
            "status": status,
            **result.extras,
        }

    def _partition(self, images, segments):
        if segments is None:
            return None if self.superpixels is None else self.superpixels(images)
        segments = tf.cast(segments, tf.int32)
        if segments.shape.rank == 2:
            segments = segments[None]
        segments = tf.broadcast_to(segments, tf.shape(images)[:3])
        return groups.compress_labels(tf.ensure_shape(segments, images.shape[:3]))

    # -- around the graph ---------------------------------------------------------

    def __call__(self, images, targets=None, segments=None, **kwargs):
        images, targets, segments = inputs.unpack(images, targets, segments)
        if inputs.is_symbolic(images, targets, segments):
            given = {"targets": targets, "segments": segments}
            given = {key: value for key, value in given.items() if value is not None}
            return super().__call__(images, **given, **kwargs)
        checked = self._checked(images, targets, segments)
        if self.run_eagerly:
            return super().__call__(**checked)
        out = self._direct.function(self, checked)(*checked.values())
        warn_about_status(out["status"].numpy())
        return out

    def _checked(self, images, targets, segments) -> dict:
        images = checks.checked_images(images, classifier.input_shape(self.model))
        if self.superpixels is not None and segments is None:
            self.superpixels.check_range(images)
        targets = checks.checked_targets(targets, len(images), self._num_classes())
        checked = {"images": images, "targets": tf.constant(targets)}
        if segments is not None:
            segments = checks.checked_segments(segments, images.shape)
            checked["segments"] = tf.constant(segments)
        return checked

    def _num_classes(self):
        try:
            shape = self.model.output_shape
        except (AttributeError, ValueError, RuntimeError):
            return None
        return shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None

    def predict(
        self,
        x,
        batch_size=None,
        verbose="auto",
        steps=None,
        callbacks=None,
        targets=None,
        segments=None,
    ):
        """`keras.Model.predict` over arrays or a dataset: NumPy outputs.

        Args:
            x: images (N, H, W, C), a dictionary of "images", "targets" and
                "segments", or a `tf.data.Dataset` (or `PyDataset`, generator) of
                batches of either.
            batch_size, verbose, steps, callbacks: as in Keras.
            targets, segments: as at a direct call, where `x` is an array.

        Returns:
            A dictionary of arrays. All outputs stay in memory: for more than fits,
            use `explain_batches`.

        Raises:
            ValueError: as at a direct call; a dataset of (x, y) pairs.
        """
        if not inputs.is_array(x):
            x = inputs.check_source(x)
            out = super().predict(x, verbose=verbose, steps=steps, callbacks=callbacks)
            warn_about_status(out["status"])
            return out
        checked = self._checked(*inputs.unpack(x, targets, segments))
        arrays = {key: value.numpy() for key, value in checked.items()}
        count = len(arrays["images"])
        batch_size = batch_size or 32
        padding = -count % min(batch_size, count) if self.jit_compile else 0
        if padding:  # XLA compiles once a shape: fill the last batch
            rows = np.arange(count + padding) % count
            arrays = {key: value[rows] for key, value in arrays.items()}
        out = super().predict(
            arrays,
            batch_size=batch_size,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
        )
        out = {key: value[:count] for key, value in out.items()}
        warn_about_status(out["status"])
        return out

    def explain_batches(self, data, batch_size=32):
        """Explain batch by batch, for data of any size: memory stays flat.

        Args:
            data: as `x` of `predict`, or any iterable of batches.
            batch_size: for arrays; a dataset brings its own.

        Yields:
            The dictionary of outputs of each batch, as NumPy arrays.
        """
        for batch in inputs.batches(data, batch_size):
            yield {key: value.numpy() for key, value in self(**batch).items()}

    def compile(self, *args, jit_compile="auto", **kwargs):
        """As `keras.Model.compile`; `jit_compile=True` compiles the maps with XLA.

        "auto" does so where a GPU is. On a CPU XLA makes the gradient of convolutions
        many times slower, so it is never the default there.
        """
        self._auto_jit = jit_compile == "auto"
        super().compile(*args, jit_compile=jit_compile, **kwargs)
        self._direct = _DirectCalls()

    @property
    def jit_compile(self):
        """Whether XLA compiles the explanation, at a call as under `predict`."""
        if self._auto_jit:
            return bool(tf.config.list_physical_devices("GPU")) and (
                not tf.distribute.has_strategy() and self._all_layers_support_jit()
            )
        return self._jit_compile

    @jit_compile.setter
    def jit_compile(self, value):
        if value and not self._auto_jit and not self._all_layers_support_jit():
            warnings.warn(
                "jit_compile=True is left aside: a layer runs on the host or does not "
                "support XLA.",
                stacklevel=2,
            )
            value = False
        self._jit_compile = value

    def _all_layers_support_jit(self):
        return all(layer.supports_jit for layer in self._flatten_layers())

    # -- saving -------------------------------------------------------------------

    def get_config(self):
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.model),
            "superpixels": keras.saving.serialize_keras_object(self.superpixels),
            "score": keras.saving.serialize_keras_object(self.score)
            if callable(self.score)
            else self.score,
            "model_output": self.model_output,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for key in ("model", "superpixels", "score"):
            if isinstance(config.get(key), dict):
                config[key] = keras.saving.deserialize_keras_object(
                    config[key], custom_objects=custom_objects
                )
        return cls(**config)

    def get_compile_config(self):
        # 'auto' is kept: an explainer saved beside a GPU would force XLA on a CPU.
        config = super().get_compile_config()
        if config and self._auto_jit:
            config["jit_compile"] = "auto"
        return config

    def save(self, filepath, overwrite=True, **kwargs):
        """Save as `.keras`, model included; refused where it could not be loaded.

        Raises:
            ValueError: the model or score isn't one that Keras can build again.
        """
        saving.check_serializable(self)
        super().save(filepath, overwrite=overwrite, **kwargs)

    def export(self, filepath, **kwargs):
        """Export the whole explanation as a SavedModel, super-pixels included.

        Its endpoint `serve` takes `images` (N, H, W, C) float32 and `targets` (N,)
        int32, −1 for the predicted class, and needs none of this package.

        Raises:
            ValueError: the super-pixels run on the host, or `filepath` exists.
        """
        saving.export(self, filepath, classifier.input_shape(self.model), **kwargs)


class _DirectCalls:
    """One `tf.function` for each image size: one trace whatever the batch."""

    def __init__(self):
        self._functions = {}
        self._lock = threading.Lock()

    def function(self, explainer, checked):
        size = tuple(checked["images"].shape[1:])
        key = (size, "segments" in checked)
        with self._lock:
            if key not in self._functions:
                self._functions[key] = self._build(explainer, *key)
            return self._functions[key]

    @staticmethod
    def _build(explainer, size, with_segments):
        signature = [
            tf.TensorSpec((None, *size), tf.float32, name="images"),
            tf.TensorSpec((None,), tf.int32, name="targets"),
        ]
        if with_segments:
            signature.append(tf.TensorSpec((None, *size[:2]), tf.int32, "segments"))
        return tf.function(
            explainer.call,
            input_signature=signature,
            jit_compile=True if explainer.jit_compile else None,
        )


def warn_about_status(status):
    """Warn of images whose maps are not to be trusted, with their number and why."""
    for flag, text in checks.STATUS_TEXTS.items():
        count = int(np.count_nonzero(np.asarray(status) & flag))
        if count:
            warnings.warn(
                f"{count} of {len(status)} images: {text}. See the output `status`.",
                stacklevel=3,
            )


def _standardized(images, targets):
    images = tf.cast(images, tf.float32)
    if images.shape.rank != 4:
        raise ValueError(
            "images must be a batch of shape (N, H, W, C), but got shape "
            f"{tuple(images.shape)}. Add the axis that is missing, as in images[None]."
        )
    if targets is None:
        targets = tf.fill(tf.shape(images)[:1], -1)
    return images, tf.reshape(tf.cast(targets, tf.int32), [-1])


def _pixels(images):
    """Each pixel its own group: (N, H, W) int32."""
    shape = tf.shape(images)
    numbers = tf.reshape(tf.range(shape[1] * shape[2]), [1, shape[1], shape[2]])
    return tf.ensure_shape(tf.tile(numbers, [shape[0], 1, 1]), images.shape[:3])


def _status(finite, result):
    """Flags (N,) int32, and which maps are usable at all, (N,) bool."""
    targets, outputs = result.score.targets, result.score.outputs
    in_range = tf.ones_like(finite)
    if outputs.shape.rank == 2:
        in_range = (targets >= 0) & (targets < tf.shape(outputs)[-1])
    usable = finite & in_range
    maps_finite = checks.all_finite(result.maps)
    constant = tf.reduce_all(tf.equal(result.maps, 0.0), axis=[1, 2, 3])
    status = tf.zeros_like(targets)
    for flag, raised in (
        (checks.NON_FINITE_INPUT, ~finite),
        (checks.CLASS_OUT_OF_RANGE, ~in_range),
        (checks.CONSTANT_OUTPUT, usable & constant),
        (checks.NON_FINITE_GRADIENT, usable & ~maps_finite),
    ):
        status += flag * tf.cast(raised, tf.int32)
    return status, usable

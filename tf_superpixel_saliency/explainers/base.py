"""The base of all explainers: a `keras.Model` from images to saliency maps."""

from __future__ import annotations

import abc
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers import classifier, saving
from tf_superpixel_saliency.explainers.compiled import CompiledModel
from tf_superpixel_saliency.explainers.frozen.freezing import Freezing
from tf_superpixel_saliency.explainers.mixed_precision import MixedPrecision
from tf_superpixel_saliency.explainers.scoring import Scorer, given_inputs
from tf_superpixel_saliency.explainers.sources import unpack
from tf_superpixel_saliency.ops import checks, groups, reductions
from tf_superpixel_saliency.ops.partition_risk import (
    choose_partition,
    partition_risks,
)
from tf_superpixel_saliency.ops.scores import Score
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer
from tf_superpixel_saliency.superpixels.choice import (
    SuperpixelChoice,
    usual_candidates,
)

PARTITIONS = ("static", "dynamic")


class Attribution(NamedTuple):
    """What a method makes of a batch.

    Attributes:
        maps: (N, H, W, C) float32.
        grouped: whether the maps are grouped already.
        score: the score at the clean images.
        extras: further outputs, (N,) or like the maps, float32.
        status: further flags of `ops.checks`, (N,) int32, or None.
        halves: where a partition is to be chosen, what the maps would be from either
            half of the samples, not grouped, and the variance of the maps over that
            of the halves' difference.
    """

    maps: tf.Tensor
    grouped: bool
    score: Score
    extras: dict
    status: tf.Tensor | None = None
    halves: tuple | None = None


class Explainer(CompiledModel, abc.ABC):
    """Base of the explainers, each a `keras.Model`: images → saliency maps.

    Args:
        model: the classifier, images (N, H, W, C) → (N, classes): a Keras model of any
            kind, an object that `tf.saved_model.load` returned, or a function on
            tensors that has gradients. It is called with `training=False` and never
            changed; its weights are read anew at every call.
        superpixels: a super-pixel layer such as `Quickshift()`: maps are averaged
            inside its groups (paper, §3.2). None leaves each pixel a group. "auto", or
            a `SuperpixelChoice` of layers, chooses for each image the partition of the
            least risk, for the methods that draw noise samples; `chosen` among the
            outputs then is (N,) float32, the number of the layer, and the number of
            layers for pixels.
        score: what is explained: "probability" (default, the paper's f after the
            softmax), "logit", or a callable (outputs, targets) → (N,).
        model_output: "probability" or "logit", what the model returns; "auto" finds
            it out from the last operation and asks where it can't be told.
        preprocess: a function or Keras layer from the pictures that a person sees to
            what the model eats, (N, H, W, C) → (N, H, W, C'), in TensorFlow or Keras
            operations, such as `keras.applications.resnet50.preprocess_input`. The
            explainer then takes pictures: super-pixels, noise, baselines and fills are
            made on them, the gradient is taken in what the model eats. None where
            the model takes the pictures themselves.
        fold_batch_norms: run the model as inference allows, where its graph shows how:
            batch norms inside the convolutions before them, read anew from the live
            weights at every call, gradients of convolutions as convolutions, and the
            transpose of its first affine layers once for all samples. `freezing` says
            what was done, or why not.
        model_dtype: "mixed_float16" or "mixed_bfloat16" to run the layers of a float32
            Keras model in half precision, as Keras' dtype policies do, with the
            weights that it has; its last layer, super-pixels, noise and sums stay
            float32. Worth it on GPUs and TPUs; docs/speed.md has the error. None runs
            the model as it is.
        weights: how a group's pixels are weighted: "mean", the paper's mean inside
            each group; or "sqrt", the sum over √|S|, under which noise that is
            independent from pixel to pixel has the same size in every group. Kept as
            `group_weights`: a Keras model's `weights` are its variables.
        **kwargs: `name`, for `keras.Model`.

    Call arguments:
        images: (N, H, W, C), numbers of any type, or a dictionary of all three.
        targets: (N,) integers, or one for all: the class to explain; None or −1 for
            the predicted one.
        segments: (H, W) or (N, H, W) integers in any numbering, groups of the
            caller's own, used in place of `superpixels`.
        inputs: the further inputs of a model that takes more than the image,
            {name: (N, …)}. The image goes to the input that isn't named; a function or
            subclassed model gets them as keyword arguments.

    Returns:
        A dictionary: `maps` (N, H, W, C') float32, signed, grouped, per channel;
        `heatmaps` (N, H, W), Σ over channels of |maps|, not scaled; `segments`
        (N, H, W) int32, 0…p−1 in raster order; `targets` (N,) int32; `scores` (N,),
        f_c(x); `status` (N,) int32, 0 or a sum of the flags of `ops.checks`. Images
        that can't be explained (NaN pixels, class out of range) have NaN maps and
        scores.

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
        preprocess=None,
        fold_batch_norms=True,
        model_dtype=None,
        weights="mean",
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if isinstance(superpixels, str) and superpixels == "auto":
            side = min(filter(None, classifier.input_shape(model)[:2]), default=None)
            superpixels = SuperpixelChoice(usual_candidates(side))
        if superpixels is not None and not isinstance(superpixels, SuperpixelLayer):
            raise TypeError(
                "superpixels must be a super-pixel layer, such as Quickshift(), "
                f'"auto" or None, but got {superpixels!r}. Labels of your own are '
                "passed at the call: explainer(images, segments=labels)."
            )
        if isinstance(superpixels, SuperpixelChoice) and not self.draws_noise:
            raise ValueError(
                "superpixels are chosen by two halves of noise samples, which "
                f"{type(self).__name__} doesn't draw. Use SmoothGrad or "
                "SparsifiedSmoothGrad, or choose one layer by the maps of two networks "
                "and tss.metrics.partition_risk."
            )
        runs = model if model_dtype is None else MixedPrecision(model, model_dtype)
        self._scorer = Scorer(runs, score, model_output, preprocess, fold_batch_norms)
        self.model = model
        self.superpixels = superpixels
        self.score = score
        self.model_output = model_output
        self.preprocess = preprocess
        self.fold_batch_norms = bool(fold_batch_norms)
        self.model_dtype = model_dtype
        self.group_weights = self._checked_weights(weights)
        self.built = True

    def _checked_weights(self, weights):
        checks.checked_choice("weights", weights, groups.WEIGHTS)
        if weights != "mean" and not self.groups_maps:
            raise ValueError(
                f"{type(self).__name__} gives each super-pixel a value of its own and "
                f'averages nothing in it: weights must be "mean", but got {weights!r}.'
            )
        return weights

    @property
    def freezing(self) -> Freezing | None:
        """How the model is run: see `Freezing`.

        None before the first call, and for `GradCAM`, which runs the layers itself.
        """
        return self._scorer.freezer.freezing

    # Whether maps are made pixel by pixel and then grouped.
    groups_maps = True
    # Whether they are means over noise samples, of which there are two halves.
    draws_noise = False

    @property
    def chooses_partition(self) -> bool:
        """Whether there are several partitions an image to choose from."""
        return isinstance(self.superpixels, SuperpixelChoice)

    # -- inside the graph ---------------------------------------------------------

    @abc.abstractmethod
    def attribute(self, images, targets, segments) -> Attribution:
        """The method itself.

        Args:
            images: (N, H, W, C) float32, finite.
            targets: (N,) int32, −1 for the predicted class.
            segments: (N, H, W) int32, or None for pixel maps.
        """

    def call(self, images, targets=None, segments=None, inputs=None):
        images, targets, segments, inputs = unpack(images, targets, segments, inputs)
        images, targets = _standardized(images, targets)
        finite = checks.all_finite(images)
        images = tf.where(finite[:, None, None, None], images, 0.0)
        segments = self._partition(images, segments)
        with given_inputs(inputs), self._frozen(images):
            result = self.attribute(images, targets, segments)
        status, usable = _status(finite, result)
        maps, extras = result.maps, result.extras
        if segments is not None and segments.shape.rank == 4 and result.halves:
            risks = partition_risks(*result.halves[:2], segments, result.halves[2])
            segments, chosen = choose_partition(segments, risks)
            extras = {**extras, "chosen": tf.cast(chosen, tf.float32)}
        if segments is not None and not result.grouped:
            maps = groups.group_mean(maps, segments, self.group_weights)
        maps = tf.where(usable[:, None, None, None], maps, np.nan)
        # These were made with black pixels, or of another class: no numbers to show.
        values = {"scores": result.score.value, **extras}
        return {
            "maps": maps,
            "heatmaps": reductions.sum_absolute(maps),
            "segments": _pixels(images) if segments is None else segments,
            "targets": result.score.targets,
            "status": status,
            **{key: _where_usable(usable, value) for key, value in values.items()},
        }

    def _frozen(self, images):
        """The context in which `attribute` scores by the frozen model."""
        return self._scorer.frozen(images)

    def _partition(self, images, segments):
        if segments is None:
            return None if self.superpixels is None else self.superpixels(images)
        segments = tf.cast(segments, tf.int32)
        if segments.shape.rank == 2:
            segments = segments[None]
        segments = tf.broadcast_to(segments, tf.shape(images)[:3])
        return groups.compress_labels(tf.ensure_shape(segments, images.shape[:3]))

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
            "preprocess": saving.serialized(self.preprocess),
            "fold_batch_norms": self.fold_batch_norms,
            "model_dtype": self.model_dtype,
            "weights": self.group_weights,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["preprocess"] = saving.deserialized(
            config.get("preprocess"), custom_objects
        )
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

    def compile_from_config(self, config):
        # Keras leaves this out, with a warning, where `compile` is a class's own.
        self.compile(**keras.saving.deserialize_keras_object(config))

    def save(self, filepath, overwrite=True, **kwargs):
        """Save as `.keras`, model included; refused where it could not be loaded.

        Raises:
            ValueError: the model or score isn't one that Keras can build again.
        """
        saving.check_serializable(self)
        super().save(filepath, overwrite=overwrite, **kwargs)

    def export(self, filepath, image_shape=None, verbose=False):
        """Export the whole explanation as a SavedModel, super-pixels included.

        It needs none of this package. Its signatures: `serving_default`, the model's
        own, which Python calls `serve` too; `explain`, which takes `images`
        (N, H, W, C) float32, `targets` (N,) int32, −1 for the predicted class, and
        further inputs by name, and returns all outputs but `maps`; `explain_maps`, the
        same with `maps`. `tss.export` makes the folder that a server wants: the same
        signatures and one for encoded photos, version numbers, warm-up requests.

        Args:
            filepath: folder to make.
            image_shape: (H, W, C) of the images, None where a size stays free; that
                of the model's input unless given. Subclassed models and functions
                don't tell it.
            verbose: print the signatures, as Keras does.

        Raises:
            ValueError: the super-pixels or the model call Python on the host, or
                `filepath` exists, or the model has two inputs of images: `tss.export`
                takes their names.
        """
        shape = image_shape or self._image_shape()
        saving.export(self, filepath, shape, verbose)


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
    if result.status is not None:
        status += tf.where(status == 0, result.status, 0)
    return status, usable


def _where_usable(usable, values):
    """(N, …), NaN for images that could not be explained."""
    shape = [-1, *[1] * (values.shape.rank - 1)]
    return tf.where(tf.reshape(usable, shape), values, np.nan)

"""Callbacks for `fit`: how explanations settle while a model trains."""

from __future__ import annotations

import io
import os
import struct
import warnings

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import summary_pb2

from tf_superpixel_saliency import mapping
from tf_superpixel_saliency.explainers import XRAI, Explainer
from tf_superpixel_saliency.explanations import Explanation
from tf_superpixel_saliency.metrics import cosine_similarity, structural_similarity
from tf_superpixel_saliency.ops import checks

_NOISE_PAIRS = 8  # a few images of few groups scatter


class SaliencyMaps(keras.callbacks.Callback):
    """Writes saliency maps of a model in training, and how stable they are.

    For TensorBoard, to `log_dir`, at the step of the epoch, as Keras' own callback
    counts it:

    - images `overlay` (the map over its photo) and `explanation` (photo, map, highest
      groups), of the first `max_images` images;
    - `ssim` and `cosine`: agreement of each image's map with the one `every` epochs
      before (at first: before training), the mean over the images. Both maps have the
      same groups, so that the SSIM has a floor: `ssim_of_noise` is what two maps of
      white noise reach in these groups, and `ssim_excess` is (ssim − floor) / (1 −
      floor). The signed cosine of noise is 0;
    - `same_class`: the share of images that were explained for the same class as
      before, over which the agreement is taken: without `targets` the predicted class
      is explained, which changes in training;
    - `score`: the mean score; `explained`: the share of images with status 0.

    Agreement from epoch to epoch says that training no longer moves the explanation,
    not that another training would give the same.

    The model is left alone: nothing is drawn from its random generators, no weight or
    flag is changed, and the explainer is traced once. Super-pixels of a static
    partition are made once.

    Args:
        images: (N, H, W, C), what to explain, or a dictionary with "inputs" and the
            like, as for an explainer.
        explainer: an explainer of the model that is trained, or of a part of it.
        log_dir: folder of TensorBoard's logs, made where it isn't there.
        every: epochs between two explanations; the last epoch is always explained.
        targets: (N,) integers, the class to explain in each image, such as its label;
            None for the predicted one.
        segments: groups of your own, (H, W) or (N, H, W).
        inputs: further inputs of the model, {name: (N, …)}.
        max_images: how many images are drawn; the numbers are of all.
        class_names: names of the classes, as for `Explainable.explain`.
        name: put before the tags, for several of these in one `fit`.

    Raises:
        ValueError, TypeError: at once, for what an explainer would refuse, or a number
            out of its range.
        OSError: at once, if `log_dir` can't be made.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((8, 8, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(3, activation="softmax"),
    ... ])
    >>> explainer = tss.SimpleGradient(model, tss.SquareGrid(size=4))
    >>> images = np.ones((2, 8, 8, 1))
    >>> callback = tss.callbacks.SaliencyMaps(images, explainer, "/tmp/logs", every=5)
    """

    def __init__(
        self,
        images,
        explainer,
        log_dir,
        every=1,
        targets=None,
        segments=None,
        inputs=None,
        max_images=4,
        class_names=None,
        name="saliency",
    ):
        super().__init__()
        if not isinstance(explainer, Explainer):
            raise TypeError(
                "explainer must be an explainer of the model that is trained, such as "
                f"SmoothGrad(model, superpixels=Quickshift()), but got {explainer!r}."
            )
        self.explainer = explainer
        self.every = checks.checked_count("every", every)
        self.max_images = checks.checked_count("max_images", max_images)
        self.class_names = class_names
        self.log_dir = os.fspath(log_dir)
        self.name = str(name)
        given = dict(images) if isinstance(images, dict) else {"images": images}
        told = {"targets": targets, "segments": segments, "inputs": inputs}
        given.update({k: v for k, v in told.items() if v is not None})
        # As an explainer's call would, now rather than after an hour of training.
        self._given = explainer._checked(*(given.get(key) for key in ("images", *told)))
        os.makedirs(self.log_dir, exist_ok=True)
        self._writer = None
        self._before = None  # outputs of the last explanation
        self._noise = None  # SSIM of noise in the images' groups
        self._written = None  # the last epoch written
        self._epoch = None  # the last epoch that ended

    # -- what Keras calls -----------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._warn_of_another_model()
        self._writer = tf.summary.create_file_writer(self.log_dir)
        self._written = self._epoch = None
        if self._before is None and self.model.built:
            self._before = self._explain()

    def on_epoch_end(self, epoch, logs=None):
        self._epoch = epoch
        last = epoch + 1 == (self.params or {}).get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            self._write(epoch)

    def on_train_end(self, logs=None):
        if self._epoch is not None and self._written != self._epoch:
            self._write(self._epoch)  # stopped early
        if self._writer is not None:
            self._writer.close()

    # -- explaining -----------------------------------------------------------------

    def _warn_of_another_model(self):
        trained = {id(weight) for weight in self.model.weights}
        explained = getattr(self.explainer.model, "weights", [])
        if trained and explained and not any(id(w) in trained for w in explained):
            warnings.warn(
                "The explainer's model shares no weight with the one that is trained: "
                "its maps will not change. Make the explainer of the model that is "
                "fitted.",
                stacklevel=2,
            )

    def _explain(self) -> dict:
        # Images don't change, so that a static partition doesn't; a dynamic one is of
        # noisy copies, and XRAI's are several.
        layer, given = self.explainer.superpixels, self._given
        static = getattr(self.explainer, "partition", "static") == "static"
        if layer is not None and static and not isinstance(self.explainer, XRAI):
            if "segments" not in given:
                given["segments"] = tf.constant(layer(given["images"]))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*See the output `status`.*")
            parts = list(self.explainer.explain_batches(given))
        return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}

    def _noise_level(self, segments) -> float:
        """The SSIM that two maps of white noise reach in some groups, the mean."""
        if self._noise is None:
            rng = np.random.default_rng(0)
            shape = (2, *segments.shape, self._before["maps"].shape[-1])
            values = []
            for _ in range(_NOISE_PAIRS):
                pair = (mapping.group_map(x, segments) for x in rng.normal(size=shape))
                values.append(structural_similarity(*pair))
            self._noise = _mean(values)
        return self._noise

    def _agreement(self, before, after) -> dict:
        same = (before["targets"] == after["targets"]) & _usable(before, after)
        found = {"same_class": float(np.mean(before["targets"] == after["targets"]))}
        if not same.any():
            return found
        maps = before["maps"][same], after["maps"][same]
        ssim = _mean(structural_similarity(*maps))
        floor = self._noise_level(after["segments"])
        return {
            **found,
            "ssim": ssim,
            "ssim_of_noise": floor,
            # Where noise agrees altogether, nothing is left to tell.
            "ssim_excess": (ssim - floor) / (1 - floor) if floor < 1 else np.nan,
            "cosine": _mean(cosine_similarity(*maps)),
        }

    # -- writing --------------------------------------------------------------------

    def _write(self, epoch):
        out = self._explain()
        numbers = {
            "score": _mean(out["scores"]),
            "explained": float(np.mean(out["status"] == 0)),
        }
        if self._before is not None:
            numbers.update(self._agreement(self._before, out))
        self._before, self._written = out, epoch
        with self._writer.as_default(step=epoch):
            for key, value in numbers.items():
                if np.isfinite(value):
                    _write_scalar(f"{self.name}/{key}", value)
            self._write_pictures(out)
        # An interrupted training calls nothing: what is written can be read.
        self._writer.flush()

    def _write_pictures(self, out):
        count = self.max_images
        shown = Explanation(
            self._given["images"][:count],
            {key: value[:count] for key, value in out.items()},
            getattr(self.explainer.superpixels, "value_range", None),
            self.class_names,
        )
        for number, one in enumerate(shown):
            for tag, draw in (("overlay", one.plot_overlay), ("explanation", one.plot)):
                _write_image(f"{self.name}/{tag}/{number}", draw)


def _usable(*outputs):
    fatal = checks.NON_FINITE_INPUT | checks.CLASS_OUT_OF_RANGE
    fatal |= checks.NON_FINITE_GRADIENT
    return np.logical_and.reduce([(out["status"] & fatal) == 0 for out in outputs])


def _mean(values) -> float:
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")


# As `tf.summary.scalar` and `tf.summary.image` write them, which need the package
# tensorboard: TensorFlow no longer brings it, and it need not be where one trains.


def _metadata(plugin, data_class):
    return summary_pb2.SummaryMetadata(
        plugin_data={"plugin_name": plugin}, data_class=data_class
    )


def _write_scalar(tag, value):
    metadata = _metadata("scalars", summary_pb2.DATA_CLASS_SCALAR)
    tf.summary.write(tag, tf.constant(value, tf.float32), metadata=metadata)


def _write_image(tag, draw):
    """What a function draws in a figure: width, height and the PNG."""
    from tf_superpixel_saliency import plots

    figure, target = plots.new_figure(), io.BytesIO()
    draw(figure=figure)
    figure.savefig(target, format="png")
    png = target.getvalue()
    width, height = struct.unpack(">II", png[16:24])
    metadata = _metadata("images", summary_pb2.DATA_CLASS_BLOB_SEQUENCE)
    tf.summary.write(tag, [str(width), str(height), png], metadata=metadata)

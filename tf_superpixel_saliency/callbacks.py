"""Callbacks for `fit`: how explanations settle while a model trains."""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import summary_pb2

from tf_superpixel_saliency import mapping, plots
from tf_superpixel_saliency.explainers import XRAI, Explainer
from tf_superpixel_saliency.explanations import Explanation, regions
from tf_superpixel_saliency.explanations.class_names import checked_names
from tf_superpixel_saliency.metrics import cosine_similarity, structural_similarity
from tf_superpixel_saliency.metrics.ssim import UNIFORM_WIDTH
from tf_superpixel_saliency.ops import checks

_NOISE_PAIRS = 8  # a few images of few groups scatter
_NO_MAP = (
    checks.NON_FINITE_INPUT | checks.CLASS_OUT_OF_RANGE | checks.NON_FINITE_GRADIENT
)


class SaliencyMaps(keras.callbacks.Callback):
    """Writes saliency maps of a model in training, and how stable they are.

    For TensorBoard, to `log_dir`, at the step of the epoch, as Keras' own callback
    counts it:

    - images `overlay`: photo, map, and the map over the photo, of each of the first
      `max_images` images;
    - `ssim` and `cosine`: agreement of each image's map with the one before, the mean
      over the images. Both maps have the same groups, so that the SSIM has a floor:
      `ssim_of_noise` is what two maps of white noise reach in these groups, and
      `ssim_excess` is (ssim − floor) / (1 − floor). The signed cosine of noise is 0.
      Noise is what gradients come down to; the smooth maps of `GradCAM` agree more
      than that by chance;
    - `same_class`: the share of images that were explained for the same class as
      before, over which the agreement is taken: without `targets` the predicted class
      is explained, which changes in training;
    - `score`: the mean score; `explained`: the share of images with status 0.

    The map before is the one `every` epochs ago; at first that of the model as
    training begins, if it is built by then; in a further `fit` the last one of the
    fit before, and events go on in a file of their own.

    Agreement from epoch to epoch says that training no longer moves the explanation,
    not that another training would give the same.

    The model is left alone: nothing is drawn from its random generators, no weight or
    flag is changed, and the explainer is traced once. Super-pixels of a static
    partition are made once. Each explanation is on the disk before the next epoch
    begins: an interrupted training keeps them.

    Args:
        images: (N, H, W, C), what to explain, or a dictionary with "inputs" and the
            like, as for an explainer.
        explainer: an explainer of the model that is trained, or of a part of it.
        log_dir: folder of TensorBoard's logs, made where it isn't there. Several
            callbacks of one `fit` have a folder each.
        every: epochs between two explanations; the last epoch is always explained.
        targets: (N,) integers, the class to explain in each image, such as its label;
            None for the predicted one.
        segments: groups of your own, (H, W) or (N, H, W).
        inputs: further inputs of the model, {name: (N, …)}.
        max_images: how many images are drawn; the numbers are of all.
        class_names: names of the classes, as for `Explainable.explain`.
        name: put before the tags.

    Raises:
        ValueError, TypeError: at once, for what an explainer would refuse, a number
            out of its range, or images too small for the SSIM.
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
        max_images=8,
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
        self.class_names = checked_names(class_names)
        self.name = _checked_prefix(name)
        given = dict(images) if isinstance(images, Mapping) else {"images": images}
        told = {"targets": targets, "segments": segments, "inputs": inputs}
        given.update({k: v for k, v in told.items() if v is not None})
        # As an explainer's call would, now rather than after an hour of training.
        self._given = explainer._checked(*(given.get(key) for key in ("images", *told)))
        _check_size(self._given["images"].shape)
        self.log_dir = _made_folder(log_dir)
        self._writer = None
        self._before = None  # outputs of the last explanation
        self._noise = None  # SSIM of noise in each image's groups
        self._written = None  # the last epoch written
        self._epoch = None  # the last epoch that ended
        self._compared = False  # whether the two models' weights were, in this fit

    # -- what Keras calls -----------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._compared = False
        self._warn_of_another_model()
        self._close()  # of a fit that was interrupted
        self._writer = tf.summary.create_file_writer(self.log_dir)
        self._written = self._epoch = None
        if self._before is None and self.model.built:
            self._before = self._explain()

    def on_epoch_end(self, epoch, logs=None):
        self._warn_of_another_model()
        self._epoch = epoch
        last = epoch + 1 == (self.params or {}).get("epochs")
        if (epoch + 1) % self.every == 0 or last:
            self._write(epoch)

    def on_train_end(self, logs=None):
        if self._epoch is not None and self._written != self._epoch:
            self._write(self._epoch)  # stopped early
        self._close()

    def _close(self):
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # What `tf_keras` asks of its callbacks, whose models have explainers too.

    def _implements_train_batch_hooks(self):
        return False

    _implements_test_batch_hooks = _implements_train_batch_hooks
    _implements_predict_batch_hooks = _implements_train_batch_hooks

    # -- explaining -----------------------------------------------------------------

    def _warn_of_another_model(self):
        trained = {id(weight) for weight in self.model.weights}
        explained = getattr(self.explainer.model, "weights", [])
        if self._compared or not trained or not explained:
            return  # a model that isn't built has no weights yet
        self._compared = True
        if not any(id(weight) in trained for weight in explained):
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
            # `explained` and the pictures' titles tell.
            warnings.filterwarnings("ignore", message=".*See the output `status`.*")
            parts = list(self.explainer.explain_batches(given))
        return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}

    def _numbers(self, out) -> dict[str, float]:
        found = {
            "score": _mean(out["scores"]),
            "explained": float(np.mean(out["status"] == 0)),
        }
        if self._before is None:
            return found
        if self._noise is None:
            self._noise = noise_similarity(out["segments"], out["maps"].shape[-1])
        return {**found, **agreement(self._before, out, self._noise)}

    # -- writing --------------------------------------------------------------------

    def _write(self, epoch):
        out = self._explain()
        numbers = self._numbers(out)
        self._before, self._written = out, epoch
        # Keras' own callback limits what is recorded to some steps of its own.
        with self._writer.as_default(step=epoch), tf.summary.record_if(True):
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
            _write_figure(f"{self.name}/overlay/{number}", _photo_and_map(one))


def _photo_and_map(explanation):
    """Photo, map, and the map over the photo of one image, with class and score."""
    figure = plots.new_figure()
    photo = regions.photo(explanation.images[0], explanation.value_range)
    maps, (title,) = explanation.heatmaps, explanation.titles()
    columns = {"Map": maps, "Map over the photo": maps}
    style = {"value_range": (0, 1), "figure": figure}
    axes = plots.plot_grid([photo], {title: columns}, cell=2.8, **style)
    axes[0, 2].clear()
    plots.plot_overlay(photo, maps[0], axes[0, 2], value_range=(0, 1))
    return figure


def noise_similarity(segments, channels: int) -> np.ndarray:
    """The SSIM that two maps of white noise reach in each image's groups.

    Two maps that are grouped alike agree even where they are noise: both show the
    sizes of the groups (see `metrics.chance_corrected`, which takes maps that aren't
    grouped; an explainer returns grouped ones).

    Args:
        segments: (N, H, W) integers.
        channels: of the maps.

    Returns:
        (N,) float64, NaN where a map has a single group.
    """
    found = []
    for number, labels in enumerate(segments):
        rng = np.random.default_rng([0, number])
        noise = rng.normal(size=(2 * _NOISE_PAIRS, *labels.shape, channels))
        maps = mapping.group_map(noise, labels)
        pairs = structural_similarity(maps[:_NOISE_PAIRS], maps[_NOISE_PAIRS:])
        found.append(_mean(pairs))
    return np.array(found)


def agreement(before: dict, after: dict, floor) -> dict[str, float]:
    """Agreement of two explanations of the same images, the mean over the images.

    Args:
        before, after: outputs of an explainer, as arrays.
        floor: (N,), what `noise_similarity` returns.

    Returns:
        `same_class`, the share of images explained for the same class twice; and over
        those of them that have a map both times `ssim`, `ssim_of_noise`, `ssim_excess`
        and `cosine`, NaN where there is none.
    """
    same = before["targets"] == after["targets"]
    kept = same & ((before["status"] | after["status"]) & _NO_MAP == 0)
    ssim = floors = cosine = np.empty(0)
    if kept.any():
        maps = before["maps"][kept], after["maps"][kept]
        ssim, cosine = structural_similarity(*maps), cosine_similarity(*maps)
        floors = np.where(np.isfinite(ssim), floor[kept], np.nan)  # of the same images
    observed, chance = _mean(ssim), _mean(floors)
    return {
        "same_class": float(np.mean(same)),
        "ssim": observed,
        "ssim_of_noise": chance,
        # Where noise agrees altogether, nothing is left to tell.
        "ssim_excess": (observed - chance) / (1 - chance) if chance < 1 else np.nan,
        "cosine": _mean(cosine),
    }


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


def _write_figure(tag, figure):
    target = io.BytesIO()
    figure.savefig(target, format="png")
    png = target.getvalue()
    width, height = struct.unpack(">II", png[16:24])
    metadata = _metadata("images", summary_pb2.DATA_CLASS_BLOB_SEQUENCE)
    tf.summary.write(tag, [str(width), str(height), png], metadata=metadata)


def _made_folder(log_dir) -> str:
    path = os.fspath(log_dir) if isinstance(log_dir, os.PathLike) else log_dir
    if not isinstance(path, str):
        raise TypeError(
            "log_dir must be the path of a folder, such as 'logs', but got "
            f"{log_dir!r}."
        )
    if not path:
        raise ValueError("log_dir must be the path of a folder, but got ''. Try '.'.")
    if "://" in path:  # a bucket: TensorFlow's own file systems know it
        tf.io.gfile.makedirs(path)
        return path
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"log_dir must be a folder, or one that can be made, but got {path!r}: "
            f"{error}"
        ) from error
    return path


def _check_size(shape):
    if min(shape[1:3]) < UNIFORM_WIDTH:
        raise ValueError(
            f"images must have at least {UNIFORM_WIDTH}×{UNIFORM_WIDTH} pixels, the "
            f"window in which maps are compared, but got shape {tuple(shape)}."
        )


def _checked_prefix(name):
    if isinstance(name, str) and name.strip("/ "):
        return name
    raise ValueError(
        f"name must be text to put before the tags, as in 'saliency', but got {name!r}."
    )

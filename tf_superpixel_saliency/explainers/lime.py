"""LIME: a linear model of the score in the presence of super-pixels."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.base import Attribution, Explainer
from tf_superpixel_saliency.explainers.chunking import checked_chunk_size
from tf_superpixel_saliency.ops import binary_samples, checks, groups, regression
from tf_superpixel_saliency.ops.sampling import sum_over_samples
from tf_superpixel_saliency.superpixels.quickshift import Quickshift

DISTANCES = ("cosine", "euclidean")


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class LIME(Explainer):
    """The weight of each super-pixel in a local linear model of the score.

    Ribeiro, Singh and Guestrin, KDD 2016, as its authors' package `lime` does it for
    images. `num_samples` copies of the image, each super-pixel kept or hidden with
    probability ½, the first copy with all of them, are scored. Those scores are
    regressed on the on/off states z by ridge regression with an intercept, a copy
    weighing √exp(−d² / kernel_width²), d its distance from the whole image. The map is
    the coefficient of each pixel's super-pixel, and the same for all channels.

    The states are set by (seed, number of the sample, number of the super-pixel) alone:
    a map depends on its image and the seed, not on the batch, the chunks or the device.
    There may be more super-pixels than samples, and no limit but the number of pixels:
    the regression is solved in its dual form, (samples × samples) for one image at a
    time, in float64.

    Other libraries: `lime` rounds the fill of integer images down and has no batches;
    xplique's cosine distance is inverted (1 + cos), so that there the copies most like
    the image weigh least.

    Args:
        model: as in `Explainer`, and so are `score`, `model_output`, `preprocess`.
        superpixels: a super-pixel layer; None for that of `lime`,
            `Quickshift(ratio=0.2, kernel_size=4, max_dist=200)`, some 30 to 100 large
            groups, of images in 0…255.
        num_samples: number of copies n, the whole image included; at least 2.
        kernel_width: above 0, in units of the distance.
        distance: "cosine", 1 − cos(z, 1) = 1 − √(share kept), 1 where nothing is kept;
            or "euclidean", √(number hidden).
        alpha: strength of the ridge, above 0.
        fill: what hides a super-pixel: "mean", its own mean colour, or a colour, a
            number or one for each channel.
        seed: 0 … 2³¹ − 1.
        chunk_size: copies that go through the network at once, over the batch (but at
            least one of each image): memory is flat in `num_samples` but for the
            regression's 8·n² bytes and the states' n/8 a pixel. "auto" goes by the
            sizes of the network's feature maps, as in SmoothGrad.

    Among the outputs are `maps` (N, H, W, 1) and `r_squared` (N,) float32, the share of
    the weighted variance of the copies' scores that the linear model explains.
    """

    groups_maps = False

    def __init__(
        self,
        model,
        superpixels=None,
        num_samples=1000,
        kernel_width=0.25,
        distance="cosine",
        alpha=1.0,
        fill="mean",
        seed=0,
        chunk_size="auto",
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        if superpixels is None:
            superpixels = Quickshift(ratio=0.2, kernel_size=4, max_dist=200)
        super().__init__(model, superpixels, score, model_output, **kwargs)
        self.num_samples = checks.checked_count("num_samples", num_samples, 2)
        self.kernel_width = checks.checked_number("kernel_width", kernel_width, 0, True)
        self.distance = checks.checked_choice("distance", distance, DISTANCES)
        self.alpha = checks.checked_number("alpha", alpha, 0, True)
        self.fill = _checked_fill(fill)
        self.seed = checks.checked_seed(seed)
        self.chunk_size = checked_chunk_size(chunk_size)

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        shape = tf.shape(images)
        words = binary_samples.binary_samples(
            self.num_samples, shape[1] * shape[2], self.seed
        )
        values = self._sample_scores(images, score.targets, segments, words)

        def fit(elements):
            own_values, own_segments, count = elements
            coefficients, r_squared = self._fit(words, count, own_values)
            return tf.gather(coefficients, own_segments), r_squared

        size = images.shape[1:3]
        maps, r_squared = tf.map_fn(
            fit,
            (values, segments, groups.count_groups(segments)),
            fn_output_signature=(
                tf.TensorSpec(size, tf.float32),
                tf.TensorSpec([], tf.float32),
            ),
            parallel_iterations=1,
        )
        return Attribution(maps[..., None], True, score, {"r_squared": r_squared})

    def _sample_scores(self, images, targets, segments, words):
        """The score of every copy of every image, (N, n) float32."""
        batch = tf.shape(images)[0]
        hidden = self._hidden(images, segments)
        last = self.num_samples - 1

        def add(numbers, weights):
            # What fills the last chunk is its last copy again, as in other methods.
            numbers = tf.minimum(numbers, last)
            count = tf.shape(numbers)[0]
            states = binary_samples.unpack(tf.gather(words, numbers))
            kept = tf.gather(states, segments, axis=1)[..., None] > 0
            rows = tf.where(kept, images, hidden)
            rows = tf.reshape(rows, tf.concat([[-1], tf.shape(images)[1:]], axis=0))
            rows = tf.ensure_shape(rows, [None, *images.shape[1:]])
            value = self._scorer.evaluate(rows, tf.tile(targets, [count])).value
            value = weights[:, None] * tf.reshape(value, [count, batch])
            return (tf.scatter_nd(numbers[:, None], value, [last + 1, batch]),)

        zeros = tf.zeros([self.num_samples, batch])
        at_once = self._scorer.rows_at_once(self.chunk_size, images)
        (scores,) = sum_over_samples(add, (zeros,), self.num_samples, batch, at_once)
        return tf.transpose(scores)

    def _hidden(self, images, segments):
        if isinstance(self.fill, str):
            return groups.group_mean(images, segments)
        colour = np.float32(self.fill)
        if colour.ndim and not images.shape[-1:].is_compatible_with(colour.shape):
            raise ValueError(
                f"fill must have one number for each of the {images.shape[-1]} "
                f"channels of the images, but has {len(colour)}."
            )
        return tf.broadcast_to(colour, tf.shape(images))

    def _fit(self, words, num_groups, values):
        """Coefficients of one image's groups, (≥ p,) float32, and R²."""
        gram = binary_samples.gram(words, num_groups)
        weights = self._weights(tf.linalg.diag_part(gram), num_groups)
        factors, r_squared = regression.dual_ridge(gram, values, weights, self.alpha)
        coefficients = binary_samples.combine(factors, words, num_groups)
        return tf.cast(coefficients, tf.float32), tf.cast(r_squared, tf.float32)

    def _weights(self, kept, num_groups):
        """Weights of copies that keep so many of the groups, (n,) float64."""
        kept, total = tf.cast(kept, tf.float64), tf.cast(num_groups, tf.float64)
        if self.distance == "cosine":
            distance = 1 - tf.sqrt(kept / total)
        else:
            distance = tf.sqrt(total - kept)
        return tf.sqrt(tf.exp(-((distance / self.kernel_width) ** 2)))

    def get_config(self):
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "kernel_width": self.kernel_width,
            "distance": self.distance,
            "alpha": self.alpha,
            "fill": self.fill,
            "seed": self.seed,
            "chunk_size": self.chunk_size,
        }


def _checked_fill(fill):
    """The fill as the configuration holds it: "mean", a float or a list of floats."""
    if isinstance(fill, str):
        return checks.checked_choice("fill", fill, ("mean",))
    colour = checks.as_array(fill)
    if colour.dtype.kind not in "iuf" or colour.ndim > 1 or colour.size == 0:
        raise ValueError(
            'fill must be "mean" or a colour, a number or one for each channel, but '
            f"got {fill!r}."
        )
    if not np.isfinite(colour).all():
        raise ValueError(f"fill must be finite, but got {fill!r}.")
    return colour.astype(float).tolist()

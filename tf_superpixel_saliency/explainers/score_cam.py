"""ScoreCAM: a layer's feature maps, weighed by the score of what they show."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers import masked
from tf_superpixel_saliency.explainers.base import Attribution
from tf_superpixel_saliency.explainers.chunking import checked_chunk_size
from tf_superpixel_saliency.explainers.feature_maps import (
    FeatureMapExplainer,
    checked_switch,
    enlarged,
)
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.ops.resizing import resize_bilinear
from tf_superpixel_saliency.ops.sampling import sum_over_samples

WEIGHTINGS = ("increase", "softmax")


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class ScoreCAM(FeatureMapExplainer):
    """ReLU(Σ_k α_k A_k), α_k the score that the image keeps where A_k is large.

    Wang et al., CVPR Workshops 2020. Each feature map A_k is enlarged bilinearly to
    the image and scaled to [0, 1] by its own minimum and maximum, which gives a mask
    M_k. Its weight is the increase of confidence (definition 3),
    α_k = f_c(x ⊙ M_k) − f_c(fill). The weighted sum goes through the ReLU and is then
    enlarged, between pixel centres. A constant A_k has the mask 0, hence weight 0. No
    gradient is taken. Values are not scaled.

    `weighting="softmax"` is the paper's algorithm 1, which also takes a softmax of
    these increases over the channels. As they lie in [−1, 1] where the score is a
    probability, all weights are then alike within a factor e². Its authors' code
    leaves it out, and so does "increase", the default.

    Other libraries: tf-keras-vis applies a softmax to the outputs of models that end
    in one already, which makes all weights nearly the same; its maps are enlarged with
    the corner pixels held in place; its Faster-Score-CAM takes the channels of the
    whole batch.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        layer: which feature maps: as in `FeatureMapExplainer`. By default the last.
        max_channels: only so many feature maps, those with the largest standard
            deviation over the pixels of each image (Faster-Score-CAM); None for all.
        weighting: "increase" or "softmax".
        relu: whether negative values become 0; False keeps the evidence against.
        fill: what M_k = 0 shows, in the units of the images: a number, or one for
            each channel. The default is black for images in 0…255.
        chunk_size: masked images that go through the network at once, over the batch
            (but at least one of each image): memory is flat in the number of
            channels, each of which costs a pass. "auto" goes by the sizes of the
            network's feature maps, as in SmoothGrad.

    `maps` are (N, H, W, 1), and grouped where `superpixels` or `segments` are given,
    after the enlargement. A map of zeros, where nothing speaks for the class, has
    the `status` flag 4.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        layer=None,
        max_channels=None,
        weighting="increase",
        relu=True,
        fill=0.0,
        chunk_size="auto",
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        super().__init__(
            model,
            superpixels,
            layer,
            score=score,
            model_output=model_output,
            **kwargs,
        )
        if max_channels is not None:
            max_channels = checks.checked_count("max_channels", max_channels)
        self.max_channels = max_channels
        self.weighting = checks.checked_choice("weighting", weighting, WEIGHTINGS)
        self.relu = checked_switch("relu", relu)
        self.fill = masked.checked_fill(fill)
        self.chunk_size = checked_chunk_size(chunk_size)

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        features = self._feature_maps.features(
            self._scorer.prepared(images), self._scorer.further_inputs(images)
        )
        features = self._largest(features)
        fill = masked.fill_colour(self.fill, images)
        scores = self._channel_scores(images, score.targets, features, fill)
        hidden = tf.zeros_like(images) + fill
        weights = scores - self._scorer.evaluate(hidden, score.targets).value[:, None]
        if self.weighting == "softmax":
            weights = tf.nn.softmax(weights, axis=-1)
        coarse = tf.reduce_sum(weights[:, None, None] * features, -1, keepdims=True)
        return Attribution(enlarged(coarse, images, self.relu), False, score, {})

    def _largest(self, features):
        """Each image's own `max_channels` feature maps, (N, h, w, K') float32."""
        if self.max_channels is None or self.max_channels >= features.shape[-1]:
            return features
        spread = tf.math.reduce_std(features, axis=[1, 2])
        _, chosen = tf.math.top_k(spread, self.max_channels)
        by_channel = tf.transpose(features, [0, 3, 1, 2])
        by_channel = tf.gather(by_channel, chosen, axis=1, batch_dims=1)
        return tf.transpose(by_channel, [0, 2, 3, 1])

    def _channel_scores(self, images, targets, features, fill):
        """The score under the mask of every feature map, (N, K) float32."""
        channels = features.shape[-1]
        batch, height, width = tf.unstack(tf.shape(images)[:3])

        def add(numbers, weights):
            # What fills the last chunk is its last channel again.
            numbers = tf.minimum(numbers, channels - 1)
            maps = tf.gather(features, numbers, axis=-1)
            masks = _scaled(resize_bilinear(maps, height, width))
            values = masked.masked_scores(
                self._scorer, images, targets, tf.transpose(masks, [3, 0, 1, 2]), fill
            )
            values = weights[:, None] * values
            return (tf.scatter_nd(numbers[:, None], values, [channels, batch]),)

        zeros = tf.zeros([channels, batch])
        at_once = self._scorer.rows_at_once(self.chunk_size, images)
        (scores,) = sum_over_samples(add, (zeros,), channels, batch, at_once)
        return tf.transpose(scores)

    def get_config(self):
        fill = list(self.fill) if isinstance(self.fill, tuple) else self.fill
        return {
            **super().get_config(),
            "max_channels": self.max_channels,
            "weighting": self.weighting,
            "relu": self.relu,
            "fill": fill,
            "chunk_size": self.chunk_size,
        }


def _scaled(maps):
    """(N, H, W, k) to [0, 1], each map by its own minimum and maximum; constant: 0."""
    low = tf.reduce_min(maps, axis=[1, 2], keepdims=True)
    spread = tf.reduce_max(maps, axis=[1, 2], keepdims=True) - low
    return (maps - low) / tf.where(spread > 0, spread, 1.0)

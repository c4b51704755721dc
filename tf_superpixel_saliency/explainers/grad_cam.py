"""GradCAM: a layer's feature maps, weighed by the mean gradient in each of them."""

from __future__ import annotations

import contextlib

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.base import Attribution
from tf_superpixel_saliency.explainers.feature_maps import (
    FeatureMapExplainer,
    checked_switch,
    enlarged,
)
from tf_superpixel_saliency.explainers.scoring import Scorer
from tf_superpixel_saliency.ops import gradients


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class GradCAM(FeatureMapExplainer):
    """ReLU(Σ_k α_k A_k), α_k the mean over the pixels of ∂f_c/∂A_k, enlarged.

    Selvaraju et al., ICCV 2017, equations 1 and 2. A_k are the feature maps of one
    layer, and the enlargement to the image's size is bilinear between pixel centres,
    after the ReLU. Values are not scaled: the map is in units of the score.

    Their f is before the softmax: `score="logit"`. The default is the package's, the
    probability, whose gradient also counts against a feature that it speaks for other
    classes.

    Other libraries: tf-keras-vis scales each map to [0, 1]; tf-explain has no ReLU and
    multiplies by guided gradients unless told; xplique takes the model's output times
    the targets whatever score was asked for.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        layer: which feature maps: as in `FeatureMapExplainer`. By default the last.
        relu: whether negative values become 0; False keeps the evidence against.

    `maps` are (N, H, W, 1), and grouped where `superpixels` or `segments` are given,
    after the enlargement. A map of zeros, where nothing speaks for the class, has
    the `status` flag 4.

    Example: of a model that returns the mean of each feature map, a gradient is one
    over the number of pixels for its own map and 0 for others.

    >>> maps = keras.layers.Conv2D(2, 1)
    >>> model = keras.Sequential([
    ...     keras.Input((4, 6, 3)), maps, keras.layers.GlobalAveragePooling2D()
    ... ])
    >>> images = np.random.default_rng(0).normal(size=(1, 4, 6, 3))
    >>> explainer = GradCAM(model, score="logit", relu=False)
    >>> out = explainer(images, targets=[1])
    >>> np.allclose(out["maps"], maps(images)[..., 1:] / 24, atol=1e-6)
    True
    """

    def __init__(
        self,
        model,
        superpixels=None,
        layer=None,
        relu=True,
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
        self.relu = checked_switch("relu", relu)

    def _frozen(self, images):
        return contextlib.nullcontext()  # it runs the layers itself, for their maps

    def attribute(self, images, targets, segments):
        def evaluate(mark):
            scorer = Scorer(
                lambda x, **given: self._feature_maps.outputs(x, mark, given),
                self.score,
                self.model_output,
                self.preprocess,
            )
            return scorer.evaluate(images, targets)

        features, gradient, score = gradients.feature_gradient(
            evaluate, self._scorer.half
        )
        weights = tf.reduce_mean(gradient, axis=[1, 2], keepdims=True)
        coarse = tf.reduce_sum(weights * features, axis=-1, keepdims=True)
        return Attribution(enlarged(coarse, images, self.relu), False, score, {})

    def get_config(self):
        return {**super().get_config(), "relu": self.relu}

"""SimpleGradient: the gradient of the score in the pixels."""

from __future__ import annotations

import keras

from tf_superpixel_saliency.explainers.base import Attribution, Explainer
from tf_superpixel_saliency.ops import checks


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SimpleGradient(Explainer):
    """∇_x f_c(x), and with `superpixels` its mean in each group: κ(x)·∇_x f_c(x).

    Simonyan, Vedaldi and Zisserman, arXiv:1312.6034; paper, Definition 1 and §3.2.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`, the call's arguments, its outputs and errors.
        partition: taken for likeness with the other methods. There is one input to
            partition, so "static" and "dynamic" are the same.

    Example:

    >>> model = keras.Sequential([
    ...     keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(3)
    ... ])
    >>> explainer = SimpleGradient(model, score="logit")
    >>> out = explainer(np.zeros((1, 2, 2, 1)), targets=[2])
    >>> weights = model.get_weights()[0][:, 2]
    >>> np.allclose(out["maps"][0, ..., 0].numpy().ravel(), weights)
    True
    """

    def __init__(
        self,
        model,
        superpixels=None,
        partition="static",
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        super().__init__(model, superpixels, score, model_output, **kwargs)
        self.partition = checks.checked_choice(
            "partition", partition, ("static", "dynamic")
        )

    def attribute(self, images, targets, segments):
        gradient, score = self._scorer.gradient(images, targets)
        return Attribution(gradient, False, score, {})

    def get_config(self):
        return {**super().get_config(), "partition": self.partition}

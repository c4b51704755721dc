"""SmoothGrad: the mean gradient over noisy copies of the image."""

from __future__ import annotations

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.sampled import SampledExplainer
from tf_superpixel_saliency.ops import checks, noise


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SmoothGrad(SampledExplainer):
    """(1/n) Σ ∇f_c(x + σ ε_s), ε_s ~ N(0, 1), then the mean in each group.

    Smilkov et al., arXiv:1706.03825. The signed mean is returned, neither squared nor
    absolute. Averaging over samples and over pixels commute, so that with a static
    partition this is κ(x) applied to SmoothGrad, and the paper's Propositions hold.

    The noise is set by (seed, number of the sample) alone and is the same for every
    image of a batch: a map depends on its image and the seed, not on the batch, the
    chunks or the device. To compare two networks, give each a seed of its own.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        num_samples: number of noisy copies n.
        noise_level: σ as a fraction of each image's own max − min, at least 0.
        seed: 0 … 2³¹ − 1.
        partition, dynamic_sigma, chunk_size: as in `SampledExplainer`. With
            `Quickshift()` and noise of 0.15 the default sigma of 1.3 leaves as many
            groups as the clean image has: 1.02 times, median of 16 photos at 224×224,
            against 25 times at 0 and 0.65 times at 2. Other noise or super-pixels
            want another one: compare `num_groups` with the clean image's groups.

    The class explained is that of the clean image, and so is `scores`.

    With `superpixels="auto"` or a `SuperpixelChoice` the partition is chosen by the
    two halves of the noise samples, those of even and of odd number. They tell the
    sampling error and not what another training would change: that is in both halves
    and counts as signal. The choice suits this network's map with infinitely many
    samples, and gets finer the more samples there are, pixels in the end.
    """

    draws_noise = True

    def __init__(
        self,
        model,
        superpixels=None,
        num_samples=50,
        noise_level=0.15,
        seed=0,
        partition="static",
        dynamic_sigma=1.3,
        chunk_size=32,
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        super().__init__(
            model,
            superpixels,
            num_points=checks.checked_count("num_samples", num_samples),
            partition=partition,
            dynamic_sigma=dynamic_sigma,
            chunk_size=chunk_size,
            score=score,
            model_output=model_output,
            **kwargs,
        )
        self.num_samples = int(num_samples)
        self.noise_level = checks.checked_number("noise_level", noise_level, 0)
        self.seed = checks.checked_seed(seed)
        if self.chooses_partition:
            self._check_halves()

    def _check_halves(self):
        if self.is_dynamic:
            raise ValueError(
                'superpixels are chosen for the clean image: use partition="static", '
                'or one layer with partition="dynamic".'
            )
        if self.num_samples < 2 or not self.noise_level:
            raise ValueError(
                "superpixels are chosen by two halves of noise samples: num_samples "
                "must be at least 2 and noise_level above 0, but got "
                f"{self.num_samples} and {self.noise_level}."
            )

    def noisy_points(self, images):
        """Numbers (k,) of samples → (k, N, H, W, C) noisy copies of the images."""
        axes = [1, 2, 3]
        spread = tf.reduce_max(images, axes, keepdims=True) - tf.reduce_min(
            images, axes, keepdims=True
        )
        sigma = self.noise_level * spread
        shape = tf.shape(images)[1:]

        def points(numbers):
            normal = noise.normal_samples(shape, self.seed, numbers)
            return images + sigma * normal[:, None]

        return points

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        total, *further = self.add_up_gradients(
            images, score.targets, segments, self.noisy_points(images)
        )
        return self.attribution(total / self.num_samples, score, {}, further)

    def get_config(self):
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "noise_level": self.noise_level,
            "seed": self.seed,
        }

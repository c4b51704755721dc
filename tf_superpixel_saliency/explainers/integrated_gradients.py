"""IntegratedGradients: the gradient integrated from a baseline to the image."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.sampled import SampledExplainer
from tf_superpixel_saliency.ops import checks, filters, quadrature


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class IntegratedGradients(SampledExplainer):
    """(x − x′) ⊙ ∫₀¹ ∇f_c(x′ + α(x − x′)) dα, then the mean in each group.

    Sundararajan, Taly and Yan, ICML 2017. The paper's κ acts on the finished map, so
    (x − x′) ⊙ gradient is what is grouped: its sum over the pixels, and with it
    completeness Σ map = f(x) − f(x′), survives. With `weights="sqrt"` it doesn't: a
    group then adds √|S| times as much to the sum.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        num_steps: number of gradients, for every quadrature.
        quadrature: "midpoint", "trapezoid" (both ends included), "gauss_legendre", or
            "adaptive": 17 forward passes along the path, then midpoints of cells in
            which the score changes by the same amount, for each image its own.
        baseline: x′: a number for all pixels, an image (H, W, C), or "blur", the
            image itself smoothed with `blur_sigma`.
        blur_sigma: Gaussian sigma in pixels for `baseline="blur"`.
        partition, dynamic_sigma, chunk_size: as in `SampledExplainer`. Points on the
            way from black are darker, not noisy: unsmoothed they have 0.84 times the
            clean image's groups, median of 16 photos at 224×224 with `Quickshift()`,
            and fewer with any smoothing.

    Among the outputs is `completeness_error` (N,) float32:
    |Σ map − (f(x) − f(x′))|, the map's sum taken before grouping. It can be small
    while the map is still wrong.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        num_steps=50,
        quadrature="midpoint",
        baseline=0.0,
        blur_sigma=10.0,
        partition="static",
        dynamic_sigma=0.0,
        chunk_size=32,
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        least = 2 if quadrature == "trapezoid" else 1
        super().__init__(
            model,
            superpixels,
            num_points=checks.checked_count("num_steps", num_steps, least),
            partition=partition,
            dynamic_sigma=dynamic_sigma,
            chunk_size=chunk_size,
            score=score,
            model_output=model_output,
            **kwargs,
        )
        self.num_steps = int(num_steps)
        self.quadrature = checks.checked_choice("quadrature", quadrature, _RULES)
        self.blur_sigma = checks.checked_number("blur_sigma", blur_sigma, 0, True)
        self.baseline = _checked_baseline(baseline)

    def _baseline(self, images):
        if isinstance(self.baseline, str):
            return filters.gaussian_filter(images, self.blur_sigma)
        shape = np.shape(self.baseline)
        if shape and not images.shape[1:].is_compatible_with(shape):
            raise ValueError(
                f"baseline must be an image of shape {tuple(images.shape[1:])}, as the "
                f"images are, but got {shape}."
            )
        constant = tf.constant(self.baseline, tf.float32)
        return tf.broadcast_to(constant, tf.shape(images))

    def _nodes(self, start, difference, targets):
        """Nodes and weights, (num_steps, N) float32 each."""
        batch = tf.shape(start)[0]
        if self.quadrature != "adaptive":
            return tuple(
                tf.tile(tf.constant(values, tf.float32)[:, None], [1, batch])
                for values in quadrature.fixed_rule(self.quadrature, self.num_steps)
            )

        def scan(alpha):
            return self._scorer.evaluate(start + alpha * difference, targets).value

        scores = tf.map_fn(
            scan, tf.linspace(0.0, 1.0, quadrature.SCAN_POINTS), parallel_iterations=1
        )
        return quadrature.adaptive_rule(scores, self.num_steps)

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        start = self._baseline(images)
        difference = images - start
        start_score = self._scorer.evaluate(start, score.targets)
        nodes, weights = self._nodes(start, difference, score.targets)
        # In the units of the gradients, which are those of what the model eats.
        change = self._scorer.prepared(images) - self._scorer.prepared(start)

        def points(numbers):
            alphas = tf.gather(nodes, numbers)
            return start + alphas[:, :, None, None, None] * difference

        maps, total, *num_groups = self.add_up_gradients(
            images, score.targets, segments, points, weights, change, with_sums=True
        )
        total = tf.cast(total, tf.float64)
        gain = tf.cast(score.value, tf.float64) - tf.cast(start_score.value, tf.float64)
        extras = {"completeness_error": tf.cast(tf.abs(total - gain), tf.float32)}
        return self.attribution(maps, score, extras, num_groups)

    def get_config(self):
        baseline = self.baseline
        if isinstance(baseline, np.ndarray):
            baseline = baseline.tolist()
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "quadrature": self.quadrature,
            "baseline": baseline,
            "blur_sigma": self.blur_sigma,
        }


_RULES = quadrature.RULES


def _checked_baseline(baseline):
    if isinstance(baseline, str):
        return checks.checked_choice("baseline", baseline, ("blur",))
    array = np.asarray(baseline)
    if array.dtype.kind not in "iuf" or array.ndim not in (0, 3):
        raise ValueError(
            'baseline must be a number, an image of shape (H, W, C) or "blur", but got '
            f"{array.dtype} of shape {array.shape}."
        )
    if not np.isfinite(array).all():
        raise ValueError("baseline must be finite, but holds NaN or infinity.")
    return float(array) if array.ndim == 0 else array.astype(np.float32)

"""IntegratedGradients: the gradient integrated from a baseline to the image."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.path_integral import (
    Path,
    adaptive_integral,
    fixed_integral,
)
from tf_superpixel_saliency.explainers.path_tolerance import accurate_integral
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
        num_steps: number of gradients, for every quadrature: 50, or with `tolerance`
            the most that are taken, 500.
        quadrature: "adaptive" puts them where the map changes along the path, for each
            image its own (`ops.adaptive_quadrature`); or "midpoint", "trapezoid" (both
            ends included), "gauss_legendre", the same for all.
        baseline: x′: a number for all pixels, an image (H, W, C), or "blur", the
            image itself smoothed with `blur_sigma`.
        blur_sigma: Gaussian sigma in pixels for `baseline="blur"`.
        partition, dynamic_sigma, chunk_size: as in `SampledExplainer`. Points on the
            way from black are darker, not noisy: unsmoothed they have 0.84 times the
            clean image's groups, median of 16 photos at 224×224 with `Quickshift()`,
            and fewer with any smoothing.
        tolerance: the relative error of the grouped map at which an image has enough
            gradients, for "adaptive". None takes `num_steps`.

    Among the outputs are `num_steps` (N,) float32, the gradients taken, and
    `completeness_error` (N,), |Σ map − (f(x) − f(x′))| with the map's sum taken before
    grouping, which can be small while the map is still wrong. For "adaptive"
    `relative_error` (N,) is the expected ‖map − exact map‖ / ‖map‖ in groups: told by
    the first 25 gradients, with `tolerance` by all of them.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        num_steps=None,
        quadrature="adaptive",
        baseline=0.0,
        blur_sigma=10.0,
        partition="static",
        dynamic_sigma=0.0,
        chunk_size="auto",
        tolerance=None,
        score="probability",
        model_output="auto",
        **kwargs,
    ):
        least = 2 if quadrature in ("trapezoid", "adaptive") else 1
        if num_steps is None:
            num_steps = NUM_STEPS if tolerance is None else MOST_STEPS
        if tolerance is not None and quadrature != "adaptive":
            raise ValueError(
                'tolerance needs quadrature="adaptive", which knows its error, but got '
                f"{quadrature!r}."
            )
        super().__init__(
            model,
            superpixels,
            num_points=checks.checked_count("num_steps", num_steps, least),
            partition=partition,
            dynamic_sigma=dynamic_sigma,
            chunk_size=chunk_size,
            tolerance=tolerance,
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

    def attribute(self, images, targets, segments):
        score = self._scorer.evaluate(images, targets)
        start = self._scorer.evaluate(self._baseline(images), score.targets)
        measured = self.quadrature == "adaptive"
        out = self.each_image(
            images,
            score.targets,
            segments,
            self._explain_image,
            numbers=("sum", "num_steps", *(["relative_error"] if measured else [])),
        )
        gain = score.value - start.value
        out["completeness_error"] = tf.abs(out.pop("sum") - gain)
        return self.attribution(out, score)

    def _explain_image(self, points):
        start = self._baseline(points.image)
        # In the units of the gradients, which are those of what the model eats.
        change = self._scorer.prepared(points.image) - self._scorer.prepared(start)
        path = Path(points, start, change, self.rows_at_once(points.image))
        if self.quadrature != "adaptive":
            integral = fixed_integral(path, self.quadrature, self.num_steps)
        elif self.tolerance is None:
            integral = adaptive_integral(path, self.num_steps)
        else:
            integral = accurate_integral(path, self.tolerance, self.num_steps)
        out = {
            "maps": integral.maps,
            "sum": integral.numbers["sum"],
            "num_steps": integral.num_steps,
        }
        if integral.error is not None:
            size = tf.reduce_sum(tf.square(integral.maps))
            out["relative_error"] = tf.sqrt(tf.math.divide_no_nan(integral.error, size))
        if self.is_dynamic:
            out["num_groups"] = integral.numbers["num_groups"] / integral.num_steps
        return out

    def get_config(self):
        baseline = self.baseline
        if isinstance(baseline, np.ndarray):
            baseline = baseline.tolist()
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "tolerance": self.tolerance,
            "quadrature": self.quadrature,
            "baseline": baseline,
            "blur_sigma": self.blur_sigma,
        }


_RULES = quadrature.RULES
NUM_STEPS = 50
MOST_STEPS = 500


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

"""SparsifiedSmoothGrad: how often a pixel is among the highest of a noisy gradient."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers.image_points import mean_of_pairs
from tf_superpixel_saliency.explainers.smooth_grad import SmoothGrad
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.ops.sparsify import sparsify

ORDERS = ("group_last", "sparsify_last")


@keras.saving.register_keras_serializable(package="tf_superpixel_saliency")
class SparsifiedSmoothGrad(SmoothGrad):
    """(1/n) Σ h(|∇f_c(x + σ ε_s)|), h keeping the largest values of each sample.

    Levine, Singla and Feizi, arXiv:1905.12105. h is 1 for the largest fraction
    `top_fraction` of the H·W·C values and 0 elsewhere; `relaxed`, it is
    min(z / z_γ, 1) there, z_γ being the quantile at `saturation_fraction` from the
    top. Ties at the threshold are kept whole. Maps are unsigned, in [0, 1].

    h isn't linear, so the order of grouping matters:
    `order="group_last"` averages the finished pixel map inside the groups;
    `order="sparsify_last"` groups each sample's gradient first and keeps the highest
    groups. Without super-pixels both are the same.

    Args:
        model: as in `Explainer`, and so are `superpixels`, `score`, `model_output`,
            `preprocess`.
        num_samples, noise_level, seed, antithetic, tolerance: as in `SmoothGrad`.
        top_fraction: τ in (0, 1].
        relaxed: the relaxed form in place of the binary one.
        saturation_fraction: γ in (0, τ], used by the relaxed form.
        order: "group_last" or "sparsify_last".
        partition, dynamic_sigma, chunk_size: as in `SampledExplainer`.

    Among the outputs is `kept_fraction` (N,) float32, the mean share of values kept:
    above τ where ties were kept whole.
    """

    def __init__(
        self,
        model,
        superpixels=None,
        num_samples=None,
        noise_level=0.15,
        seed=0,
        top_fraction=0.1,
        relaxed=False,
        saturation_fraction=0.01,
        order="group_last",
        **kwargs,
    ):
        super().__init__(
            model,
            superpixels,
            num_samples=num_samples,
            noise_level=noise_level,
            seed=seed,
            **kwargs,
        )
        self.top_fraction = checks.checked_fraction("top_fraction", top_fraction)
        self.relaxed = bool(relaxed)
        self.saturation_fraction = checks.checked_fraction(
            "saturation_fraction", saturation_fraction
        )
        if self.relaxed and self.saturation_fraction > self.top_fraction:
            raise ValueError(
                "saturation_fraction must be at most top_fraction, but got "
                f"{saturation_fraction} and {top_fraction}."
            )
        self.order = checks.checked_choice("order", order, ORDERS)
        if self.chooses_partition and order != "group_last":
            raise ValueError(
                "superpixels are chosen by maps that are not grouped yet: use "
                'order="group_last", or one layer.'
            )

    pair_numbers = ("kept_fraction",)

    def pair_maps(self, points, rows):
        saturation = self.saturation_fraction if self.relaxed else None
        gradients = points.gradients(rows)
        partitions, counts = points.partitions(rows)
        group_first = self.order == "sparsify_last"
        if group_first:
            gradients = points.grouped(gradients, partitions)
        kept, share = sparsify(gradients, self.top_fraction, saturation)
        # NaN is among the highest or not as its bits say: it must stay seen.
        finite = checks.all_finite(gradients)
        maps = tf.where(finite[:, None, None, None], kept, np.nan)
        if self.is_dynamic:
            # Sparsified group means are constant in their groups already: grouping
            # them again would add nothing but rounding.
            maps = maps if group_first else points.grouped(maps, partitions)
            maps = mean_of_pairs(maps)
        else:
            maps = mean_of_pairs(maps)
            maps = maps if group_first else points.grouped(maps)
        values = {"kept_fraction": share, **counts}
        return maps, {name: mean_of_pairs(value) for name, value in values.items()}

    def get_config(self):
        return {
            **super().get_config(),
            "top_fraction": self.top_fraction,
            "relaxed": self.relaxed,
            "saturation_fraction": self.saturation_fraction,
            "order": self.order,
        }

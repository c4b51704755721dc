"""The structural similarity of two heatmaps, fast enough for some 100,000 pairs."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.metrics.pairs import compare, heatmap
from tf_superpixel_saliency.ops import checks, reductions

UNIFORM_WIDTH = 7
# Width and standard deviation of the Gaussian window of Wang et al., in pixels.
GAUSSIAN_WIDTH = 11
GAUSSIAN_SIGMA = 1.5


def structural_similarity(
    maps_a, maps_b, percentile: float | None = 99.0, window: str = "uniform"
) -> np.ndarray:
    """The structural similarity index (SSIM) of the two heatmaps.

    Wang, Bovik, Sheikh, Simoncelli, 'Image quality assessment: from error visibility
    to structural similarity' (2004), eq. 13, with K1 = 0.01, K2 = 0.03. Each heatmap
    Σ_c |map| is clipped at its own percentile and scaled from its minimum and maximum
    to [0, 1], the range that the constants refer to: left unscaled, maps of size 1e-3
    reach 0.997 whatever they show. The index is averaged over all windows that lie
    within the image.

    Equal to `skimage.metrics.structural_similarity` with `data_range=1`: its default,
    7×7 uniform with the sample covariance, or `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`, 11×11, as in the paper of Wang et al. Libraries
    that let the range follow from both maps, or call constant maps equal, differ.

    Args:
        maps_a, maps_b: (N, H, W, C) or (N, H, W) real.
        percentile: in (0, 100]; 100 or None for no clipping.
        window: "uniform" or "gaussian".

    Returns:
        (N,) float64 in [−1, 1], 1 for equal heatmaps; NaN where a heatmap is constant
        once clipped, as one with fewer than 1 % of its pixels above 0 is.

    Raises:
        ValueError: shapes that differ, an image smaller than the window, a percentile
            out of its range, another window.
    """
    checks.checked_choice("window", window, ("uniform", "gaussian"))
    percentile = 100.0 if percentile is None else percentile
    reductions.check_percentile(percentile)
    uniform = window == "uniform"
    width = UNIFORM_WIDTH if uniform else GAUSSIAN_WIDTH
    average = _uniform_mean if uniform else _gaussian_mean
    sample = width**2 / (width**2 - 1) if uniform else 1.0

    def prepare(values):
        if min(values.shape[:2]) < width:
            raise ValueError(
                f"the {window} window needs maps of at least {width}×{width} pixels, "
                f"but got {values.shape[0]}×{values.shape[1]}."
            )
        scaled = _clipped_to_unit(heatmap(values), percentile)
        return None if scaled is None else _moments(scaled, average)

    def measure(a, b):
        return _mean_ssim(a, b, average(a[0] * b[0]), sample)

    return compare(maps_a, maps_b, prepare, measure)


def _clipped_to_unit(heat, percentile):
    """`reductions.clip_at_percentile` and `scale_to_unit` of one finite heatmap.

    The same numbers for a third of the time; None where the heatmap is constant.
    """
    if not np.isfinite(heat.sum()):
        return None
    low = heat.min()
    if percentile < 100:
        position = percentile / 100 * (heat.size - 1)
        below = int(position)
        ordered = np.partition(heat.ravel(), below)
        lower, upper = ordered[below], ordered[below + 1 :].min()
        high = lower + (position - below) * (upper - lower)
        heat = np.minimum(heat, high)
    high = heat.max()
    return (heat - low) / (high - low) if high > low else None


def _moments(scaled, average):
    """One heatmap, its window means, and the window means of its square."""
    return scaled, average(scaled), average(scaled * scaled)


def _mean_ssim(a, b, mean_product, sample, c1=0.01**2, c2=0.03**2):
    """The mean index from `_moments` of both and the window means of their product."""
    (_, mean_a, square_a), (_, mean_b, square_b) = a, b
    product = mean_a * mean_b
    squares = mean_a * mean_a + mean_b * mean_b
    covariance = sample * (mean_product - product)
    variances = sample * (square_a + square_b - squares)
    index = (2 * product + c1) / (squares + c1)
    index *= (2 * covariance + c2) / (variances + c2)
    return index.mean()


def _uniform_mean(values):
    """Means of all 7×7 windows within (H, W), by sums of 2, 4 and 7 neighbours."""
    for _ in range(2):  # down the rows, then along them
        two = values[:-1] + values[1:]
        four = two[:-2] + two[2:]
        values = (four[:-3] + two[4:-1] + values[6:]).T
    return values / UNIFORM_WIDTH**2


def _gaussian_mean(values):
    """Gaussian means of all 11×11 windows within (H, W), sigma 1.5."""
    from scipy import ndimage

    edge = GAUSSIAN_WIDTH // 2
    truncate = edge / GAUSSIAN_SIGMA
    means = ndimage.gaussian_filter(values, GAUSSIAN_SIGMA, truncate=truncate)
    return means[edge:-edge, edge:-edge]

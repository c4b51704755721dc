"""How much of a smoothed map's highest values no small change of the image can move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.pairs import checked_maps
from tf_superpixel_saliency.ops import checks


class Certificate(NamedTuple):
    """What `certified_overlap` returns.

    Attributes:
        overlap: (N, R) int, how many of the top values stay among the top, at least.
        top: (N,) int, how many top values there are, K.
        values: (N,) int, among how many, n.
        slack: (N,) float64, how far a value may be off for want of samples.
    """

    overlap: np.ndarray
    top: np.ndarray
    values: np.ndarray
    slack: np.ndarray


def certified_overlap(
    maps,
    sigma,
    radii,
    num_samples: int,
    segments=None,
    top=0.1,
    confidence: float = 0.95,
) -> Certificate:
    """Levine's certificate of a sparsified map, over its groups or its values.

    Levine, Singla and Feizi, 'Certifiably Robust Interpretation in Deep Learning'
    (arXiv:1905.12105). A map is w(x) = E h(x + σε), h in [0, 1] for each value, as
    `SparsifiedSmoothGrad`'s is. For an image x̃ with ‖x̃ − x‖₂ ≤ ρ then

        Φ(Φ⁻¹(w_i(x)) − ρ/σ) ≤ w_i(x̃) ≤ Φ(Φ⁻¹(w_i(x)) + ρ/σ),

    for Φ⁻¹(w) is Lipschitz with constant 1/σ (shown for smoothed classifiers by Salman
    et al., arXiv:1906.04584). Let w_[i] be the i-th largest. If the
    lower bound of w_[i] is above the upper bound of w_[2K − i + 1], at least i of the K
    highest values at x are among the K highest at x̃, whatever x̃ is: the overlap is
    the largest such i, and no bound that sees the values' intervals alone is better.

    The mean of q samples is within c = √(log(2n/(1 − confidence)) / 2q) of w for all n
    values at once (Hoeffding), which widens the bounds. With groups n is p·C in place
    of H·W·C, so that fewer values share the confidence, and the top are groups.

    What it holds for: the class, σ and the groups of the clean image, kept for x̃, and
    w itself there (a map of infinitely many samples). σ is in the units of the pixels,
    and so are the radii.

    Args:
        maps: (N, H, W, C) or (N, H, W) in [0, 1], means over the samples; with
            `segments` constant in each group and channel.
        sigma: σ, a number or (N,): `noise_level` times each image's max − min.
        radii: (R,) ρ, at least 0.
        num_samples: q.
        segments: (H, W) or (N, H, W) integers, the groups; None for H·W·C values.
        top: K, a number of values, or a share of them below 1 (at least one value).
        confidence: that all of it holds, in (0, 1).

    Returns:
        `Certificate(overlap, top, values, slack)`.

    Raises:
        ValueError, TypeError: values out of [0, 1] or not constant in their group,
            shapes that don't fit, or numbers out of range.
    """
    maps = checked_maps("maps", maps).astype(np.float64)
    if not (np.isfinite(maps).all() and maps.min() >= 0 and maps.max() <= 1 + 1e-6):
        raise ValueError(
            "maps must lie in [0, 1], as SparsifiedSmoothGrad's do with "
            f'weights="mean", but got {maps.min():g} to {maps.max():g}.'
        )
    sigma = np.broadcast_to(np.asarray(sigma, np.float64), len(maps))
    radii = np.atleast_1d(np.asarray(radii, np.float64))
    if not (sigma > 0).all() or not (radii >= 0).all() or radii.ndim != 1:
        raise ValueError(
            "sigma must be above 0 and radii (R,) numbers of at least 0, but got "
            f"{sigma.min():g} and {radii}."
        )
    num_samples = checks.checked_count("num_samples", num_samples)
    confidence = checks.checked_fraction("confidence", confidence)
    if confidence >= 1:
        raise ValueError("confidence must be below 1, such as 0.95.")
    if segments is not None:
        segments = checks.checked_segments(segments, maps.shape)
    rows = []
    for i, one in enumerate(np.minimum(maps, 1.0)):
        values = _group_values(one, None if segments is None else segments[i])
        number = _top(top, values.size)
        slack = np.sqrt(np.log(2 * values.size / (1 - confidence)) / (2 * num_samples))
        found = [_overlap(values, rho / sigma[i], slack, number) for rho in radii]
        rows.append((found, number, values.size, slack))
    overlap, top, number, slack = (np.array(column) for column in zip(*rows))
    return Certificate(overlap, top, number, slack)


def _group_values(one_map, labels):
    """The values of a map, one a group and channel, highest first."""
    flat = one_map.reshape(-1, one_map.shape[-1])
    if labels is not None:
        labels = labels.ravel()
        first = np.unique(labels, return_index=True)[1]
        if np.abs(flat - flat[first][labels]).max() > 1e-5:
            raise ValueError(
                "maps must be constant in each group of segments: pass the map that "
                "was grouped by them, or segments=None."
            )
        flat = flat[first]
    return np.sort(flat.ravel())[::-1]


def _overlap(values, distance, slack, number):
    """The largest i with lower(w_[i]) > upper(w_[2K − i + 1]), 0 for none."""
    from scipy import special

    with np.errstate(invalid="ignore"):
        lower = special.ndtri(np.clip(values - slack, 0, 1)) - distance
        upper = special.ndtri(np.clip(values + slack, 0, 1)) + distance
    ranks = np.arange(1, number + 1)
    others = 2 * number - ranks + 1
    # Among n values the two tops share 2K − n whatever happens.
    beyond = others > values.size
    holds = beyond | (lower[ranks - 1] > upper[np.minimum(others, values.size) - 1])
    return int(ranks[holds].max(initial=0))


def _top(top, size):
    if isinstance(top, (int, np.integer)) and not isinstance(top, bool):
        return min(checks.checked_count("top", top), size)
    share = checks.checked_fraction("top", top)
    return max(1, int(np.floor(share * size + 1e-9)))

"""MeGe and ReCo: do models that saw an image and models that didn't agree on it?

Fel, Vigouroux, Cadène, Serre, 'How good is your explanation? Algorithmic stability
measures to assess the quality of explanations for deep neural networks' (WACV 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.fold_pairs import Pairs, fold_pairs
from tf_superpixel_saliency.metrics.stability import l2_distance


class Generalizability(NamedTuple):
    """What `mege_and_reco` returns.

    Attributes:
        mege: 1/(1 + mean distance of `same`), in (0, 1].
        reco: the greatest TPR + TNR − 1, in [0, 1].
        threshold: the distance at which `reco` is reached.
        same: `Pairs` of which both models are right: S=.
        different: `Pairs` of which exactly one model is right: S≠.
    """

    mege: float
    reco: float
    threshold: float
    same: Pairs
    different: Pairs


class MeGe(NamedTuple):
    """`mege_and_reco`'s `mege`, and the pairs that it is the mean of."""

    mege: float
    same: Pairs


class ReCo(NamedTuple):
    """`mege_and_reco`'s `reco`, with its threshold and both sets of pairs."""

    reco: float
    threshold: float
    same: Pairs
    different: Pairs


def mege_and_reco(
    maps,
    predictions,
    labels,
    folds,
    distance: Callable = l2_distance,
    batch_size: int = 32,
) -> Generalizability:
    """Mean generalizability (MeGe) and relative consistency (ReCo) of k models.

    Model i was trained on all folds but fold i. An image x of fold i makes k − 1
    pairs: model i, which didn't see it, and each model j ≠ i, which did. A pair goes
    to S= where both predict the label of x, to S≠ where exactly one does, and is left
    out where none does. With d the distance of their two maps of x, both for its
    label,

    - MeGe = 1/(1 + mean of d over S=);
    - ReCo = max over γ of TPR(γ) + TNR(γ) − 1, where TPR is the share of S= with
      d ≤ γ, TNR the share of S≠ with d > γ, and γ takes every distance there is.

    MeGe depends on the scale of the distance: noise that is averaged away in groups
    raises it, as any shrinking of the maps does. `l2_distance(…, normalized=True)`
    does not. Distances that are NaN count in neither; they stay in the pairs.

    Args:
        maps: array (k, N, H, W, C) or (k, N, H, W), or a callable (model, images) →
            maps (n, H, W, C) or (n, H, W) of the images of those indices under that
            model, for their label; it is asked only for maps that make a pair, and for
            none twice.
        predictions: (k, N) integers, the class that each model predicts.
        labels: (N,) integers, the true class.
        folds: (N,) integers 0…k − 1, the fold of each image: the model that was
            trained without it. The paper takes 5.
        distance: (maps_a, maps_b) → (n,), such as `l2_distance`.
        batch_size: images whose maps are held at a time.

    Returns:
        `Generalizability(mege, reco, threshold, same, different)`. `mege` is NaN where
        S= holds no distance, `reco` and `threshold` where S= or S≠ doesn't; a `reco`
        of 0 may have the threshold −inf, below all distances.

    Raises:
        ValueError, TypeError: shapes that don't fit, folds out of range, fewer than
            two models.
    """
    same, different = fold_pairs(maps, predictions, labels, folds, distance, batch_size)
    threshold, consistency = _best_threshold(same.distances, different.distances)
    defined = _defined(same.distances)
    value = 1 / (1 + float(defined.mean())) if defined.size else np.nan
    return Generalizability(value, consistency, threshold, same, different)


def mege(maps, predictions, labels, folds, distance=l2_distance, batch_size=32) -> MeGe:
    """Mean generalizability and its pairs: see `mege_and_reco`."""
    found = mege_and_reco(maps, predictions, labels, folds, distance, batch_size)
    return MeGe(found.mege, found.same)


def reco(maps, predictions, labels, folds, distance=l2_distance, batch_size=32) -> ReCo:
    """Relative consistency and its pairs: see `mege_and_reco`."""
    found = mege_and_reco(maps, predictions, labels, folds, distance, batch_size)
    return ReCo(found.reco, found.threshold, found.same, found.different)


def _best_threshold(same, different):
    """(γ, TPR + TNR − 1) at the γ where it is greatest; NaN if a set is empty."""
    same, different = np.sort(_defined(same)), np.sort(_defined(different))
    if not same.size or not different.size:
        return np.nan, np.nan
    thresholds = np.unique(np.concatenate([[-np.inf], same, different]))
    caught = np.searchsorted(same, thresholds, side="right") / same.size
    missed = np.searchsorted(different, thresholds, side="right") / different.size
    best = int(np.argmax(caught - missed))
    return float(thresholds[best]), float(caught[best] - missed[best])


def _defined(distances):
    return distances[~np.isnan(distances)]

"""How much of two maps' agreement is chance, and what remains without it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.grouping import group_map, group_mean
from tf_superpixel_saliency.metrics.pairs import checked_maps, checked_pair
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.ops.groups import WEIGHTS


class ChanceCorrected(NamedTuple):
    """What `chance_corrected` returns, each (N,) float64, or (N, K) for K measures."""

    observed: np.ndarray
    chance: np.ndarray
    excess: np.ndarray
    chance_shuffled: np.ndarray
    chance_other: np.ndarray


def chance_corrected(
    measure: Callable,
    maps_a,
    maps_b,
    segments=None,
    num_seeds: int = 20,
    seed: int = 0,
    perfect=1.0,
    smooth: Callable | None = None,
    weights: str = "mean",
    others=None,
) -> ChanceCorrected:
    """A measure of agreement, the value that it has by chance, and the excess.

    Two maps grouped by the same segments agree even where they are noise: the mean of
    noise goes as 1/√|S|, so both show the sizes of the groups, and white noise reaches
    a structural similarity of 0.3–0.6. Chance is measured on the same segments with
    what B's map would be if it knew nothing of A's:

    - `chance_shuffled`: B's map of the image with its pixels shuffled, all channels of
      a pixel together, then grouped; the mean over `num_seeds` shuffles;
    - `chance_other`: B's map of another image, of the batch or of `others`, grouped by
      this image's segments; the mean over `num_seeds` other images, each taken once,
      or over all where there are fewer. A distance that is not normalised then also
      depends on that map's scale.

    `chance` is the mean of the two, and excess = (observed − chance)/(perfect −
    chance): 0 for maps that agree by chance alone, 1 for equal ones.

    Shuffles depend on `seed` and the image's position in the batch alone, so that
    `observed` and `chance_shuffled` of an image don't change as images are added
    behind it. Work goes image by image, and memory doesn't grow with the batch.

    Args:
        measure: (maps_a, maps_b) → (N,), each pair measured by itself, such as
            `structural_similarity` or `l2_distance`. It gets one image's
            1 + 2·num_seeds pairs at a time. One that returns (N, K), K measures side
            by side, saves grouping the same maps K times.
        maps_a, maps_b: maps of two networks before any grouping, (N, H, W, C) signed
            or (N, H, W) heatmaps, of any library. Grouped maps are a mistake that
            can't be seen here: their chance comes out too low.
        segments: (H, W) or (N, H, W) non-negative integers in any numbering; None
            compares pixels.
        num_seeds: shuffles, and other images, an image.
        seed: of the shuffles and of the choice of other images.
        perfect: the measure's value for equal maps: 1 for a similarity, 0 for a
            distance; K of them for K measures.
        smooth: (map (H, W, C), number of the image) → a map of the same shape, what
            is done to each map in place of grouping it; not with `segments`.
        weights: of the grouping, "mean" or "sqrt", as `GroupIndicator` has them.
        others: (M, H, W, C), or (M, H, W) for heatmaps: B's maps of further images,
            for a batch that has fewer than `num_seeds` + 1.

    Returns:
        `ChanceCorrected(observed, chance, excess, chance_shuffled, chance_other)`,
        each (N,) float64. A draw that is NaN (say another image's zero map) is left
        out of its mean. `chance_other` is NaN where no other image has a value, as in
        a batch of one without `others`, and `chance` then is `chance_shuffled`.
        `excess` is NaN where `observed` or `chance` is, or where chance itself is
        perfect, as for the cosine of positive heatmaps in one group.

    Raises:
        ValueError, TypeError: shapes that don't fit, no image, segments that aren't
            labels or come with `smooth`, a count below 1, or a measure that doesn't
            return one value, or one row, a pair.
    """
    heatmaps = np.ndim(maps_a) == 3
    maps_a, maps_b = (_floating(maps) for maps in checked_pair(maps_a, maps_b))
    if not len(maps_a):
        raise ValueError("maps_a and maps_b must be maps of at least one image.")
    num_seeds = checks.checked_count("num_seeds", num_seeds)
    seed = checks.checked_count("seed", seed, low=0)
    if segments is not None:
        if smooth is not None:
            raise ValueError("Give segments or smooth, what is done to maps, not both.")
        segments = checks.checked_segments(segments, maps_a.shape)
    checks.checked_choice("weights", weights, WEIGHTS)
    others = maps_b[:0] if others is None else _checked_others(others, maps_b)
    rows = []
    for i in range(len(maps_a)):
        labels = None if segments is None else segments[i].ravel().astype(np.intp)
        finish = functools.partial(_finished, smooth, i)
        draw = np.random.default_rng([seed, i])
        drawn = _candidates(maps_b, i, others, labels, weights, num_seeds, draw)
        candidates = np.stack([finish(one) for one in drawn])
        own = finish(_grouped(maps_a[i], labels, weights))
        own = np.broadcast_to(own, candidates.shape)
        if heatmaps:
            own, candidates = own[..., 0], candidates[..., 0]
        found = _measured(measure, own, candidates)
        parts = np.split(found, [1, num_seeds + 1])
        rows.append([_mean(part) for part in parts])
    observed, shuffled, other = np.moveaxis(np.array(rows, np.float64), 1, 0)
    chance = np.where(np.isnan(other), shuffled, (shuffled + other) / 2)
    perfect = np.asarray(perfect, np.float64)
    room = perfect - chance
    room[np.abs(room) <= 1e-9 * np.abs(perfect)] = np.nan
    return ChanceCorrected(
        observed, chance, (observed - chance) / room, shuffled, other
    )


def _checked_others(others, maps_b):
    """(M, H, W, C) of the maps' own type."""
    others = checked_maps("others", others)
    if others.shape[1:] != maps_b.shape[1:]:
        raise ValueError(
            "others must be maps of further images like maps_b, each of shape "
            f"{_as_given(maps_b)}, but came with maps of shape {_as_given(others)}."
        )
    return others.astype(maps_b.dtype, copy=False)


def _as_given(maps):
    """The shape of one map, without the axis that a heatmap got."""
    return maps.shape[1:3] if maps.shape[3] == 1 else maps.shape[1:]


def _candidates(maps_b, i, others, labels, weights, num_seeds, draw):
    """B's map of image i, its shuffles, and B's maps of other images, all grouped."""
    yield _grouped(maps_b[i], labels, weights)
    for _ in range(num_seeds):
        yield _shuffled(maps_b[i], labels, weights, draw)
    numbers = draw.permutation(len(maps_b) - 1 + len(others))[:num_seeds]
    for number in numbers + (numbers >= i):
        inside = number < len(maps_b)
        other = maps_b[number] if inside else others[number - len(maps_b)]
        yield _grouped(other, labels, weights)


def _finished(smooth, number, one_map):
    return one_map if smooth is None else smooth(one_map, number)


def _grouped(values, labels, weights):
    return values if labels is None else group_map(values, labels, weights)


def _shuffled(values, labels, weights, draw):
    """(H, W, C) with its pixels shuffled, then grouped.

    The means of shuffled pixels in fixed groups are those of fixed pixels in shuffled
    groups: only the labels move.
    """
    pixels = values.reshape(-1, values.shape[-1])
    if labels is None:
        out = np.empty_like(pixels)
        out[draw.permutation(len(pixels))] = pixels
    else:
        means = group_mean(pixels, draw.permutation(labels), weights)
        out = np.take(means, labels, axis=0)
    return out.reshape(values.shape)


def _measured(measure, maps_a, maps_b):
    found = np.asarray(measure(maps_a, maps_b))
    fits = found.ndim in (1, 2) and len(found) == len(maps_a)
    if not fits or found.dtype.kind not in "biuf":
        raise ValueError(
            f"measure must return one number a pair, shape ({len(maps_a)},), or a row "
            f"of K, but got {found.dtype} of shape {found.shape}. Sum or average over "
            "the axes of a map inside it."
        )
    return found


def _mean(values):
    """The mean over draws of what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _floating(maps):
    return maps if maps.dtype in (np.float32, np.float64) else maps.astype(np.float64)

"""How far the maps of two networks agree, under each method and partition."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.evaluation import blur
from tf_superpixel_saliency.evaluation.maps import MapStore, Network, span
from tf_superpixel_saliency.evaluation.partitions import Partition, group_counts
from tf_superpixel_saliency.evaluation.storage import PartStore
from tf_superpixel_saliency.metrics import chance
from tf_superpixel_saliency.metrics.grouping import group_map

BLUR = "blurred"


class Measure(NamedTuple):
    """A measure of agreement.

    Attributes:
        name: as tables show it.
        function: (maps_a, maps_b) → (N,).
        perfect: its value for equal maps.
    """

    name: str
    function: Callable
    perfect: float = 1.0


SSIM = "SSIM"
COSINE = "signed cosine"
MEASURES = (
    Measure(SSIM, metrics.structural_similarity),
    Measure(
        "SSIM, Gaussian, unclipped",
        functools.partial(
            metrics.structural_similarity, percentile=None, window="gaussian"
        ),
    ),
    Measure(COSINE, metrics.cosine_similarity),
    Measure(
        "absolute cosine",
        functools.partial(metrics.cosine_similarity, signed=False),
    ),
    Measure("rank correlation", metrics.rank_correlation),
    Measure("L2 distance", metrics.l2_distance, 0.0),
    Measure(
        "normalised L2 distance",
        functools.partial(metrics.l2_distance, normalized=True),
        0.0,
    ),
)


def measures_named(*names) -> tuple[Measure, ...]:
    """Some of `MEASURES`, in their order there."""
    return tuple(measure for measure in MEASURES if measure.name in names)


class Agreement(NamedTuple):
    """Agreement of two networks, image by image.

    Attributes:
        methods: (M,) names.
        partitions: (P,) names; several partitions of one name are averaged.
        measures: (K,) names.
        values: (M, P, N, K, 5) float64: the fields of `ChanceCorrected`.
        groups: (P, N) float64, number of groups of each image.
    """

    methods: tuple
    partitions: tuple
    measures: tuple
    values: np.ndarray
    groups: np.ndarray

    def of(self, method, partition, measure, field="observed") -> np.ndarray:
        """(N,): one field of one measure."""
        return self.values[
            self.methods.index(method),
            self.partitions.index(partition),
            :,
            self.measures.index(measure),
            chance.ChanceCorrected._fields.index(field),
        ]


def agreement(
    store: PartStore,
    maps: MapStore,
    pair: tuple[Network, Network],
    methods,
    partitions: list[Partition],
    measures=MEASURES,
    num_seeds: int = 20,
    seed_b: int | None = None,
    blur_like: str | None = None,
    progress: Callable = lambda items, text: items,
) -> Agreement:
    """Observed agreement and chance of every image, method, partition and measure.

    Where several partitions have one name, as random ones of several seeds do, each
    gets its share of the draws of chance. The other images that chance is drawn from
    are those of the chunk and, where it has too few, of the chunks beside it.

    Args:
        store: where finished parts are kept.
        maps: the images and their maps.
        pair: network A, whose class is explained, and network B.
        methods: gradient methods, or other explainers' settings.
        partitions: those to compare.
        measures: of agreement.
        num_seeds: draws of chance, of either kind, an image.
        seed_b: of B's noise, in place of its own; A's for the same noise in both.
        blur_like: name of a partition, beside which pixel maps are blurred until as
            much of A's energy remains as in its groups; None for no such row.
        progress: (items, text) → items, a progress bar.
    """
    a, b = pair
    settings = _PairSettings(maps, pair, measures, num_seeds, seed_b, blur_like)
    parts = {method.name: [] for method in methods}
    for chunk in progress(maps.chunks, f"{a.name} and {b.name}"):
        near = _near(maps.chunks, chunk, num_seeds)
        segments = _LazySegments(maps.images[chunk], partitions)
        for method in methods:
            key = f"{method.name} {a.name} {b.name} {span(chunk)}"
            if seed_b is not None:
                key += f" seed {seed_b}"
            if near:
                key += f" among {span(np.sort(np.concatenate([chunk, *near])))}"
            make = functools.partial(
                _chunk_part, settings, method, chunk, near, segments
            )
            parts[method.name].append(store.arrays(key, make))
    values = np.stack(
        [np.concatenate([p["values"] for p in found], 1) for found in parts.values()]
    )
    groups = np.concatenate([p["groups"] for p in next(iter(parts.values()))], 1)
    names = _row_names(partitions, blur_like)
    unique = tuple(dict.fromkeys(names))
    members = [[i for i, n in enumerate(names) if n == name] for name in unique]
    return Agreement(
        tuple(method.name for method in methods),
        unique,
        tuple(measure.name for measure in measures),
        np.stack([_nan_mean(values[:, rows], 1) for rows in members], 1),
        np.stack([groups[rows].mean(0) for rows in members]),
    )


class _PairSettings(NamedTuple):
    maps: MapStore
    pair: tuple
    measures: tuple
    num_seeds: int
    seed_b: int | None
    blur_like: str | None


class _LazySegments:
    """Segments of a chunk under each partition, made at the first use."""

    def __init__(self, images, partitions):
        self.images = images
        self.partitions = partitions

    @functools.cached_property
    def found(self):
        return [p.segments(self.images) for p in self.partitions]


def _row_names(partitions, blur_like):
    names = [partition.name for partition in partitions]
    return names + [BLUR] if blur_like else names


def _chunk_part(settings, method, chunk, near, segments):
    a, b = settings.pair
    maps_a = settings.maps.maps(a, method, chunk)
    maps_b = settings.maps.maps(b, method, chunk, settings.seed_b)
    others = [settings.maps.maps(b, method, c, settings.seed_b) for c in near]
    measured = functools.partial(
        _corrected, settings, maps_a, maps_b, np.concatenate([maps_b[:0], *others])
    )
    names = [partition.name for partition in segments.partitions]
    values, groups = [], []
    for partition, labels in zip(segments.partitions, segments.found):
        draws = max(1, round(settings.num_seeds / names.count(partition.name)))
        # Partitions of one name have seeds of their own, and so other draws.
        values.append(measured(draws, segments=labels, seed=partition.seed))
        groups.append(group_counts(labels, segments.images))
    if settings.blur_like:
        like = names.index(settings.blur_like)
        grouped = grouped_maps(maps_a, segments.found[like])
        smooth = functools.partial(_blurred, blur.matched_sigmas(maps_a, grouped))
        values.append(measured(settings.num_seeds, smooth=smooth))
        groups.append(groups[like])
    return {"values": np.stack(values), "groups": np.stack(groups)}


def _near(chunks, chunk, count):
    """Chunks beside one, whose images and its own are more than `count` where possible.

    They come in blocks, so that images added behind a block leave it as it is.
    """
    together = -(-(count + 1) // len(chunks[0]))
    number = [c[0] for c in chunks].index(chunk[0])
    first = number // together * together
    block = chunks[first : first + together]
    while first and sum(map(len, block)) <= count:
        first -= 1
        block = [chunks[first], *block]
    return [c for c in block if c[0] != chunk[0]]


def _corrected(settings, maps_a, maps_b, others, num_seeds, **grouping):
    """(n, K, 5) float64."""
    measures = settings.measures

    def measure(one, other):
        return np.stack([m.function(one, other) for m in measures], axis=-1)

    found = chance.chance_corrected(
        measure,
        maps_a,
        maps_b,
        num_seeds=num_seeds,
        others=others,
        perfect=[m.perfect for m in measures],
        **grouping,
    )
    return np.stack(found, axis=-1)


def _blurred(sigmas, one_map, number):
    return blur.gaussian_blur(one_map[None], sigmas[number : number + 1])[0]


def grouped_maps(maps: np.ndarray, segments: np.ndarray | None) -> np.ndarray:
    """κ·map in NumPy: (N, H, W, C), segments (N, H, W) or None → (N, H, W, C)."""
    if segments is None:
        return maps
    return np.stack([group_map(*pair) for pair in zip(maps, segments)])


def _nan_mean(values, axis):
    """`np.nanmean`, quiet where all are NaN."""
    found = ~np.isnan(values)
    total = np.where(found, values, 0.0).sum(axis)
    with np.errstate(invalid="ignore"):
        return np.where(found.any(axis), total, np.nan) / found.sum(axis).clip(1)

"""How faithful maps are to a network, under each method and partition."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.evaluation import prediction
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.maps import MapStore, Network, span
from tf_superpixel_saliency.evaluation.partitions import Partition, group_counts
from tf_superpixel_saliency.evaluation.storage import PartStore
from tf_superpixel_saliency.metrics.fidelity import (
    PerturbationCurve,
    perturbation_curve,
)
from tf_superpixel_saliency.metrics.fills import fill_images
from tf_superpixel_saliency.metrics.mu_fidelity import correlate_drops, subset_drops
from tf_superpixel_saliency.metrics.ranking import pixel_orders


class Curve(NamedTuple):
    """A variant of Deletion or Insertion.

    Attributes:
        name: as tables show it.
        kind: "deletion", where low is better, or "insertion", where high is.
        fill: as `metrics.deletion` takes it.
        rank, ties, unit: as `metrics.deletion` takes them; ties="map" goes by the
            ungrouped map.
    """

    name: str
    kind: str
    fill: object
    rank: str = "absolute"
    ties: str = "random"
    unit: int = 1


class Subsets(NamedTuple):
    """A variant of μFidelity.

    Attributes:
        name: as tables show it.
        fill: as `metrics.mu_fidelity` takes it, and so are `grid`, `importance`.
        grid: cells a side.
        importance: "absolute" or "signed".
        correlation: "pearson" or "spearman".
    """

    name: str
    fill: object
    grid: int = 9
    importance: str = "absolute"
    correlation: str = "pearson"


class Fidelity(NamedTuple):
    """Faithfulness, image by image.

    Attributes:
        methods: (M,) names.
        partitions: (P,) names.
        variants: (V,) names.
        values: (M, P, V, N) float64: areas, or correlations (0 where undefined).
        groups: (P, N) float64, number of groups of each image.
        curves: name of each `Curve` → (M, P, S + 1) float64, the mean over the images
            of the probability on the way; empty where finished parts lack them.
        fractions: (S + 1,) float64, the share of the pixels changed.
    """

    methods: tuple
    partitions: tuple
    variants: tuple
    values: np.ndarray
    groups: np.ndarray
    curves: Mapping = types.MappingProxyType({})
    fractions: np.ndarray | None = None

    def of(self, method, partition, variant) -> np.ndarray:
        """(N,): one variant of one method and partition."""
        return self.values[
            self.methods.index(method),
            self.partitions.index(partition),
            self.variants.index(variant),
        ]


class Amounts(NamedTuple):
    """How finely to measure.

    Attributes:
        pixels_per_step: between two predictions of a curve.
        num_seeds: random orders that ties are averaged over.
        num_subsets: of μFidelity.
        seed: of both.
        batch_size: images predicted together.
    """

    pixels_per_step: int = 224
    num_seeds: int = 5
    num_subsets: int = 200
    seed: int = 0
    batch_size: int = 32


def fidelity_of(
    store: PartStore,
    maps: MapStore,
    network: Network,
    methods,
    partitions: list[Partition],
    variants: list,
    amounts: Amounts | None = None,
    progress: Callable = lambda items, text: items,
) -> Fidelity:
    """Deletion, Insertion and μFidelity of every image, method and partition.

    What doesn't depend on a map, the drops of μFidelity, is predicted once for all.

    Args:
        store: where finished parts are kept.
        maps: the images and their maps.
        network: the one to be faithful to.
        methods: gradient methods, or other explainers' settings.
        partitions: those to compare, of different names.
        variants: of `Curve` and `Subsets`.
        amounts: how finely to measure, by default as `Amounts()`.
        progress: (items, text) → items, a progress bar.
    """
    amounts = amounts or Amounts()
    predict = prediction.probabilities(network.model, network.model_output)
    parts = {method.name: [] for method in methods}
    for chunk in progress(maps.chunks, f"fidelity of {network.name}"):
        work = _Chunk(maps, network, chunk, partitions, variants, amounts, predict)
        for method in methods:
            key = f"{method.name} {network.name} {span(chunk)}"
            make = functools.partial(work.measured, method)
            parts[method.name].append(store.arrays(key, make))
    values = [np.concatenate([p["values"] for p in x], -1) for x in parts.values()]
    first = next(iter(parts.values()))
    groups = np.concatenate([p["groups"] for p in first], -1)
    return Fidelity(
        tuple(method.name for method in methods),
        tuple(partition.name for partition in partitions),
        tuple(variant.name for variant in variants),
        np.stack(values),
        groups,
        _mean_curves(parts, variants),
        first[0].get("fractions"),
    )


def _mean_curves(parts, variants):
    """Name → (M, P, S + 1), from the sums of each chunk."""
    if not all("curves" in part for found in parts.values() for part in found):
        return {}
    sums = np.stack([sum(part["curves"] for part in x) for x in parts.values()])
    count = sum(part["groups"].shape[-1] for part in next(iter(parts.values())))
    names = [variant.name for variant in variants if isinstance(variant, Curve)]
    return {name: sums[:, :, k] / count for k, name in enumerate(names)}


class _Chunk:
    """The images of a chunk, with what all of its maps share."""

    def __init__(self, maps, network, chunk, partitions, variants, amounts, predict):
        self.maps, self.network, self.chunk = maps, network, chunk
        self.partitions, self.variants = partitions, variants
        self.amounts, self.predict = amounts, predict
        self.images = maps.images[chunk]
        self.targets = maps.targets[chunk]
        self._drops: dict = {}

    @functools.cached_property
    def segments(self):
        return [partition.segments(self.images) for partition in self.partitions]

    def measured(self, method):
        """Values (P, V, n), curves' sums (P, C, S + 1), groups (P, n) of a method."""
        pixel = self.maps.maps(self.network, method, self.chunk)
        values, curves = [], []
        for labels in self.segments:
            found = [
                self._curve(v, pixel, labels)
                if isinstance(v, Curve)
                else self._correlation(v, pixel, labels)
                for v in self.variants
            ]
            on_the_way = [one for one in found if isinstance(one, PerturbationCurve)]
            values.append([getattr(one, "areas", one) for one in found])
            curves.append([one.curves.sum(axis=0) for one in on_the_way])
        groups = [group_counts(labels, self.images) for labels in self.segments]
        made = {"values": np.array(values), "groups": np.stack(groups)}
        if on_the_way:
            made |= {"curves": np.array(curves), "fractions": on_the_way[0].fractions}
        return made

    def _curve(self, variant, pixel, labels):
        orders = pixel_orders(
            grouped_maps(pixel, labels),
            self.images.shape,
            rank=variant.rank,
            ties=variant.ties,
            segments=_pixel_labels(self.images) if labels is None else labels,
            tie_maps=pixel,
            unit=variant.unit,
            num_seeds=self.amounts.num_seeds,
            seed=self.amounts.seed,
        )
        ends = self.images, fill_images(self.images, variant.fill)
        return perturbation_curve(
            self.predict,
            *(ends if variant.kind == "deletion" else ends[::-1]),
            orders,
            self.targets,
            self.amounts.pixels_per_step,
            self.amounts.batch_size,
        )

    def _correlation(self, variant, pixel, labels):
        key = repr((variant.grid, variant.fill))
        if key not in self._drops:
            self._drops[key] = subset_drops(
                self.predict,
                self.images,
                self.targets,
                grid=variant.grid,
                num_subsets=self.amounts.num_subsets,
                fill=variant.fill,
                seed=self.amounts.seed,
                batch_size=self.amounts.batch_size,
            )
        found = correlate_drops(
            self._drops[key],
            grouped_maps(pixel, labels),
            importance=variant.importance,
        )
        return getattr(found, variant.correlation)


def _pixel_labels(images):
    labels = np.arange(images.shape[1] * images.shape[2], dtype=np.int32)
    return np.tile(labels.reshape(1, *images.shape[1:3]), (len(images), 1, 1))

"""A user's own model: methods × partitions, and which of them to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.evaluation import faithfulness
from tf_superpixel_saliency.evaluation.agreement import (
    COSINE,
    SSIM,
    Agreement,
    agreement,
    grouped_maps,
    measures_named,
)
from tf_superpixel_saliency.evaluation.faithfulness import Curve, Fidelity, Subsets
from tf_superpixel_saliency.evaluation.maps import MapStore
from tf_superpixel_saliency.evaluation.storage import PartStore
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval

DELETION, INSERTION, MU = "Deletion ↓", "Insertion ↑", "μFidelity ↑"
SAMPLING = "sampling error ↓"
_SHOWN = (SSIM, COSINE, "rank correlation")
# The second draw of the noise that sampling errors are measured with.
SECOND_SEED = 1_000_003


class Study(NamedTuple):
    """What was measured, image by image.

    Attributes:
        methods: (M,) names.
        partitions: (P,) names.
        agreement: of the two networks, None for a single one.
        fidelity: of the first network.
        sampling: (M, P, N) relative distance between the maps of two draws of the
            noise over √2, which is the error of one; 0 where a method has no noise.
        both: (N,) bool, images for which both networks predict the class explained;
            all of them for a single one.
    """

    methods: tuple
    partitions: tuple
    agreement: Agreement | None
    fidelity: Fidelity
    sampling: np.ndarray
    both: np.ndarray


def study(
    store: PartStore,
    maps: MapStore,
    methods,
    partitions,
    pixels_per_step: int,
    num_seeds: int = 20,
    progress: Callable = lambda items, text: items,
) -> Study:
    """Measure every method under every partition.

    Args:
        store: where finished parts are kept.
        maps: the images, and one network or two.
        methods: gradient methods.
        partitions: of different names.
        pixels_per_step: of Deletion and Insertion.
        num_seeds: draws of chance.
        progress: (items, text) → items, a progress bar.
    """
    first = maps.networks[0]
    # The mean colour of all the images, so that no result depends on a chunk.
    colour = tuple(float(x) for x in maps.images.mean((0, 1, 2), dtype=np.float64))
    variants = [
        Curve(DELETION, "deletion", colour),
        Curve(INSERTION, "insertion", "blur"),
        Subsets(MU, colour),
    ]
    amounts = faithfulness.Amounts(pixels_per_step, num_seeds=1)
    faithful = faithfulness.fidelity_of(
        store.sub("fidelity"),
        maps,
        first,
        methods,
        partitions,
        variants,
        amounts,
        progress,
    )
    agreed, both = None, np.ones(len(maps.images), bool)
    if len(maps.networks) > 1:
        pair = tuple(maps.networks[:2])
        both = maps.all_predict(pair)
        agreed = agreement(
            store.sub("agreement"),
            maps,
            pair,
            methods,
            partitions,
            measures_named(*_SHOWN),
            num_seeds,
            progress=progress,
        )
    sampling = np.stack(
        [_sampling_errors(maps, first, m, partitions, progress) for m in methods]
    )
    names = tuple(method.name for method in methods)
    return Study(names, faithful.partitions, agreed, faithful, sampling, both)


def _sampling_errors(maps, network, method, partitions, progress):
    """(P, N): ‖m₁ − m₂‖ / (√2 · ½(‖m₁‖ + ‖m₂‖)) of two draws of the noise."""
    if not method.seeded:
        return np.zeros((len(partitions), len(maps.images)))
    found = []
    for chunk in progress(maps.chunks, f"sampling error of {method.name}"):
        seeds = (network.seed, network.seed + SECOND_SEED)
        drawn = [maps.maps(network, method, chunk, seed) for seed in seeds]
        rows = []
        for partition in partitions:
            labels = partition.segments(maps.images[chunk])
            one, two = (grouped_maps(each, labels) for each in drawn)
            zero = np.zeros_like(one)
            size = metrics.l2_distance(one, zero) + metrics.l2_distance(two, zero)
            distance = metrics.l2_distance(one, two)
            rows.append(distance * np.sqrt(2) / np.where(size > 0, size, np.nan))
        found.append(np.stack(rows))
    return np.concatenate(found, axis=1)


def table(found: Study, images: np.ndarray | None = None) -> Table:
    """A row a method and partition: agreement, chance, fidelity, sampling error.

    Args:
        found: what `study` measured.
        images: (N,) bool, which images to average over; None for all.
    """
    chosen = np.ones(len(found.both), bool) if images is None else images
    rows = []
    for m, method in enumerate(found.methods):
        for p, partition in enumerate(found.partitions):
            groups = found.fidelity.groups[p][chosen]
            row = {"method": method, "partition": partition}
            row["groups"] = int(np.median(groups))
            if found.agreement is not None:
                row |= _agreement_columns(found, method, partition, chosen)
            for variant in found.fidelity.variants:
                values = found.fidelity.of(method, partition, variant)[chosen]
                row[variant] = bootstrap_interval(values)
            errors = found.sampling[m, p][chosen]
            row[SAMPLING] = bootstrap_interval(errors)
            rows.append(row)
    return Table("evaluation", "Stability and fidelity", rows, _notes(found, chosen))


def _agreement_columns(found, method, partition, chosen):
    columns = {}
    for measure in found.agreement.measures:

        def at(field, measure=measure):
            values = found.agreement.of(method, partition, measure, field)
            return bootstrap_interval(values[chosen & found.both])

        columns[measure] = at("observed")
        columns[f"{measure}: chance"] = at("chance").mean
        columns[f"{measure}: excess"] = at("excess")
    return columns


def _notes(found, chosen):
    notes = [
        f"{int(chosen.sum())} images. Means with 95 % bootstrap intervals. Deletion "
        "fills with the images' mean colour, Insertion starts from the blurred image, "
        "areas in [0, 1]; μFidelity on a 9×9 grid, Pearson.",
        "Sampling error: of one draw of the noise, relative to the map. It says "
        "nothing about another training.",
    ]
    if found.agreement is None:
        return (*notes, "One network: stability can't be told.")
    share = int((chosen & found.both).sum())
    return (
        *notes,
        f"Agreement of two networks on the {share} images for which both predict the "
        "class. Chance: the second network's map shuffled, and of other images, in "
        "the same groups. Excess = (observed − chance) / (1 − chance). It tends to "
        "rise with the size of groups, of whatever shape: compare squares and random "
        "ones.",
    )

"""Figure 2, left: how far the maps of two networks agree, beside chance."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    BLUR,
    COSINE,
    MEASURES,
    SSIM,
    agreement,
)
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.plan import pair_networks
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

NUM_PHOTOS, NUM_TEST_IMAGES = 100, 300
COARSE, SLIC_1500 = "super-pixel, kernel_size 3", "super-pixel, SLIC 1500"
ROWS = {
    "other_data": "other data, same initialisation",
    "other_init": "same data, other initialisation",
    "both": "other data, other initialisation",
}
NOTES = (
    "Observed, and by chance: the mean of network B's map with its pixels shuffled and "
    "of its map of other images, grouped by the same segments. Excess = (observed − "
    "chance) / (1 − chance). Means over images with 95 % bootstrap intervals, "
    "clustered by pair of networks; the class explained is the one that network A "
    "predicts, on images for which both networks predict it.",
    "The two networks get noise of their own. `random` and `permutation` are means "
    "over five seeds. `blurred`: pixel maps blurred until as much of their energy "
    "remains as in the super-pixels.",
)


def photo_partitions():
    """Quickshift at the default, its controls, and two other super-pixels."""
    layer = Quickshift()
    return [
        parts.Partition(parts.PIXEL, None),
        parts.superpixel_partition(layer),
        *parts.controls(layer, parts.CONTROLS[1:]),
        parts.superpixel_partition(Quickshift(kernel_size=3), COARSE),
        parts.superpixel_partition(SLIC(n_segments=1500), SLIC_1500),
    ]


def small_partitions():
    """SLIC with 100 segments, as the paper has it for 32×32 images, and controls."""
    layer = SLIC(n_segments=100)
    return [
        parts.Partition(parts.PIXEL, None),
        parts.superpixel_partition(layer),
        *parts.controls(layer, parts.CONTROLS[1:]),
    ]


def run_photos(setting: Setting) -> None:
    """Photos: EfficientNet-Lite0, 1 and 2, three pairs of architectures."""
    _, images = setting.photos(NUM_PHOTOS)
    networks = setting.photo_networks
    maps = setting.maps("photos", images, networks)
    pairs = [(networks[i], networks[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    found = _compare(setting, "figure-2-photos", maps, pairs, photo_partitions())
    title = "Agreement between architectures: EfficientNet-Lite0, Lite1 and Lite2"
    note = (
        f"{len(images)} photos at 224×224, probably seen in training by all three "
        "networks, which share their training data. Both predict the class on "
        f"{_share(found)}. For the pair of Lite1 and Lite2 the class is Lite0's."
    )
    rows = {"between architectures": found}
    write_agreement(setting, "figure-2-photos", title, rows, (note, *NOTES))


def run_small(setting: Setting) -> None:
    """CIFAR-10: other data, another initialisation, and both."""
    images, _ = setting.test_images(NUM_TEST_IMAGES)
    trained = setting.trained
    splits = {n: i for n, i in trained.train_indices.items() if n.startswith("split")}
    seeds = {name: trained.init_seeds[name] for name in splits}
    networks = {name: setting.network(name, k) for k, name in enumerate(splits)}
    rows = {}
    for row, pairs in pair_networks(splits, seeds).items():
        found = []
        for a, b in pairs:
            pair = (networks[a], networks[b])
            maps = setting.maps(f"cifar10-{a}", images, pair, chunk_size=50)
            name = "figure-2-cifar10"
            found += _compare(setting, name, maps, [pair], small_partitions())
        if found:
            rows[ROWS[row]] = found
    accuracies = ", ".join(f"{n} {x.accuracy:.3f}" for n, x in networks.items())
    note = (
        f"{len(images)} test images; networks and their test accuracies: {accuracies}."
    )
    title = "Agreement of networks trained on CIFAR-10"
    write_agreement(setting, "figure-2-cifar10", title, rows, (note, *NOTES))


def _compare(setting, name, maps, pairs, partitions):
    """[(agreement, images on which both networks predict the class)] of each pair."""
    store = setting.store(
        f"{name}-agreement",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        partitions=[partition.name for partition in partitions],
        measures=[measure.name for measure in MEASURES],
        seed=setting.seed,
    )
    found = []
    for pair in pairs:
        both = np.logical_and.reduce([maps.predicted(n) == maps.targets for n in pair])
        result = agreement(
            store,
            maps,
            pair,
            setting.methods(),
            partitions,
            blur_like=parts.SUPERPIXEL,
            progress=setting.progress,
        )
        found.append((result, both))
    return found


def _share(found):
    shares = [both.mean() for _, both in found]
    return ", ".join(f"{share:.0%}" for share in shares)


def pooled(found, method, partition, measure, field):
    """Values of all pairs, (pairs, N): NaN where not both networks predict the class.

    Args:
        found: [(agreement, (N,) bool)], the pairs of networks on the same images.
        method, partition, measure, field: as `Agreement.of`.
    """
    return np.stack(
        [
            np.where(both, result.of(method, partition, measure, field), np.nan)
            for result, both in found
        ]
    )


def interval(found, *key):
    """Mean and 95 % interval over images, and over pairs where there are several."""
    values = pooled(found, *key)
    # Pairs of networks share the images: an image comes and goes with all its pairs.
    return bootstrap_interval(values if len(values) > 1 else values[0])


def write_agreement(setting, name, title, rows, notes) -> None:
    """The table, one of all measures, and a figure a row."""
    short, long = [], []
    for row, found in rows.items():
        result = found[0][0]
        for method in result.methods:
            for partition in result.partitions:
                at = functools.partial(interval, found, method, partition)
                head = {"networks": row, "pairs": len(found), "method": method}
                groups = _groups(found, partition)
                head.update(partition=partition, groups=int(np.median(groups)))
                short.append(
                    {
                        **head,
                        "SSIM": at(SSIM, "observed"),
                        "SSIM by chance": at(SSIM, "chance").mean,
                        "SSIM excess": at(SSIM, "excess"),
                        "signed cosine": at(COSINE, "observed"),
                        "its chance": at(COSINE, "chance").mean,
                    }
                )
                long += [
                    {
                        **head,
                        "groups, range": f"{groups.min():.0f}–{groups.max():.0f}",
                        "measure": measure,
                        "images": at(measure, "observed").n,
                        **{key: at(measure, key) for key in FIELDS},
                    }
                    for measure in result.measures
                ]
    setting.write_table(Table(name, title, short, tuple(notes)))
    setting.write_table(
        Table(f"{name}-measures", f"{title}: all measures", long, tuple(notes))
    )
    _draw(setting, name, rows)


FIELDS = ("observed", "chance", "excess", "chance_shuffled", "chance_other")


def _groups(found, partition):
    return np.concatenate([r.groups[r.partitions.index(partition)] for r, _ in found])


def _draw(setting, name, rows):
    """SSIM with its chance at the left, the signed cosine at the right."""
    figure, axes = plots.study_figure(2, len(rows), 6.4, 3.4)
    shown = (parts.PIXEL, parts.SUPERPIXEL, parts.SQUARE, parts.RANDOM, BLUR)
    for line, (row, found) in zip(axes, rows.items()):
        result = found[0][0]

        def at(measure, field, found=found, result=result):
            return {
                method: {
                    name: interval(found, method, name, measure, field)
                    for name in shown
                    if name in result.partitions
                }
                for method in result.methods
            }

        bars = {
            m: {p: v[:3] for p, v in x.items()} for m, x in at(SSIM, "observed").items()
        }
        feet = {
            m: {p: v.mean for p, v in x.items()} for m, x in at(SSIM, "chance").items()
        }
        plots.plot_measure(
            bars, line[0], chance=feet, ylabel="SSIM (hatched: chance)", title=row
        )
        bars = {
            m: {p: v[:3] for p, v in x.items()}
            for m, x in at(COSINE, "observed").items()
        }
        plots.plot_measure(bars, line[1], ylabel="signed cosine (chance 0)", title=row)
    setting.write_figure(name, figure)

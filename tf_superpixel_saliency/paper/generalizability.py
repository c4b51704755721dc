"""Figure 2, right: MeGe and ReCo of five folds."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from tf_superpixel_saliency import metrics, plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.methods import region_methods
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.generalizability import mege_and_reco
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.claim_figures import by_sign
from tf_superpixel_saliency.paper.differences import compare
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.paper.plan import NUM_FOLDS
from tf_superpixel_saliency.superpixels import SLIC

IMAGES_A_FOLD = 200
REGIONS = "regions"
_REGION_METHODS = ("LIME", "ScoreCAM", "XRAI", "GradCAM")
_KEYS = ("method", "partition", "distance")
_DISTANCES = {
    "L2": metrics.l2_distance,
    "normalised L2": functools.partial(metrics.l2_distance, normalized=True),
}


def run(setting: Setting) -> None:
    """MeGe and ReCo with the L2 distance, plain and of maps of norm 1."""
    images, labels, folds = _held_out(setting)
    networks = [setting.network(f"fold_{k}", k) for k in range(NUM_FOLDS)]
    maps = setting.maps("cifar10-folds-in-turn", images, networks, labels, SMALL_CHUNK)
    predicted = np.stack([maps.predicted(network) for network in networks])
    layer = SLIC(n_segments=100)
    gradient = parts.with_controls(layer)
    whole = [parts.Partition(REGIONS, None)]
    regions = region_methods(_REGION_METHODS, small=True)
    store = setting.store(
        "figure-2-mege",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        distances="pair by pair",
        images="folds in turn",
    )
    records: dict = {}
    # A method's maps and a partition's segments serve many records: kept once made.
    segments = functools.cache(lambda one: one.segments_of(images, maps.chunks))
    known = (predicted, maps.targets, folds)
    plan = [(m, gradient) for m in setting.methods()] + [(m, whole) for m in regions]
    for method, partitions in setting.progress(plan, "MeGe"):
        pixel = functools.cache(functools.partial(_all_maps, maps, networks, method))
        for partition in partitions:
            make = functools.partial(
                _records, method, partition, pixel, segments, known
            )
            drawn = f"{partition.name} {partition.seed}"
            for record in store.records(f"{method.name} {drawn} {len(images)}", make):
                same = tuple(record[key] for key in _KEYS)
                records.setdefault(same, []).append(record)
    found = [_over_draws(drawn) for drawn in records.values()]
    _write(setting, found, networks, images, gradient)


def _held_out(setting):
    """Training images, as many of each fold, their labels and the fold of each."""
    each = IMAGES_A_FOLD
    if setting.num_images:
        each = max(1, setting.num_images // NUM_FOLDS)
    count = len(setting.data.train_labels)
    chosen = []
    for fold in range(NUM_FOLDS):
        seen = setting.trained.train_indices[f"fold_{fold}"]
        left_out = np.setdiff1d(np.arange(count), seen)
        rng = np.random.default_rng([setting.seed, fold])
        chosen.append(rng.permutation(left_out)[:each])
    # The folds take turns, so that a larger run begins with a smaller one's images.
    turns = min(map(len, chosen))
    chosen = np.stack([one[:turns] for one in chosen], axis=1).ravel()
    images = setting.data.train_images[chosen].astype(np.float32)
    folds = np.tile(np.arange(NUM_FOLDS), turns)
    return images, setting.data.train_labels[chosen], folds


def _all_maps(maps, networks, method):
    """(N, H, W, C) of each network."""
    return [maps.all_maps(one, method) for one in networks]


def _records(method, partition, pixel, segments, known):
    """A record for each distance, of grouped maps (networks, N, H, W, C)."""
    groups = segments(partition)
    grouped = np.stack([grouped_maps(one, groups) for one in pixel()])
    made = []
    for name, distance in _DISTANCES.items():
        found = mege_and_reco(grouped, *known, distance)
        made.append(
            {
                "method": method.name,
                "partition": partition.name,
                "distance": name,
                "reco": found.reco,
                # Pairs of one image come and go together in an interval.
                "images": np.asarray(found.same.images),
                "same": np.asarray(found.same.distances, np.float64),
                "different": len(found.different.distances),
            }
        )
    return made


def _over_draws(drawn):
    """One record of several draws of random groups: their means, pair by pair."""
    same = np.mean([one["same"] for one in drawn], axis=0)
    reco = float(np.mean([one["reco"] for one in drawn]))
    return drawn[0] | {"same": same, "reco": reco}


def _by_image(images):
    """Settings of an interval in which all pairs of an image come and go together."""
    return {"clusters": np.zeros(len(images)), "images": images}


def _write(setting, records, networks, images, partitions):
    rows, bars = [], {name: {} for name in _DISTANCES}
    for record in records:
        apart = bootstrap_interval(record["same"], **_by_image(record["images"]))
        # 1/(1 + d) falls as d rises: the ends of the interval change places.
        mege, high, low = (1 / (1 + value) for value in apart[:3])
        rows.append(
            {
                "method": record["method"],
                "partition": record["partition"],
                "distance": record["distance"],
                "MeGe": apart._replace(mean=mege, low=low, high=high),
                "ReCo": record["reco"],
                "images in S=": len(np.unique(record["images"])),
                "pairs in S≠": record["different"],
            }
        )
        shown = rows[-1]["MeGe"][:3]
        bars_here = bars[record["distance"]].setdefault(record["method"], {})
        bars_here[record["partition"]] = shown
    notes = (
        f"{len(images)} training images, each from the fold one network did not see, "
        "by five networks; the true label is explained. MeGe = 1/(1 + mean distance "
        "over S=), with a 95 % bootstrap interval over images, conditional on these "
        "five networks; ReCo the greatest TPR + TNR − 1. `random` and `permutation`: "
        "the mean of five draws of the groups, pair by pair.",
        "Raw L2 shrinks with any averaging, and MeGe rises with it: compare random "
        "groups, and maps of norm 1.",
        f"{networks_note(networks)} {groups_note(count_groups(partitions, images))}",
    )
    title = "Generalizability: MeGe and ReCo on five folds of CIFAR-10"
    setting.write_table(Table("figure-2-mege", title, rows, notes))
    made = _differences(records)
    heading = f"{title}: distances of super-pixel maps less those of others"
    told = (_TOLD, *notes)
    setting.write_table(Table("figure-2-mege-differences", heading, made, told))
    figure, axes = plots.study_figure(2, 1, 8, 3.6)
    for ax, (distance, values) in zip(axes[0], bars.items()):
        plots.plot_measure(values, ax, ylabel="MeGe", title=f"{distance} distance")
    setting.write_figure("figure-2-mege", figure)


_TOLD = (
    "Paired over S=: the distance between two networks' super-pixel maps, less that of "
    "the same method's maps under another partition, or of a method of regions, there "
    "at norm 1 alone. better: 'holds' where the distance is smaller, 'does not hold' "
    "where it is larger, by the interval and p-values after Holm over the methods."
)


def _differences(records):
    """Distances of super-pixel maps less those of others, p-values after Holm."""
    by_name = {tuple(record[key] for key in _KEYS): record for record in records}
    methods = dict.fromkeys(m for m, p, _ in by_name if p == parts.SUPERPIXEL)
    partitions = dict.fromkeys(p for m, p, _ in by_name if m in methods)
    others = [p for p in partitions if p != parts.SUPERPIXEL]
    regions = list(dict.fromkeys(m for m, p, _ in by_name if p == REGIONS))
    made = []
    for distance, other in itertools.product(_DISTANCES, [*others, *regions]):
        if other in regions and distance == "L2":
            continue  # the size of their maps is their own
        family = {}
        for method in methods:
            own = by_name[method, parts.SUPERPIXEL, distance]
            key = (other, REGIONS) if other in regions else (method, other)
            family[method] = own["same"], by_name[(*key, distance)]["same"]
        # Who is right tells what is in S=: the images are the same for all.
        for method, one in compare(family, **_by_image(own["images"])).items():
            low, high = -one.difference.high, -one.difference.low
            made.append(
                {
                    "distance": distance,
                    "method": method,
                    "less": other,
                    **one.columns("distance less"),
                    "better": by_sign(low, high, one.p_value),
                }
            )
    return made

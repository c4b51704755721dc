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
from tf_superpixel_saliency.metrics.intervals import (
    Interval,
    bootstrap_interval,
    paired_difference,
)
from tf_superpixel_saliency.metrics.verdicts import (
    CANNOT_BE_TOLD,
    DOES_NOT_HOLD,
    HOLDS,
    holm,
)
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.paper.plan import NUM_FOLDS
from tf_superpixel_saliency.superpixels import SLIC

IMAGES_A_FOLD = 200
REGIONS = "regions"
_CHUNK = 50
_REGION_METHODS = ("LIME", "ScoreCAM", "XRAI", "GradCAM")
_DISTANCES = {
    "L2": metrics.l2_distance,
    "normalised L2": functools.partial(metrics.l2_distance, normalized=True),
}


def run(setting: Setting) -> None:
    """MeGe and ReCo with the L2 distance, plain and of maps of norm 1."""
    images, labels, folds = _held_out(setting)
    networks = [setting.network(f"fold_{k}", k) for k in range(NUM_FOLDS)]
    maps = setting.maps("cifar10-folds", images, networks, labels, _CHUNK)
    predicted = np.stack([maps.predicted(network) for network in networks])
    layer = SLIC(n_segments=100)
    gradient = parts.with_controls(layer, num_seeds=1)
    whole = [parts.Partition(REGIONS, None)]
    regions = region_methods(_REGION_METHODS, small=True)
    store = setting.store(
        "figure-2-mege",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        distances="pair by pair",
    )
    rows = []
    plan = [(m, gradient) for m in setting.methods()] + [(m, whole) for m in regions]
    for method, partitions in setting.progress(plan, "MeGe"):
        for partition in partitions:
            for name in _DISTANCES:
                key = f"{method.name} {partition.name} {name} {len(images)}"
                lookup = _Lookup(maps, networks, method, partition)
                rows += store.records(
                    key,
                    functools.partial(_records, lookup, predicted, labels, folds, name),
                )
    _write(setting, rows, networks, images, gradient)


def _held_out(setting):
    """Training images, as many of each fold, their labels and the fold of each."""
    each = IMAGES_A_FOLD
    if setting.num_images:
        each = max(_CHUNK, setting.num_images // NUM_FOLDS)
    count = len(setting.data.train_labels)
    chosen, folds = [], []
    for fold in range(NUM_FOLDS):
        seen = setting.trained.train_indices[f"fold_{fold}"]
        left_out = np.setdiff1d(np.arange(count), seen)
        rng = np.random.default_rng([setting.seed, fold])
        chosen.append(rng.permutation(left_out)[:each])
        folds.append(np.full(len(chosen[-1]), fold))
    chosen = np.concatenate(chosen)
    images = setting.data.train_images[chosen].astype(np.float32)
    return images, setting.data.train_labels[chosen], np.concatenate(folds)


class _Lookup:
    """Grouped maps by model and numbers of images, a few chunks kept at a time."""

    def __init__(self, maps, networks, method, partition):
        self.maps, self.networks = maps, networks
        self.method, self.partition = method, partition
        self.chunk = functools.lru_cache(maxsize=2 * NUM_FOLDS)(self._chunk)
        self.segments = functools.lru_cache(maxsize=4)(self._segments)

    def _segments(self, start):
        chunk = self.maps.chunks[start]
        return self.partition.segments(self.maps.images[chunk])

    def _chunk(self, model, start):
        chunk = self.maps.chunks[start]
        network = self.networks[model]
        return grouped_maps(
            self.maps.maps(network, self.method, chunk), self.segments(start)
        )

    def __call__(self, model, numbers):
        last = len(self.maps.chunks) - 1
        found = []
        for number in np.asarray(numbers):
            start = min(number // _CHUNK, last)  # the last may have one image more
            found.append(self.chunk(model, start)[number - start * _CHUNK])
        return np.stack(found)


def _records(lookup, predicted, labels, folds, name):
    distance = _DISTANCES[name]
    found = mege_and_reco(lookup, predicted, labels, folds, distance, _CHUNK)
    return [
        {
            "method": lookup.method.name,
            "partition": lookup.partition.name,
            "distance": name,
            "mege": found.mege,
            "reco": found.reco,
            # Pairs of one image come and go together in an interval.
            "images": np.asarray(found.same.images),
            "same": np.asarray(found.same.distances, np.float64),
            "different": len(found.different.distances),
        }
    ]


def _by_image(images):
    """Settings of an interval in which all pairs of an image come and go together."""
    return {"clusters": np.zeros(len(images)), "images": images}


def _write(setting, records, networks, images, partitions):
    rows, bars = [], {name: {} for name in _DISTANCES}
    for record in records:
        mean = bootstrap_interval(record["same"], **_by_image(record["images"]))
        # 1/(1 + d) falls as d rises: the ends of the interval change places.
        ends = [1 / (1 + value) for value in (mean.high, mean.low)]
        rows.append(
            {
                "method": record["method"],
                "partition": record["partition"],
                "distance": record["distance"],
                "MeGe": mean._replace(mean=record["mege"], low=ends[0], high=ends[1]),
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
        "five networks; ReCo the greatest TPR + TNR − 1.",
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
    by_name = {(r["method"], r["partition"], r["distance"]): r for r in records}
    methods = dict.fromkeys(m for m, p, _ in by_name if p == parts.SUPERPIXEL)
    partitions = dict.fromkeys(p for m, p, _ in by_name if m in methods)
    others = [p for p in partitions if p != parts.SUPERPIXEL]
    regions = list(dict.fromkeys(m for m, p, _ in by_name if p == REGIONS))
    made = []
    for distance, other in itertools.product(_DISTANCES, [*others, *regions]):
        if other in regions and distance == "L2":
            continue  # the size of their maps is their own
        family = []
        for method in methods:
            own = by_name[method, parts.SUPERPIXEL, distance]
            key = (other, REGIONS) if other in regions else (method, other)
            pairs = own["same"], by_name[(*key, distance)]["same"]
            family.append(paired_difference(*pairs, **_by_image(own["images"])))
        adjusted = holm([one.p_value for one in family])
        for method, one, p_value in zip(methods, family, adjusted):
            made.append(
                {
                    "distance": distance,
                    "method": method,
                    "less": other,
                    "distance less": Interval(*one[:5]),
                    "p after Holm": float(p_value),
                    "better": _word(one, p_value),
                }
            )
    return made


def _word(difference, p_value):
    """Whether a distance is smaller."""
    if difference.high < 0 and p_value < 0.05:
        return HOLDS
    return DOES_NOT_HOLD if difference.low > 0 else CANNOT_BE_TOLD

"""Figure 5, middle, bottom: ROAR, networks trained anew without the top pixels."""

from __future__ import annotations

import hashlib

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import Interval, pooled_interval
from tf_superpixel_saliency.metrics.roar import (
    FRACTIONS,
    random_order_maps,
    roar,
    sobel_maps,
)
from tf_superpixel_saliency.paper.cifar10 import LabelledImages
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.paper.plan import NetworkPlan
from tf_superpixel_saliency.paper.training import train
from tf_superpixel_saliency.superpixels import SLIC

NUM_TRAINING, NUM_TEST, EPOCHS, NUM_SEEDS = 10_000, 2000, 8, 3
# Narrow, since a hundred are trained: the order of the curves counts, not their height.
WIDTH = 0.125
NOTHING = "nothing"
_CHUNK = 100


def run(setting: Setting) -> None:
    """Pixels, super-pixels, squares, random and Sobel orders, and masks alone."""
    count = setting.num_images or NUM_TRAINING
    network = setting.network("split_a")
    data = _subset(setting, count, min(NUM_TEST, count))
    trainings = _Trainings(setting, data)
    orders = list(_orders(setting, data, network))
    plan = [(*order, fraction) for order in orders for fraction in FRACTIONS]
    plan.insert(0, (NOTHING, *orders[0][1:], 0.0))
    found: dict = {}
    for name, maps, alone, fraction in setting.progress(plan, "ROAR"):
        accuracies = trainings.accuracies(name, maps, alone, fraction)
        found.setdefault(name, []).append(accuracies)
    _write(setting, {n: np.stack(x) for n, x in found.items()}, network, data)


def _orders(setting, data, network):
    """(name, maps of both sets, whether masks alone are shown), one by one."""
    sets = [x.astype(np.float32) for x in (data.train_images, data.test_images)]
    (method,) = setting.methods(["SimpleGradient"])
    stores = [
        # Which images these are depends on their number: each has maps of its own.
        setting.maps(f"roar-{kind}-{len(images)}", images, [network], None, _CHUNK)
        for kind, images in zip(("train", "test"), sets)
    ]
    for partition in _partitions():
        maps = [_grouped(store, network, method, partition) for store in stores]
        yield partition.name, maps, False
        if partition.name in (parts.PIXEL, parts.SUPERPIXEL):
            yield f"{partition.name}, masks alone", maps, True
    random = [random_order_maps(x, seed) for seed, x in enumerate(sets)]
    yield "random order", random, False
    yield "Sobel", [sobel_maps(images) for images in sets], False


def _partitions():
    return parts.with_controls(SLIC(n_segments=100), (parts.SQUARE,))


def _subset(setting, num_training, num_test):
    data, rng = setting.data, np.random.default_rng(setting.seed)
    train_rows = np.sort(rng.permutation(len(data.train_labels))[:num_training])
    test_rows = np.sort(rng.permutation(len(data.test_labels))[:num_test])
    return LabelledImages(
        data.train_images[train_rows],
        data.train_labels[train_rows],
        data.test_images[test_rows],
        data.test_labels[test_rows],
        data.classes,
    )


def _grouped(store, network, method, partition):
    """Heatmaps of the whole set: (N, H, W) float32."""
    found = []
    for chunk in store.chunks:
        segments = partition.segments(store.images[chunk])
        maps = grouped_maps(store.maps(network, method, chunk), segments)
        found.append(np.abs(maps).sum(axis=-1))
    return np.concatenate(found)


class _Trainings:
    """Test accuracies of networks trained anew, those known already from the disk."""

    def __init__(self, setting, data):
        self.data, self.seed = data, setting.seed
        self.images = data.train_images.astype(np.float32)
        self.test_images = data.test_images.astype(np.float32)
        name = f"roar-{len(data.train_labels)}"
        self.store = setting.store(name, epochs=EPOCHS, width=WIDTH)
        self.models: dict = {}

    def accuracies(self, name, maps, masks_only, fraction):
        """(NUM_SEEDS,): one share of the pixels removed."""
        curve = roar(
            self._train_and_score,
            self.images,
            self.data.train_labels,
            maps[0],
            self.test_images,
            self.data.test_labels,
            maps[1],
            fractions=(fraction,),
            masks_only=masks_only,
            num_seeds=NUM_SEEDS,
            seed=self.seed,
            cache=_Accuracies(self.store, name),
        )
        return curve.accuracies[0]

    def _train_and_score(self, images, labels, test_images, test_labels, seed):
        changed = LabelledImages(
            images, labels, test_images, test_labels, self.data.classes
        )
        # A folder for these very images, where a killed training goes on.
        digest = hashlib.sha256(images.tobytes()).hexdigest()[:16]
        entry = train(
            f"network_{seed}",
            NetworkPlan(np.arange(len(labels)), seed, seed),
            changed,
            self.store.folder / "training" / digest,
            WIDTH,
            EPOCHS,
            report=lambda line: None,
            models=self.models,
        )
        return entry["test_accuracy"]


class _Accuracies(dict):
    """Accuracies by (fraction, seed), each in a file as soon as it is known."""

    def __init__(self, store, name):
        super().__init__()
        self.store, self.name = store, name

    def _key(self, key):
        return f"{self.name} {key[0]:.2f} {key[1]}"

    def __contains__(self, key):
        return self.store.has(self._key(key))

    def __getitem__(self, key):
        return self.store.records(self._key(key), list)[0]

    def __setitem__(self, key, value):
        self.store.records(self._key(key), lambda: [value])


def _write(setting, found, network, data):
    whole = found.pop(NOTHING)
    counts = count_groups(_partitions(), data.test_images.astype(np.float32))
    notes = (
        f"Test accuracy of ResNet-18s of width {WIDTH} trained for {EPOCHS} epochs on "
        f"{len(data.train_labels)} images without a share of their pixels, tested on "
        f"{len(data.test_labels)}; last epoch, means over {NUM_SEEDS} seeds; with all "
        f"pixels {whole.mean():.3f}. Low is good. Removed by SimpleGradient of one "
        "network for all, predicted class. Masks alone: trained on nothing but the "
        f"shape of what was removed. {networks_note([network])} "
        f"{groups_note(counts)}",
        "Differences are of the means over all shares, paired by share and seed, with "
        "95 % t intervals from the spread of the seeds within each share. Other test "
        "images would move both curves: that is not in the interval.",
    )
    rows = _rows(found)
    setting.write_table(Table("figure-5-roar", "ROAR on CIFAR-10", rows, notes))
    figure, axes = plots.study_figure(1, 1)
    curves = {}
    for name, accuracies in found.items():
        fractions, means = np.array(FRACTIONS), accuracies.mean(1)
        if "masks alone" not in name:
            fractions, means = np.append(0, fractions), np.append(whole.mean(), means)
        curves[name] = fractions, means
    plots.plot_curves(curves, axes[0, 0], xlabel="share removed", ylabel="accuracy")
    setting.write_figure("figure-5-roar", figure)


def _rows(found):
    rows = []
    for name, accuracies in found.items():
        row = {"removed first": name}
        for fraction, values in zip(FRACTIONS, accuracies):
            row[f"{fraction:.0%}"] = float(values.mean())
        row["mean"] = float(accuracies.mean())
        for title, other in (("pixels'", parts.PIXEL), ("random", "random order")):
            key = f"less {title}"
            if "masks alone" in name or name == other:
                row[key] = Interval(np.nan, np.nan, np.nan, 0)
            else:
                row[key] = pooled_interval(accuracies - found[other])
        rows.append(row)
    return rows

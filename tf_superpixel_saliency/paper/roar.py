"""Figure 5, middle, bottom: ROAR, networks trained anew without the top pixels."""

from __future__ import annotations

import hashlib

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.metrics.roar import (
    FRACTIONS,
    random_order_maps,
    roar,
    sobel_maps,
)
from tf_superpixel_saliency.paper.cifar10 import LabelledImages
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.plan import NetworkPlan
from tf_superpixel_saliency.paper.training import train
from tf_superpixel_saliency.superpixels import SLIC

NUM_TRAINING, NUM_TEST, EPOCHS, NUM_SEEDS, WIDTH = 10_000, 2000, 8, 3, 0.25
_CHUNK = 100


def run(setting: Setting) -> None:
    """Pixels, super-pixels, squares, random and Sobel orders, and masks alone."""
    count = setting.num_images or NUM_TRAINING
    network = setting.network("split_a")
    data = _subset(setting, count, min(NUM_TEST, count))
    sets = [x.astype(np.float32) for x in (data.train_images, data.test_images)]
    (method,) = setting.methods(["SimpleGradient"])
    which = parts.with_controls(SLIC(n_segments=100), (parts.SQUARE,))
    stores = [
        setting.maps(f"roar-{kind}", images, [network], chunk_size=_CHUNK)
        for kind, images in zip(("train", "test"), sets)
    ]
    plan = []
    for partition in which:
        maps = [_grouped(store, network, method, partition) for store in stores]
        plan.append((partition.name, maps, False))
        if partition.name in (parts.PIXEL, parts.SUPERPIXEL):
            plan.append((f"{partition.name}, masks alone", maps, True))
    random = [random_order_maps(x, seed) for seed, x in enumerate(sets)]
    plan.append(("random order", random, False))
    plan.append(("Sobel", [sobel_maps(images) for images in sets], False))
    found = {
        name: _curve(setting, name, data, maps, alone)
        for name, maps, alone in setting.progress(plan, "ROAR")
    }
    _write(setting, found, network, data)


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


def _curve(setting, name, data, maps, masks_only):
    store = setting.store(f"roar-{len(data.train_labels)}", epochs=EPOCHS, width=WIDTH)
    folder = store.folder / "training"

    def train_and_score(train_images, train_labels, test_images, test_labels, seed):
        changed = LabelledImages(
            train_images, train_labels, test_images, test_labels, data.classes
        )
        plan = NetworkPlan(np.arange(len(train_labels)), seed, seed)
        # A folder for these very images, where a killed training goes on.
        digest = hashlib.sha256(train_images.tobytes()).hexdigest()[:16]
        entry = train(
            f"network_{seed}",
            plan,
            changed,
            folder / digest,
            WIDTH,
            EPOCHS,
            report=lambda line: None,
        )
        return entry["test_accuracy"]

    return roar(
        train_and_score,
        data.train_images.astype(np.float32),
        data.train_labels,
        maps[0],
        data.test_images.astype(np.float32),
        data.test_labels,
        maps[1],
        fractions=FRACTIONS,
        masks_only=masks_only,
        num_seeds=NUM_SEEDS,
        seed=setting.seed,
        cache=_Accuracies(store, name),
    )


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
    rows = []
    for name, curve in found.items():
        row = {"removed first": name}
        for fraction, accuracies in zip(curve.fractions, curve.accuracies):
            row[f"{fraction:.0%}"] = bootstrap_interval(accuracies)
        row["mean"] = float(curve.accuracies.mean())
        rows.append(row)
    notes = (
        f"Test accuracy of ResNet-18s of width {WIDTH} trained for {EPOCHS} epochs on "
        f"{len(data.train_labels)} images without a share of their pixels, tested on "
        f"{len(data.test_labels)}; last epoch, means over {NUM_SEEDS} seeds with their "
        f"intervals. SimpleGradient of {network.name} (test accuracy "
        f"{network.accuracy:.3f}), predicted class. Masks alone: trained on "
        "nothing but the shape of what was removed.",
    )
    setting.write_table(Table("figure-5-roar", "ROAR on CIFAR-10", rows, notes))
    figure, axes = plots.study_figure(1, 1)
    curves = {
        name: (curve.fractions, curve.accuracies.mean(1))
        for name, curve in found.items()
    }
    plots.plot_curves(curves, axes[0, 0], xlabel="share removed", ylabel="accuracy")
    setting.write_figure("figure-5-roar", figure)

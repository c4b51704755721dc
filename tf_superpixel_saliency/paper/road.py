"""Figure 5, middle, top: ROAD with pixels, super-pixels and controls."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation import prediction
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.maps import span
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.metrics.road import FRACTIONS, road
from tf_superpixel_saliency.paper.differences import compare
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

NUM_PHOTOS, NUM_TEST_IMAGES = 100, 1000
# Of the order inside a tie; the random groups share them, each drawn with one.
NUM_SEEDS = 5
_ORDERS = {"morf": "most relevant first ↓", "lerf": "least relevant first ↑"}
# What harms an image whatever its rank harms it in both orders, and goes out.
BY_RANK = "least less most relevant first ↑"


def run_small(setting: Setting) -> None:
    """CIFAR-10's test images."""
    images, labels = setting.test_images(NUM_TEST_IMAGES)
    network = setting.network("split_a")
    maps = setting.maps("cifar10-split_a", images, [network], chunk_size=SMALL_CHUNK)
    title = "ROAD on CIFAR-10"
    layer, name = SLIC(n_segments=100), "figure-5-road-cifar10"
    _run(setting, name, title, maps, network, labels, layer)


def run_photos(setting: Setting) -> None:
    """Photos, labelled by the number that their files' names begin with."""
    names, images = setting.photos(NUM_PHOTOS)
    labels = photo_labels(names)
    maps = setting.maps("photos", images, setting.photo_networks)
    title = "ROAD on photos"
    network, name = setting.photo_networks[0], "figure-5-road-photos"
    _run(setting, name, title, maps, network, labels, Quickshift())


def photo_labels(names) -> np.ndarray:
    """Classes (N,) of photos called CLASS_anything.

    Raises:
        ValueError: a name that doesn't begin with a number.
    """
    heads = [name.split("_")[0] for name in names]
    wrong = [name for name, head in zip(names, heads) if not head.isdigit()]
    if wrong:
        raise ValueError(
            "Photos must be called by their class's number, as in 281_tabby.jpg, to "
            f"know the true class, but one is {wrong[0]!r}."
        )
    return np.array([int(head) for head in heads])


def _run(setting, name, title, maps, network, labels, layer):
    which = parts.with_controls(layer, (parts.SQUARE, parts.RANDOM), NUM_SEEDS)
    store = setting.store(
        name,
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        fractions=list(FRACTIONS),
        num_seeds=NUM_SEEDS,
        partitions=[partition.name for partition in which],
    )
    predict = prediction.probabilities(network.model)
    methods = setting.methods()
    found = {}
    for chunk in setting.progress(maps.chunks, name):
        for method in methods:
            make = functools.partial(
                _chunk_curves, maps, network, method, chunk, labels, which, predict
            )
            part = store.arrays(f"{method.name} {network.name} {span(chunk)}", make)
            found.setdefault(method.name, []).append(part["values"])
    found = {
        method: over_draws(np.concatenate(values, 2), which)
        for method, values in found.items()
    }
    made_of = (
        f"{networks_note([network])} {groups_note(count_groups(which, maps.images))}"
    )
    notes = (_note(len(labels)), _TOO, made_of)
    _write(setting, name, title, found, list(parts.by_name(which)), notes)


def over_draws(values, which):
    """(partitions, 2, …) → (names, 3, …): means over the draws of random groups.

    The orders as they are, and the second less the first.
    """
    numbers = parts.by_name(which, range(len(which)))
    found = np.stack([values[drawn].mean(axis=0) for drawn in numbers.values()])
    return np.concatenate([found, found[:, 1:] - found[:, :1]], axis=1)


def _chunk_curves(maps, network, method, chunk, labels, which, predict):
    """(partitions, orders, n, 2, F): correct, then the class's probability."""
    images = maps.images[chunk]
    pixel = maps.maps(network, method, chunk)
    values, draws = [], parts.by_name(which)
    for partition in which:
        num_seeds = NUM_SEEDS // len(draws[partition.name])
        grouped = grouped_maps(pixel, partition.segments(images))
        curves = [
            road(
                predict,
                images,
                grouped,
                labels[chunk],
                maps.targets[chunk],
                order=order,
                num_seeds=num_seeds,
                batch_size=64,
                seed=partition.seed,
            )
            for order in _ORDERS
        ]
        values.append([np.stack([c.correct, c.probabilities], 1) for c in curves])
    return {"values": np.array(values)}


def _note(count):
    return (
        f"{count} images; accuracy for the true label while a share of the pixels is "
        "imputed by noisy linear interpolation (noise 0.01 of the range), random order "
        f"inside a tie, {NUM_SEEDS} seeds, also of the random groups. Means with 95 % "
        "bootstrap intervals."
    )


_TOO = (
    "Large connected regions that are imputed harm an image whatever their rank, so "
    "that a partition may fall faster in both orders. What harms alike in both goes "
    f"out of the second order's figures less the first's, '{BY_RANK[:-2]}'."
)


def _write(setting, name, title, found, which, notes):
    rows = []
    for (k, text), (number, partition) in itertools.product(
        enumerate((*_ORDERS.values(), BY_RANK)), enumerate(which)
    ):
        # (n, 2, F) of each method: correct, then the class's probability.
        here = {method: values[number, k] for method, values in found.items()}
        family = {
            method: (values[:, 0].mean(1), found[method][0, k, :, 0].mean(1))
            for method, values in here.items()
        }
        apart = compare(family)
        for method, values in here.items():
            row = {"order": text, "method": method, "partition": partition}
            for fraction, accuracy in zip(FRACTIONS, values[:, 0].mean(0)):
                row[f"{fraction:.0%}"] = float(accuracy)
            row["mean accuracy"] = bootstrap_interval(values[:, 0].mean(1))
            row |= apart[method].columns("less pixels'")
            row["mean probability"] = bootstrap_interval(values[:, 1].mean(1))
            rows.append(row)
    setting.write_table(Table(name, title, rows, notes))
    figure, axes = plots.study_figure(len(found), len(_ORDERS), 4.2, 3.2)
    for line, (k, text) in zip(axes, enumerate(_ORDERS.values())):
        for ax, (method, values) in zip(line, found.items()):
            curves = {
                partition: (FRACTIONS, values[number, k, :, 0].mean(0))
                for number, partition in enumerate(which)
            }
            plots.plot_curves(
                curves, ax, xlabel="share imputed", ylabel="accuracy", title=method
            )
            ax.set_title(f"{method}, {text}", fontsize=9)
    setting.write_figure(name, figure)

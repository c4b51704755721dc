"""The sanity check: layers drawn anew, and what is left of the maps' agreement."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency import metrics, plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.chance import chance_corrected
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.superpixels import SLIC

NUM_TEST_IMAGES = 50


def run(setting: Setting) -> None:
    """Adebayo et al. 2018: layers randomised from the output down, on CIFAR-10."""
    images, _ = setting.test_images(NUM_TEST_IMAGES)
    network = setting.network("split_a")
    targets = network.model.predict_on_batch(images).argmax(-1)
    which = parts.with_controls(SLIC(n_segments=100), (parts.SQUARE, parts.RANDOM))
    store = setting.store(
        "sanity",
        partitions=[partition.name for partition in which],
        images=len(images),
        num_samples=setting.num_samples,
        values="image by image",
    )
    rows, curves = [], {}
    for method in setting.methods(["SimpleGradient", "SmoothGrad"]):
        make = functools.partial(
            _agreement, network, method, which, images, targets, setting
        )
        found = [_with_intervals(row) for row in store.records(method.name, make)]
        rows += found
        for name in parts.by_name(which):
            line = [
                float(row["SSIM excess"].mean)
                for row in found
                if row["partition"] == name
            ]
            curves.setdefault(method.name, {})[name] = (
                np.arange(1, len(line) + 1),
                line,
            )
    notes = (
        f"{len(images)} test images; layers are drawn anew from the output down, the "
        "trained network's class explained throughout. A map that keeps its excess "
        "shows the image and not the model. Means with 95 % bootstrap intervals; "
        "`random`: of means over five draws of the groups.",
        f"{networks_note([network])} {groups_note(count_groups(which, images))}",
    )
    title = "Sanity check: agreement with the trained network's maps"
    setting.write_table(Table("sanity", title, rows, notes))
    figure, axes = plots.study_figure(len(curves), 1)
    for ax, (method, lines) in zip(axes[0], curves.items()):
        plots.plot_curves(
            lines, ax, xlabel="layers randomised", ylabel="SSIM excess", title=method
        )
    setting.write_figure("sanity", figure)


def _agreement(network, method, which, images, targets, setting):
    explainers: dict = {}

    def explain(model):
        # One explainer a model: the randomised one keeps its object and its graph.
        key = id(model)
        if key not in explainers:
            explainers[key] = method.explainer(model, setting.seed)
        return explainers[key](images, targets=targets)["maps"].numpy()

    segments = {
        name: [partition.segments(images) for partition in drawn]
        for name, drawn in parts.by_name(which).items()
    }
    trained = explain(network.model)
    steps = metrics.randomize_layers(
        network.model, seed=setting.seed, images=images, in_place=True
    )
    rows = []
    for layer, randomized in setting.progress(steps, method.name):
        maps = explain(randomized)
        for name, drawn in segments.items():
            found = [
                chance_corrected(
                    metrics.structural_similarity, trained, maps, labels, num_seeds=5
                )
                for labels in drawn
            ]
            rows.append(
                {
                    "method": method.name,
                    "partition": name,
                    "randomised down to": layer,
                    "SSIM": np.mean([one.observed for one in found], axis=0),
                    "SSIM by chance": np.mean([one.chance for one in found], axis=0),
                    "SSIM excess": np.mean([one.excess for one in found], axis=0),
                }
            )
    return rows


def _with_intervals(row):
    """A row of values image by image with their means in their place."""
    shown = {key: bootstrap_interval(row[key]) for key in ("SSIM", "SSIM excess")}
    chance = float(np.nanmean(row["SSIM by chance"]))
    return row | shown | {"SSIM by chance": chance}

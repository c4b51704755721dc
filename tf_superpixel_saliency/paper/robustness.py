"""The sanity check, and robustness to noise in the input."""

from __future__ import annotations

import functools
import hashlib

import numpy as np

from tf_superpixel_saliency import metrics, plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.chance import chance_corrected
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.metrics.robustness import robustness
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

NUM_SANITY, NUM_ROBUST = 50, 16
NOISE_LEVELS = (0.01, 0.03, 0.1)


def run_sanity(setting: Setting) -> None:
    """Adebayo et al. 2018: layers randomised from the output down, on CIFAR-10."""
    images, _ = setting.test_images(NUM_SANITY)
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
            _sanity_rows, network, method, which, images, targets, setting
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


def _sanity_rows(network, method, which, images, targets, setting):
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


def run_robustness(setting: Setting) -> None:
    """A little noise in the photo, the partition kept and made anew."""
    _, images = setting.photos(NUM_ROBUST)
    images = images[:NUM_ROBUST]
    network = setting.photo_networks[0]
    maps = setting.maps("photos", images, setting.photo_networks)
    layer = Quickshift()
    which = parts.with_controls(layer, (parts.SQUARE, parts.RANDOM))
    pixel, own, *others = which
    plan = [
        (pixel, "fixed"),
        (own._replace(name="super-pixel, kept"), "fixed"),
        (own._replace(name="super-pixel, made anew"), "recomputed"),
        *((partition, "fixed") for partition in others),
    ]
    store = setting.store(
        "robustness", images=len(images), num_samples=setting.num_samples
    )
    rows = []
    for method in setting.methods(["SimpleGradient", "SmoothGrad"]):
        explainer = method.explainer(network.model, setting.seed)

        def explain(shown, explainer=explainer):
            return explainer(shown, targets=maps.targets)["maps"].numpy()

        explain = _remembering(explain)
        for level in setting.progress(NOISE_LEVELS, method.name):
            found: dict = {}
            for partition, kind in plan:
                key = f"{method.name} {level} {partition.name} {partition.seed}"
                make = functools.partial(
                    _robustness, explain, images, level, partition, kind, setting.seed
                )
                part = store.arrays(key, make)
                found.setdefault(partition.name, []).append(part)
            rows += [
                {"method": method.name, "noise": level, "partition": name}
                | _robustness_columns(drawn)
                for name, drawn in found.items()
            ]
    notes = (
        f"{len(images)} photos; noise as a fraction of each photo's own max − min, "
        "three noisy copies each. `random`: means over five draws of the groups.",
        f"{networks_note([network])} {groups_note(count_groups(which, images))}",
    )
    title = "Robustness to noise in the image: SSIM with the clean image's map"
    setting.write_table(Table("robustness", title, rows, notes))


def _remembering(explain):
    """The same, but for images explained before: the same noisy copies come often."""
    made: dict = {}

    def remembered(images):
        images = np.ascontiguousarray(images)
        key = hashlib.sha256(images).digest()
        if key not in made:
            made[key] = explain(images)
        return made[key]

    return remembered


def _robustness_columns(drawn):
    """Of one partition, or of several draws of one: their means, image by image."""
    keys = ("similarity", "chance", "excess")
    means = {key: np.mean([one[key] for one in drawn], axis=0) for key in keys}
    return {
        "SSIM": bootstrap_interval(means["similarity"]),
        "SSIM by chance": float(np.nanmean(means["chance"])),
        "SSIM excess": bootstrap_interval(means["excess"]),
    }


def _robustness(explain, images, level, partition, kind, seed):
    """Similarity, chance and excess of each image, (N,)."""
    found = robustness(
        explain,
        images,
        metrics.structural_similarity,
        level,
        num_samples=3,
        segments=partition.segment,
        partition=kind,
        seed=seed,
        value_range=(0, 255),
    )
    return {key: getattr(found, key) for key in ("similarity", "chance", "excess")}

"""Robustness to a little noise in the image."""

from __future__ import annotations

import functools
import hashlib

import numpy as np

from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.metrics.robustness import robustness
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import count_groups, groups_note, networks_note
from tf_superpixel_saliency.superpixels import Quickshift

NUM_PHOTOS = 16
NOISE_LEVELS = (0.01, 0.03, 0.1)


def run(setting: Setting) -> None:
    """A little noise in the photo, the partition kept and made anew."""
    _, images = setting.photos(NUM_PHOTOS)
    images = images[:NUM_PHOTOS]
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
                    _of_level, explain, images, level, partition, kind, setting.seed
                )
                part = store.arrays(key, make)
                found.setdefault(partition.name, []).append(part)
            rows += [
                {"method": method.name, "noise": level, "partition": name}
                | _columns(drawn)
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


def _columns(drawn):
    """Of one partition, or of several draws of one: their means, image by image."""
    keys = ("similarity", "chance", "excess")
    means = {key: np.mean([one[key] for one in drawn], axis=0) for key in keys}
    return {
        "SSIM": bootstrap_interval(means["similarity"]),
        "SSIM by chance": float(np.nanmean(means["chance"])),
        "SSIM excess": bootstrap_interval(means["excess"]),
    }


def _of_level(explain, images, level, partition, kind, seed):
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

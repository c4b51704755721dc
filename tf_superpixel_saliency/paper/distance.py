"""§5, Figure 5, right: how far maps move from the pixel gradient."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import networks_note
from tf_superpixel_saliency.paper.tradeoff import MAX_DISTANCES
from tf_superpixel_saliency.superpixels import Quickshift

NUM_PHOTOS = 24
NOISE_LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
SUPERPIXEL, SMOOTHGRAD = "super-pixel", "SmoothGrad"


def run(setting: Setting) -> None:
    """§5: distance to the pixel gradient, over the size of groups and the noise."""
    _, images = setting.photos(NUM_PHOTOS)
    maps = setting.maps("photos", images, setting.photo_networks)
    network = setting.photo_networks[0]
    (plain,) = setting.methods(["SimpleGradient"])
    pixel = maps.all_maps(network, plain)
    rows = []
    for distance in MAX_DISTANCES:
        segments = np.asarray(Quickshift(max_dist=distance)(images))
        groups = int(np.median(parts.group_counts(segments, images)))
        moved = grouped_maps(pixel, segments)
        rows.append({"map": f"{SUPERPIXEL}, {groups} groups", **_moved(pixel, moved)})
    for level in NOISE_LEVELS:
        (noisy,) = gradient_methods([SMOOTHGRAD], setting.num_samples, level)
        moved = maps.all_maps(network, noisy)
        rows.append({"map": f"{SMOOTHGRAD}, noise {level}", **_moved(pixel, moved)})
    title = "Distance of super-pixel maps and of SmoothGrad from the pixel gradient"
    notes = (
        f"{len(images)} photos. {networks_note([network])} Relative distance "
        "‖m − m₀‖/‖m₀‖ and remaining energy ‖m‖²/‖m₀‖² (geometric mean: it spans "
        "orders of magnitude), m₀ the pixel SimpleGradient. Grouping is a projection: "
        "its distance is √(1 − remaining energy), whatever the partition.",
    )
    setting.write_table(Table("figure-5-distance", title, rows, notes))
    figure, axes = plots.study_figure(1, 1)
    curves = {}
    for kind in (SUPERPIXEL, SMOOTHGRAD):
        here = [row for row in rows if row["map"].startswith(kind)]
        curves[kind] = tuple(
            [row[key].mean for row in here]
            for key in ("remaining energy", "relative distance")
        )
    ax = plots.plot_curves(
        curves, axes[0, 0], xlabel="remaining energy", ylabel="relative distance"
    )
    ax.set_xscale("log")
    setting.write_figure("figure-5-distance", figure)


def _moved(pixel, moved):
    def norm(maps):
        flat = maps.reshape(len(maps), -1).astype(np.float64)
        return np.linalg.norm(flat, axis=1)

    energy = (norm(moved) / norm(pixel)) ** 2
    distance = norm(moved - pixel) / norm(pixel)
    return {
        "remaining energy": _geometric_mean(energy),
        "relative distance": intervals.bootstrap_interval(distance),
    }


def _geometric_mean(values):
    tiny = np.finfo(np.float64).tiny  # a map that vanished altogether
    logs = intervals.bootstrap_interval(np.log(np.maximum(values, tiny)))
    low, high = np.exp(logs.low), np.exp(logs.high)
    return logs._replace(mean=np.exp(logs.mean), low=low, high=high)

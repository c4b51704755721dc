"""Figure 5, left and right, and §4.2: sizes and algorithms of super-pixels."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    COSINE,
    SSIM,
    agreement,
    grouped_maps,
    measures_named,
)
from tf_superpixel_saliency.evaluation.faithfulness import Subsets
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper import fidelity
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import networks_note
from tf_superpixel_saliency.superpixels import (
    SLIC,
    CompactWatershed,
    Felzenszwalb,
    Quickshift,
)

NUM_PHOTOS = 48
MAX_DISTANCES = range(1, 9)
NOISE_LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
# Differences in excess SSIM within this count as none: fixed before looking.
MARGIN = 0.02
_MEASURES = measures_named(SSIM, COSINE)
_METHODS = ("SimpleGradient", "SmoothGrad", "IntegratedGradients")


def run_tradeoff(setting: Setting) -> None:
    """SSIM and its excess against μFidelity, max_dist from 1 to 8."""
    _, images = setting.photos(NUM_PHOTOS)
    which = [parts.Partition(parts.PIXEL, None)] + [
        parts.Partition(f"max_dist {d}", Quickshift(max_dist=d)) for d in MAX_DISTANCES
    ]
    methods = setting.methods(_METHODS)
    name = "figure-5-tradeoff"
    found, both = _agreement(setting, name, images, methods, which)
    mu = [Subsets(fidelity.MU, fidelity.IMAGENET_MEAN)]
    faithful = fidelity.measure(setting, name, images, methods, mu, which)
    rows, points = [], {"observed": {}, "excess": {}}
    for method in found.methods:
        for partition in found.partitions:
            groups = found.groups[found.partitions.index(partition)]
            row = {"method": method, "partition": partition}
            row["groups"] = int(np.median(groups))
            row |= _ssim_and_cosine(found, method, partition, both)
            values = faithful.of(method, partition, fidelity.MU)
            row[fidelity.MU] = intervals.bootstrap_interval(values)
            rows.append(row)
        here = [row for row in rows if row["method"] == method]
        sizes = [images.shape[1] * images.shape[2] / row["groups"] for row in here]
        y = [row[fidelity.MU].mean for row in here]
        for field, column in (("observed", "SSIM"), ("excess", "SSIM excess")):
            points[field][method] = ([row[column].mean for row in here], y, sizes)
    title = "Stability against fidelity over the size of super-pixels"
    told = ", fidelity of Lite0 on all"
    setting.write_table(Table(name, title, rows, (_note(setting, images, both, told),)))
    figure, axes = plots.study_figure(2, 1)
    for ax, (field, values) in zip(axes[0], points.items()):
        plots.plot_tradeoff(
            values, ax, xlabel=f"SSIM, {field}", ylabel="μFidelity", title=field
        )
    setting.write_figure(name, figure)


def run_algorithms(setting: Setting) -> None:
    """§4.2: four algorithms × four sizes at about equal numbers of groups."""
    _, images = setting.photos(NUM_PHOTOS)
    which = [
        parts.Partition(f"{name}|{size}", layer)
        for size, layers in sized_algorithms().items()
        for name, layer in layers.items()
    ]
    methods = setting.methods(["SimpleGradient"])
    found, both = _agreement(setting, "algorithms", images, methods, which)
    rows, differences = [], []
    for partition in found.partitions:
        name, size = partition.split("|")
        groups = found.groups[found.partitions.index(partition)]
        rows.append(
            {
                "groups aimed at": int(size),
                "algorithm": name,
                "groups": int(np.median(groups)),
                **_ssim_and_cosine(found, "SimpleGradient", partition, both),
            }
        )
        base = found.of("SimpleGradient", f"Quickshift|{size}", SSIM, "excess")
        own = found.of("SimpleGradient", partition, SSIM, "excess")
        differences.append(intervals.paired_difference(own[both], base[both]))
    for row, difference in zip(rows, differences):
        row["excess less Quickshift's"] = intervals.Interval(*difference[:5])
        row["equivalent"] = (
            "–"
            if row["algorithm"] == "Quickshift"
            else str(-MARGIN < difference.low and difference.high < MARGIN).lower()
        )
    title = "Super-pixel algorithms at similar numbers of groups, SimpleGradient"
    note = f"equivalent: the 95 % interval of the difference lies within ±{MARGIN}."
    notes = (note, _note(setting, images, both))
    setting.write_table(Table("algorithms", title, rows, notes))


def sized_algorithms():
    """Settings found by trial on photos at 224×224, by the groups aimed at."""
    return {
        400: {
            "Quickshift": Quickshift(kernel_size=3, max_dist=4),
            "SLIC": SLIC(n_segments=430),
            "Felzenszwalb": Felzenszwalb(scale=30, sigma=0.5, min_size=40),
            "CompactWatershed": CompactWatershed(markers=400, compactness=0.001),
        },
        1200: {
            "Quickshift": Quickshift(),
            "SLIC": SLIC(n_segments=1300),
            "Felzenszwalb": Felzenszwalb(scale=10, sigma=0.5, min_size=12),
            "CompactWatershed": CompactWatershed(markers=1200, compactness=0.001),
        },
        2500: {
            "Quickshift": Quickshift(max_dist=2),
            "SLIC": SLIC(n_segments=2600),
            "Felzenszwalb": Felzenszwalb(scale=4, sigma=0.5, min_size=5),
            "CompactWatershed": CompactWatershed(markers=2500, compactness=0.001),
        },
        5000: {
            "Quickshift": Quickshift(max_dist=1.5),
            "SLIC": SLIC(n_segments=5200),
            "Felzenszwalb": Felzenszwalb(scale=2, sigma=0.4, min_size=3),
            "CompactWatershed": CompactWatershed(markers=5000, compactness=0.001),
        },
    }


def run_distance(setting: Setting) -> None:
    """§5: distance to the pixel gradient, over the size of groups and the noise."""
    _, images = setting.photos(24)
    maps = setting.maps("photos", images, setting.photo_networks)
    network = setting.photo_networks[0]
    (plain,) = setting.methods(["SimpleGradient"])
    pixel = np.concatenate([maps.maps(network, plain, chunk) for chunk in maps.chunks])
    rows = []
    for distance in MAX_DISTANCES:
        segments = np.asarray(Quickshift(max_dist=distance)(images))
        groups = int(np.median(parts.group_counts(segments, images)))
        moved = grouped_maps(pixel, segments)
        rows.append({"map": f"super-pixel, {groups} groups", **_moved(pixel, moved)})
    for level in NOISE_LEVELS:
        (noisy,) = gradient_methods(["SmoothGrad"], setting.num_samples, level)
        moved = np.concatenate([maps.maps(network, noisy, c) for c in maps.chunks])
        rows.append({"map": f"SmoothGrad, noise {level}", **_moved(pixel, moved)})
    title = "Distance of super-pixel maps and of SmoothGrad from the pixel gradient"
    notes = (
        f"{len(images)} photos. {networks_note([network])} Relative distance "
        "‖m − m₀‖/‖m₀‖ and remaining energy ‖m‖²/‖m₀‖² (geometric mean: it spans "
        "orders of magnitude), m₀ the pixel SimpleGradient.",
    )
    setting.write_table(Table("figure-5-distance", title, rows, notes))
    figure, axes = plots.study_figure(1, 1)
    curves = {}
    for kind in ("super-pixel", "SmoothGrad"):
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


def _agreement(setting, name, images, methods, which):
    networks = setting.photo_networks
    maps = setting.maps("photos", images, networks)
    pair = networks[:2]
    store = setting.store(
        f"{name}-agreement",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        partitions=[partition.name for partition in which],
    )
    both = maps.all_predict(pair)
    found = agreement(
        store, maps, pair, methods, which, _MEASURES, progress=setting.progress
    )
    return found, both


def _ssim_and_cosine(found, method, partition, both):
    def at(measure, field):
        values = found.of(method, partition, measure, field)[both]
        return intervals.bootstrap_interval(values)

    return {
        "SSIM": at(SSIM, "observed"),
        "SSIM by chance": at(SSIM, "chance").mean,
        "SSIM excess": at(SSIM, "excess"),
        "signed cosine": at(COSINE, "observed"),
    }


def _note(setting, images, both, told=""):
    return (
        f"{len(images)} photos, EfficientNet-Lite0 and Lite1; stability on the "
        f"{int(both.sum())} on which both predict the class{told}. Means with 95 % "
        "bootstrap intervals, conditional on these two networks. "
        f"{networks_note(setting.photo_networks[:2])}"
    )

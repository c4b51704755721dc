"""Figures 1, 3 and 4: maps to look at, with the numbers beside them."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import structural_similarity
from tf_superpixel_saliency.metrics.chance import chance_corrected
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.tradeoff import sized_algorithms
from tf_superpixel_saliency.superpixels import Quickshift

NUM_PHOTOS, _FIGURE_1, _FIGURE_3, _FIGURE_4 = 8, 2, 4, 3
MAX_DISTANCES = (1, 3, 5, 8)


def run_figure_1(setting: Setting) -> None:
    """One photo, two networks: pixel maps that differ, super-pixel maps beside them."""
    maps, images, names = _maps(setting)
    pair = setting.photo_networks[:2]
    chunk = maps.chunks[0]
    layer = Quickshift()
    segments = np.asarray(layer(images[chunk]))
    rows, pictures = [], {}
    for method in setting.methods(["SimpleGradient", "SmoothGrad"]):
        found = [maps.maps(network, method, chunk) for network in pair]
        for partition, labels in (("pixel", None), ("super-pixel", segments)):
            corrected = chance_corrected(structural_similarity, *found, labels)
            for network, own in zip(pair, found):
                column = f"{network.name.removeprefix('efficientnet-')}"
                picture = pictures.setdefault(f"{method.name}, {partition}", {})
                picture[column] = grouped_maps(own, labels)[:_FIGURE_1]
            rows += [
                {
                    "photo": names[i],
                    "method": method.name,
                    "partition": partition,
                    "SSIM": float(corrected.observed[i]),
                    "by chance": float(corrected.chance[i]),
                    "excess": float(corrected.excess[i]),
                }
                for i in range(_FIGURE_1)
            ]
    labelled = {_with_ssim(key, rows): value for key, value in pictures.items()}
    title = "The same photos under two networks"
    setting.write_table(Table("figure-1", title, rows))
    _write_grid(setting, "figure-1", images[:_FIGURE_1], labelled)


def _with_ssim(key, rows):
    method, partition = key.split(", ")
    here = [r for r in rows if (r["method"], r["partition"]) == (method, partition)]
    found = [np.mean([row[k] for row in here]) for k in ("SSIM", "by chance")]
    return f"{key}: SSIM {found[0]:.2f}, chance {found[1]:.2f}"


def run_figure_3(setting: Setting) -> None:
    """Four methods, with pixels and with super-pixels."""
    maps, images, names = _maps(setting)
    network, chunk = setting.photo_networks[0], maps.chunks[0]
    layer = Quickshift()
    segments = np.asarray(layer(images[chunk]))
    pictures, rows = {}, []
    for method in setting.methods():
        pixel = maps.maps(network, method, chunk)
        grouped = grouped_maps(pixel, segments)
        pictures[method.name] = {"pixel": pixel[:_FIGURE_3]}
        pictures[method.name]["super-pixel"] = grouped[:_FIGURE_3]
        for i in range(_FIGURE_3):
            energy = [np.square(m[i], dtype=np.float64).sum() for m in (grouped, pixel)]
            rows.append(
                {
                    "photo": names[i],
                    "method": method.name,
                    "groups": int(segments[i].max()) + 1,
                    "energy that remains": float(energy[0] / energy[1]),
                }
            )
    title = "Pixel maps and super-pixel maps of EfficientNet-Lite0"
    setting.write_table(Table("figure-3", title, rows))
    _write_grid(setting, "figure-3", images[:_FIGURE_3], pictures)


def run_figure_4(setting: Setting) -> None:
    """SimpleGradient under other sizes of groups and other algorithms."""
    maps, images, names = _maps(setting)
    chunk = maps.chunks[0]
    (method,) = setting.methods(["SimpleGradient"])
    pixel = maps.maps(setting.photo_networks[0], method, chunk)
    layers = {
        f"max_dist {distance}": Quickshift(max_dist=distance)
        for distance in MAX_DISTANCES
    }
    rows, pictures = [], {"Quickshift": {}, "algorithm": {}}
    for family, chosen in (
        ("Quickshift", layers),
        ("algorithm", sized_algorithms()[1200]),
    ):
        for name, layer in chosen.items():
            segments = np.asarray(layer(images[chunk]))
            grouped = grouped_maps(pixel, segments)
            counts = parts.group_counts(segments, images[chunk])
            label = f"{name}, {int(np.median(counts))} groups"
            pictures[family][label] = grouped[:_FIGURE_4]
            rows += [
                {"photo": names[i], "super-pixels": name, "groups": int(counts[i])}
                for i in range(_FIGURE_4)
            ]
    title = "SimpleGradient under sizes and algorithms of super-pixels"
    setting.write_table(Table("figure-4", title, rows))
    _write_grid(setting, "figure-4", images[:_FIGURE_4], pictures, rows="methods")


def _maps(setting):
    names, images = setting.photos(NUM_PHOTOS)
    images, names = images[:NUM_PHOTOS], names[:NUM_PHOTOS]
    networks = setting.photo_networks
    return setting.maps("photos", images, networks), images, names


def _write_grid(setting, name, images, pictures, **style):
    figure = plots.new_figure()
    plots.plot_grid(images, pictures, figure=figure, **style)
    setting.write_figure(name, figure, dpi=100)  # photographs make large files

"""Figures 1, 3 and 4: maps to look at, with the numbers beside them."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import structural_similarity
from tf_superpixel_saliency.metrics.chance import chance_corrected
from tf_superpixel_saliency.paper.algorithms import sized_algorithms
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.notes import networks_note
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
            told = _numbers(images, *found, labels)
            for network, own in zip(pair, found):
                column = f"{network.name.removeprefix('efficientnet-')}"
                picture = pictures.setdefault(f"{method.name}, {partition}", {})
                picture[column] = grouped_maps(own, labels)[:_FIGURE_1]
            head = {"method": method.name, "partition": partition}
            rows += [
                {"photo": names[i], **head, **told[i]}
                for i in range(min(_FIGURE_1, len(images)))
            ]
    labelled = {_with_ssim(key, rows): value for key, value in pictures.items()}
    title = "The same photos under two networks"
    setting.write_table(Table("figure-1", title, rows, _notes(setting)))
    _write_grid(setting, "figure-1", images[:_FIGURE_1], labelled)


def _with_ssim(key, rows):
    method, partition = key.split(", ")
    here = [r for r in rows if (r["method"], r["partition"]) == (method, partition)]
    found = [np.mean([row[k] for row in here]) for k in ("SSIM", "by chance")]
    return f"{key}: SSIM {found[0]:.2f}, chance {found[1]:.2f}"


def run_figure_3(setting: Setting) -> None:
    """Four methods, with pixels and with super-pixels."""
    maps, images, names = _maps(setting)
    pair, chunk = setting.photo_networks[:2], maps.chunks[0]
    layer = Quickshift()
    segments = np.asarray(layer(images[chunk]))
    pictures, rows = {}, []
    for method in setting.methods():
        pixel, other = (maps.maps(network, method, chunk) for network in pair)
        pictures[method.name] = {}
        for partition, labels in (("pixel", None), ("super-pixel", segments)):
            grouped = grouped_maps(pixel, labels)
            pictures[method.name][partition] = grouped[:_FIGURE_3]
            head = {"method": method.name, "partition": partition}
            told = _numbers(images, pixel, other, labels)
            rows += [
                {"photo": names[i], **head, **told[i]}
                for i in range(min(_FIGURE_3, len(images)))
            ]
    title = "Pixel maps and super-pixel maps of EfficientNet-Lite0"
    setting.write_table(Table("figure-3", title, rows, _notes(setting)))
    _write_grid(setting, "figure-3", images[:_FIGURE_3], pictures)


def run_figure_4(setting: Setting) -> None:
    """SimpleGradient under other sizes of groups and other algorithms."""
    maps, images, names = _maps(setting)
    chunk = maps.chunks[0]
    (method,) = setting.methods(["SimpleGradient"])
    pixel, other = (maps.maps(n, method, chunk) for n in setting.photo_networks[:2])
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
            told = _numbers(images, pixel, other, segments)
            label = f"{name}, {int(np.median([n['groups'] for n in told]))} groups"
            pictures[family][label] = grouped_maps(pixel, segments)[:_FIGURE_4]
            rows += [
                {"photo": names[i], "super-pixels": name, **told[i]}
                for i in range(min(_FIGURE_4, len(images)))
            ]
    title = "SimpleGradient under sizes and algorithms of super-pixels"
    setting.write_table(Table("figure-4", title, rows, _notes(setting)))
    _write_grid(setting, "figure-4", images[:_FIGURE_4], pictures, rows="methods")


def _numbers(images, pixel, other, segments):
    """A row an image: groups, energy left of the pixel map, and agreement."""
    agreed = chance_corrected(structural_similarity, pixel, other, segments)
    counts = parts.group_counts(segments, images)
    energies = [
        np.square(maps, dtype=np.float64).sum(axis=(1, 2, 3))
        for maps in (grouped_maps(pixel, segments), pixel)
    ]
    return [
        {
            "groups": int(counts[i]),
            "energy that remains": float(energies[0][i] / energies[1][i]),
            "SSIM": float(agreed.observed[i]),
            "by chance": float(agreed.chance[i]),
            "excess": float(agreed.excess[i]),
        }
        for i in range(len(images))
    ]


def _notes(setting):
    pair = setting.photo_networks[:2]
    return (
        f"SSIM of {pair[0].name}'s map with {pair[1].name}'s, and the energy that "
        f"grouping leaves of the map of {pair[0].name}; by chance: with its pixels "
        "shuffled, and its maps of the other photos, in the same groups. "
        f"{networks_note(pair)}",
    )


def _maps(setting):
    names, images = setting.photos(NUM_PHOTOS)
    images, names = images[:NUM_PHOTOS], names[:NUM_PHOTOS]
    networks = setting.photo_networks
    return setting.maps("photos", images, networks), images, names


def _write_grid(setting, name, images, pictures, **style):
    figure = plots.new_figure()
    plots.plot_grid(images, pictures, figure=figure, **style)
    setting.write_figure(name, figure, dpi=100)  # photographs make large files

"""Levine's certificate over groups and over values, on trained networks."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency import explainers, metrics, plots
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.superpixels import SLIC

NUM_TEST_IMAGES = 16
NUM_SAMPLES = 4000
_NOISE, _TOP = 0.2, 0.1
# Radii as shares of sigma, and what a table shows of them.
_DISTANCES = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6])
_SHOWN = (0, 2, 3, 5)


def run(setting: Setting) -> None:
    """The share of the top tenth that no change of a given size can move out."""
    images, _ = setting.test_images(NUM_TEST_IMAGES)
    images = images[:NUM_TEST_IMAGES]
    network = setting.network("split_a")
    samples = min(NUM_SAMPLES, 80 * setting.num_samples)
    store = setting.store("beyond-certificates", images=len(images), samples=samples)
    rows, shares = [], {}
    for name, order in (
        ("values", None),
        ("groups, sparsified pixels", "group_last"),
        ("groups, sparsified groups", "sparsify_last"),
    ):
        make = functools.partial(_certified, network.model, images, order, samples)
        found = store.arrays(name, make)
        share = found["overlap"] / found["top"][:, None]
        shares[name] = share
        row = {
            "over": name,
            "how many": int(np.median(found["values"])),
            "top": int(np.median(found["top"])),
            "slack": float(np.mean(found["slack"])),
        }
        for number in _SHOWN:
            distance = f"stays at {_DISTANCES[number]:g} σ"
            row[distance] = bootstrap_interval(share[:, number])
        rows.append(row)
    notes = (
        f"{len(images)} test images, network split_a, test accuracy "
        f"{network.accuracy:.3f}; SparsifiedSmoothGrad, {samples} samples, noise "
        f"{_NOISE} of each image's range, top fraction {_TOP}; SLIC(100). The share of "
        f"the top {_TOP:.0%} of values, or groups, that stays in it for every change "
        "of the image up to that distance, at 95 % confidence.",
    )
    title = "Certified overlap of the top tenth"
    setting.write_table(Table("beyond-certificates", title, rows, notes))
    figure, axes = plots.study_figure(1, 1, 5.6)
    label = "‖change of the image‖₂ over σ"
    plots.plot_certificate(_DISTANCES, shares, axes[0, 0], xlabel=label)
    setting.write_figure("beyond-certificates", figure)


def _certified(model, images, order, samples):
    layer = SLIC(n_segments=100) if order else None
    explainer = explainers.SparsifiedSmoothGrad(
        model,
        layer,
        num_samples=samples,
        noise_level=_NOISE,
        top_fraction=_TOP,
        order=order or "group_last",
        chunk_size=256,
    )
    out = explainer(images)
    sigma = _NOISE * np.ptp(images, axis=(1, 2, 3))
    # Radii of each image's own sigma: shares of it are what is compared.
    parts = [
        metrics.certified_overlap(
            out["maps"].numpy()[i : i + 1],
            sigma[i],
            sigma[i] * _DISTANCES,
            samples,
            out["segments"].numpy()[i] if order else None,
            _TOP,
        )
        for i in range(len(images))
    ]
    return {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in metrics.Certificate._fields
    }

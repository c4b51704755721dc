"""Weights of a group's pixels: the paper's mean against the sum over √|S|."""

from __future__ import annotations

import functools
import itertools

import numpy as np

from tf_superpixel_saliency import metrics, plots
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.mapping import group_map
from tf_superpixel_saliency.metrics.intervals import (
    Interval,
    bootstrap_interval,
    paired_difference,
)
from tf_superpixel_saliency.ops.groups import WEIGHTS
from tf_superpixel_saliency.paper import beyond_maps
from tf_superpixel_saliency.paper.experiment import Setting

_METHODS = ("simple", "smooth")
_NUM_SEEDS = 3
_NUM_SUBSETS = 100
_NUM_STEPS = 14


def run(setting: Setting) -> None:
    """Agreement beyond chance, prediction and fidelity under both weights."""
    found = beyond_maps.pools(setting)
    rows, differences, bars, feet = [], [], {}, {}
    for pool, method in itertools.product(found, _METHODS):
        head, both = _both_weights(setting, pool, getattr(pool, method))
        made = {w: _summary(both[w]) for w in WEIGHTS}
        rows += [{**head, "weights": w, **made[w]} for w in WEIGHTS]
        differences.append({**head, **_differences(both)})
        name = f"{pool.data}, {head['method']}"
        bars[name] = {w: made[w]["SSIM"][:3] for w in WEIGHTS}
        feet[name] = {w: made[w]["by chance"] for w in WEIGHTS}
    notes = (
        *[pool.note() for pool in found],
        "Means over images with 95 % bootstrap intervals, over two pairs of networks: "
        "the first with each of the next two. Chance: the second network's map "
        "shuffled, and of other images, in the same groups and weights. Prediction: "
        "cosine with the other network's map, not grouped. Fidelity to the first "
        "network alone, filled with the mean colour (Deletion, μFidelity) and from "
        "the blurred image (Insertion); ranked by the map's own absolute values.",
    )
    title = "Weights of a group's pixels: mean and sqrt"
    setting.write_table(Table("beyond-weights", title, rows, notes))
    title = "sqrt less mean, image by image"
    setting.write_table(Table("beyond-weights-differences", title, differences, notes))
    figure, axes = plots.study_figure(1, 1, 8.0)
    label = "SSIM (hatched: chance)"
    plots.plot_measure(bars, axes[0, 0], chance=feet, ylabel=label)
    setting.write_figure("beyond-weights", figure)


def _both_weights(setting, pool, method):
    """What was compared, and {weights: {measure: (pairs, n)}}."""
    store = setting.store(
        f"beyond-weights-{pool.data}",
        num_samples=setting.num_samples,
        images=len(pool.images),
    )
    partition = list(pool.layers)[1]  # the paper's
    both = {}
    for weights in WEIGHTS:
        make = functools.partial(_measured, pool, method, partition, weights)
        both[weights] = store.arrays(f"{method.name} {partition} {weights}", make)
    head = {
        "images": pool.data,
        "method": method.name,
        "partition": partition,
        "groups": pool.groups(partition),
    }
    return head, both


def _measured(pool, method, partition, weights):
    """{measure: (pairs, n)}, and fidelity (1, n)."""
    segments = pool.segments(partition)
    first, *others = list(pool.networks)[:3]
    rows: dict = {}
    for other in others:
        maps = [pool.maps(name, method) for name in (first, other)]

        def measures(one, two):
            return np.stack(
                [
                    metrics.structural_similarity(one, two),
                    metrics.rank_correlation(one, two),
                    metrics.cosine_similarity(one, two),
                ],
                axis=-1,
            )

        found = metrics.chance_corrected(
            measures, *maps, segments, _NUM_SEEDS, perfect=[1.0] * 3, weights=weights
        )
        for number, name in enumerate(("SSIM", "rank", "cosine")):
            for field in ("observed", "chance", "excess"):
                values = getattr(found, field)[:, number]
                rows.setdefault(f"{name} {field}", []).append(values)
        scores = [
            metrics.prediction_score(*pair, segments, weights)
            for pair in (maps, maps[::-1])
        ]
        rows.setdefault("prediction", []).append(np.mean(scores, axis=0))
    rows.update(_fidelity(pool, first, method, segments, weights))
    return {name: np.stack(values) for name, values in rows.items()}


def _fidelity(pool, name, method, segments, weights):
    maps = group_map(pool.maps(name, method), segments, weights)
    steps = max(1, pool.images[0, ..., 0].size // _NUM_STEPS)
    settings = {"pixels_per_step": steps, "num_seeds": 1, "batch_size": 32}
    args = (pool.predict(name), pool.images, maps, pool.targets)
    drops = pool.drops(name, _NUM_SUBSETS)
    return {
        "Deletion": [metrics.deletion(*args, **settings).areas],
        "Insertion": [metrics.insertion(*args, **settings).areas],
        "μFidelity": [metrics.correlate_drops(drops, maps).pearson],
    }


def _interval(values):
    return bootstrap_interval(values if len(values) > 1 else values[0])


def _summary(found):
    return {
        "SSIM": _interval(found["SSIM observed"]),
        "by chance": _interval(found["SSIM chance"]).mean,
        "SSIM excess": _interval(found["SSIM excess"]),
        "rank correlation by chance": _interval(found["rank chance"]).mean,
        "rank correlation excess": _interval(found["rank excess"]),
        "signed cosine": _interval(found["cosine observed"]),
        "prediction": _interval(found["prediction"]),
        "Deletion ↓": _interval(found["Deletion"]),
        "Insertion ↑": _interval(found["Insertion"]),
        "μFidelity ↑": _interval(found["μFidelity"]),
    }


def _differences(both):
    names = {
        "SSIM excess": "SSIM excess",
        "rank correlation excess": "rank excess",
        "signed cosine": "cosine observed",
        "prediction": "prediction",
        "Deletion ↓": "Deletion",
        "Insertion ↑": "Insertion",
        "μFidelity ↑": "μFidelity",
    }
    row = {}
    for shown, name in names.items():
        pair = both["sqrt"][name], both["mean"][name]
        if len(pair[0]) == 1:
            pair = pair[0][0], pair[1][0]
        row[shown] = Interval(*paired_difference(*pair)[:5])
    return row

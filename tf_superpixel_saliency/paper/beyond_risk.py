"""The size found automatically, and methods ranked by what they predict."""

from __future__ import annotations

import itertools

import numpy as np

from tf_superpixel_saliency import metrics, plots
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.ops.groups import WEIGHTS
from tf_superpixel_saliency.paper import beyond_maps
from tf_superpixel_saliency.paper.beyond_maps import PIXELS, at_norm_1
from tf_superpixel_saliency.paper.experiment import Setting


def run(setting: Setting) -> None:
    """Partitions chosen by the risk, judged by networks that took no part in it."""
    found = beyond_maps.pools(setting)
    rows, curves = [], {}
    for pool in found:
        for method in pool.methods:
            scores, risks = _scores_and_risks(pool, method)
            for way, value in _ways(pool, scores, risks).items():
                head = {"images": pool.data, "method": method.name, "chosen": way}
                rows.append({**head, **value})
            sized = sorted(pool.layers, key=pool.groups)
            order = [list(pool.layers).index(name) for name in sized]
            curves[f"{pool.data}, {method.name}"] = (
                [pool.groups(name) for name in sized],
                np.nanmean(scores, axis=(1, 2))[order] / np.nanmean(scores[0]),
            )
    notes = (
        *[pool.note() for pool in found],
        "Prediction: cosine of the first network's grouped map with the mean of the "
        "held-out networks' own maps, not grouped; over images, and over the pairs "
        "that chose, with 95 % bootstrap intervals. Two networks: the risk by the "
        "first and one other, the rest held out. Noise samples: by two halves of the "
        "first network's own. once: one partition for all images; each: one for each "
        "image. risk: as it is; shrunk: of the best multiple of the map.",
    )
    title = "Partitions chosen by their risk, on held-out networks"
    setting.write_table(Table("beyond-risk", title, rows, notes))
    figure, axes = plots.study_figure(1, 1, 6.4)
    ax = plots.plot_curves(
        curves, axes[0, 0], xlabel="groups (pixels at the right)",
        ylabel="prediction, over that of pixels",
    )  # fmt: skip
    ax.set_xscale("log")
    setting.write_figure("beyond-risk", figure)


def _scores_and_risks(pool, method):
    """Scores (R, pairs, n), and {(who, which): risks (R, pairs, n)}."""
    first, *others = pool.networks
    scores, risks = [], {}
    for other in others[:2]:
        pair = [at_norm_1(pool.maps(name, method)) for name in (first, other)]
        target = pool.held_out((first, other), method)
        halves = pool.draws(first, method)
        row = []
        for partition in pool.layers:
            segments = pool.segments(partition)
            row.append(metrics.prediction_score(pair[0], target, segments))
            told = {"two networks": metrics.partition_risk(*pair, segments)}
            if len(halves) > 1:
                told["noise samples"] = metrics.partition_risk(*halves, segments, 2)
            for who, which in itertools.product(told, ("risk", "shrunk")):
                value = getattr(told[who], which)
                risks.setdefault((who, which), []).append(value)
        scores.append(np.stack(row))
    number = len(pool.layers)

    def arranged(values):
        return np.stack([values[k::number] for k in range(number)])

    stacked = {key: arranged(np.stack(value)) for key, value in risks.items()}
    return np.stack(scores, axis=1), stacked


def _ways(pool, scores, risks):
    """{way: row}: what each way to choose a partition scores."""
    names = list(pool.layers)
    paper = names[1]
    best = int(np.nanargmax(np.nanmean(scores, axis=(1, 2))))

    def fixed(number):
        return {
            "prediction": bootstrap_interval(scores[number]),
            "groups": pool.groups(names[number]),
            "partition": names[number],
        }

    made = {"pixels": fixed(0), "the paper's": fixed(names.index(paper))}
    for (who, which), values in risks.items():
        once = int(np.argmin(np.mean(values / np.abs(values[:1]), axis=(1, 2))))
        made[f"{who}, {which}, once"] = fixed(once)
        each = np.argmin(values, axis=0)
        picked = np.take_along_axis(scores, each[None], axis=0)[0]
        counts = [pool.groups(names[k]) for k in each.ravel()]
        made[f"{who}, {which}, each"] = {
            "prediction": bootstrap_interval(picked),
            "groups": int(np.median(counts)),
            "partition": f"{np.mean(each == 0):.0%} pixels",
        }
    made["the best of these, once, known afterwards"] = fixed(best)
    made["the best of these, each, known afterwards"] = {
        "prediction": bootstrap_interval(scores.max(axis=0)),
        "groups": None,
        "partition": "–",
    }
    return made


def run_prediction(setting: Setting) -> None:
    """Methods, partitions and weights ranked by what they predict."""
    found = beyond_maps.pools(setting)
    rows = []
    for pool in found:
        pairs = list(itertools.permutations(list(pool.networks)[:3], 2))
        for method, partition in itertools.product(pool.methods, pool.layers):
            for weights in WEIGHTS if partition != PIXELS else WEIGHTS[:1]:
                segments = pool.segments(partition)
                own, plain = (
                    np.stack(
                        [
                            metrics.prediction_score(
                                pool.maps(a, method),
                                pool.maps(b, other),
                                segments,
                                weights,
                            )
                            for a, b in pairs
                        ]
                    )
                    for other in (method, pool.simple)
                )
                rows.append(
                    {
                        "images": pool.data,
                        "method": method.name,
                        "partition": partition,
                        "groups": pool.groups(partition),
                        "weights": weights,
                        "predicts the other's map": bootstrap_interval(own),
                        "predicts the other's gradient": bootstrap_interval(plain),
                    }
                )
    rows.sort(key=lambda row: (row["images"], -row["predicts the other's map"].mean))
    notes = (
        *[pool.note() for pool in found],
        "Cosine of one network's grouped map with another's map by the same method, "
        "or SimpleGradient, not grouped: 0 by chance. The six ordered pairs of the "
        "first three networks.",
    )
    title = "Methods and partitions ranked by what they predict of another network"
    setting.write_table(Table("beyond-prediction", title, rows, notes))

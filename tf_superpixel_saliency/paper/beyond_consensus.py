"""Where the differences between networks come from, and what stays significant."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency import metrics, plots
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.grouping import group_map, group_mean
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper import beyond_maps
from tf_superpixel_saliency.paper.beyond_maps import PIXELS
from tf_superpixel_saliency.paper.experiment import Setting

_LEVEL = 0.05
_SHOWN = ("signal", "networks", "data", "initialisation", "noise", "segmentation")


def run(setting: Setting) -> None:
    """Shares of one map's mean square, and groups that stay significant."""
    found = beyond_maps.pools(setting)
    rows = []
    for pool in found:
        for method in pool.methods:
            for partition in list(pool.layers)[:2]:
                head = {
                    "images": pool.data,
                    "method": method.name,
                    "partition": partition,
                    "groups": pool.groups(partition),
                }
                for which, names in _designs(setting, pool).items():
                    row = _row(setting, pool, method, partition, names)
                    rows.append({**head, "networks": which, **row})
    notes = (
        *[pool.note() for pool in found],
        "Shares of the mean square of one network's map at norm 1, means over images "
        "with 95 % bootstrap intervals, by method of moments: they can be below 0. "
        "Data and initialisation are told by halves of the training images and "
        "initial weights of their own; – is what the design can't tell. "
        "Segmentation: between this partition and that of the next two in the list. "
        "Significant: share of the groups (and channels) whose mean over the networks "
        f"isn't 0 at a false discovery rate of {_LEVEL}; signs drawn: the same after "
        "each network's map got a random sign in each group.",
    )
    title = "What networks have in common, and where they differ"
    setting.write_table(Table("beyond-consensus", title, rows, notes))
    _draw(setting, found[-1])


def _designs(setting, pool):
    """{text: names of networks}."""
    if pool.data == "photos":
        return {"three architectures": list(pool.networks)}
    halves = [name for name in pool.networks if name.startswith("split")]
    folds = [name for name in pool.networks if name.startswith("fold")]
    return {"halves": halves, "all": halves + folds}


def _labels(setting, names):
    """Data and initialisation of trained networks, None where they are not."""
    try:
        trained = setting.trained
        seen = [trained.train_indices[name].tobytes() for name in names]
        return seen, [trained.init_seeds[name] for name in names]
    except (KeyError, ValueError):
        return None, None


def _row(setting, pool, method, partition, names):
    draws = np.stack([pool.draws(name, method) for name in names]).astype(np.float64)
    square = np.square(draws).sum(axis=(3, 4, 5), keepdims=True)
    draws = draws / np.sqrt(square.mean(axis=1, keepdims=True))
    data, starts = _labels(setting, names)
    others = [name for name in pool.layers if name not in (PIXELS, partition)][:2]
    shares, significant, drawn = {}, [], []
    for i in range(draws.shape[2]):
        labels = _segments(pool, partition, i)
        flat = draws[:, :, i].reshape(*draws.shape[:2], labels.size, -1)
        values = np.stack(
            [[group_mean(one, labels.ravel()) for one in network] for network in flat]
        )
        own, table = draws[:, :, i].mean(axis=1), None
        if partition != PIXELS:
            several = [labels, *(_segments(pool, other, i) for other in others)]
            table = np.stack([[group_map(m, s) for s in several] for m in own])
        sizes = np.bincount(labels.ravel())
        split = metrics.variance_split(values, data, starts, sizes, table)
        for name in _SHOWN:
            share = getattr(split, name) / split.energy
            shares.setdefault(name, []).append(share)
        means = values.mean(axis=1)
        signs = np.random.default_rng([setting.seed, i]).choice([-1, 1], means.shape)
        for kept, shown in ((significant, means), (drawn, signs * means)):
            adjusted = metrics.network_agreement(shown).adjusted
            kept.append(np.mean(adjusted <= _LEVEL))
    named = {"networks": "between networks"}
    return {
        "number": len(names),
        **{named.get(k, k): bootstrap_interval(v) for k, v in shares.items()},
        "significant": bootstrap_interval(significant),
        "signs drawn": bootstrap_interval(drawn),
    }


def _segments(pool, partition, number):
    segments = pool.segments(partition)
    if segments is None:
        shape = pool.images.shape[1:3]
        return np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    return segments[number]


def _draw(setting, pool):
    """One image's consensus: that of the most significant groups among the first."""
    names, method = list(pool.networks), pool.smooth
    partition = list(pool.layers)[1]
    maps = np.stack([pool.maps(name, method) for name in names])
    best = None
    for i in range(min(40, len(pool.images))):
        labels = _segments(pool, partition, i)
        own = beyond_maps.at_norm_1(maps[:, i])
        values = np.stack(
            [group_mean(m.reshape(labels.size, -1), labels.ravel()) for m in own]
        )
        found = metrics.network_agreement(values)
        share = np.mean(found.adjusted <= _LEVEL)
        if best is None or share > best[0]:
            best = share, i, labels, found
    _, number, labels, found = best
    figure = plots.new_figure()
    plots.plot_consensus(
        pool.images[number],
        found.mean[labels],
        found.standard_error[labels],
        found.sign_agreement[labels],
        found.adjusted[labels] <= _LEVEL,
        title=f"{len(names)} networks, {method.name}, {partition}",
        figure=figure,
    )
    setting.write_figure("beyond-consensus", figure, dpi=100)

"""Tables and figures of agreement: pooled over pairs of networks, beside chance."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import BLUR, COSINE, SSIM
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.differences import compare

# The end of a row's name.
SAME_NOISE = ", the same noise"
COMPARED = (
    (SSIM, "observed"),
    (SSIM, "excess"),
    (COSINE, "observed"),
    (COSINE, "excess"),
)
FIELDS = ("observed", "chance", "excess", "chance_shuffled", "chance_other")
_DRAWN = (parts.PIXEL, parts.SUPERPIXEL, parts.SQUARE, parts.RANDOM, BLUR)


def pooled(found, method, partition, measure, field):
    """Values of all pairs, (pairs, N): NaN where not both networks predict the class.

    Args:
        found: [(agreement, (N,) bool)], the pairs of networks on the same images.
        method, partition, measure, field: as `Agreement.of`.
    """
    return np.stack(
        [
            np.where(both, result.of(method, partition, measure, field), np.nan)
            for result, both in found
        ]
    )


def interval(found, *key):
    """Mean and 95 % interval over images, and over pairs where there are several."""
    return bootstrap_interval(_values(found, *key))


def _values(found, *key):
    """(N,) of one pair; of several, which share the images, (pairs, N).

    So an image comes and goes with all its pairs in an interval.
    """
    values = pooled(found, *key)
    return values if len(values) > 1 else values[0]


def excess_over_others(result, method, partition, measure=SSIM):
    """(N,): a similarity beyond that with network B's maps of other images alone.

    For maps that are grouped already, or smooth: shuffling their pixels would take
    away what they look like, and leave next to nothing of chance.
    """
    chance = result.of(method, partition, measure, "chance_other")
    return (result.of(method, partition, measure, "observed") - chance) / (1 - chance)


def write_agreement(setting, name, title, rows, notes) -> None:
    """The table, one of all measures, and a figure a row.

    The figure leaves out rows of the same noise in both networks.
    """
    short, long = [], []
    for row, found in rows.items():
        result = found[0][0]
        every = [(one, np.ones_like(both)) for one, both in found]
        for method in result.methods:
            for partition in result.partitions:
                at = functools.partial(interval, found, method, partition)
                at_all = functools.partial(interval, every, method, partition)
                head = {"networks": row, "pairs": len(found), "method": method}
                groups = _groups(found, partition)
                head.update(partition=partition, groups=int(np.median(groups)))
                short.append(
                    {
                        **head,
                        "SSIM": at(SSIM, "observed"),
                        "SSIM by chance": at(SSIM, "chance").mean,
                        "SSIM excess": at(SSIM, "excess"),
                        "signed cosine": at(COSINE, "observed"),
                        "its chance": at(COSINE, "chance").mean,
                    }
                )
                long += [
                    {
                        **head,
                        "groups, range": f"{groups.min():.0f}–{groups.max():.0f}",
                        "measure": measure,
                        "images": at(measure, "observed").n,
                        **{key: at(measure, key) for key in FIELDS},
                        "observed, all images": at_all(measure, "observed"),
                        "excess, all images": at_all(measure, "excess"),
                    }
                    for measure in result.measures
                ]
    setting.write_table(Table(name, title, short, tuple(notes)))
    setting.write_table(
        Table(f"{name}-measures", f"{title}: all measures", long, tuple(notes))
    )
    setting.write_table(differences(name, title, rows, notes))
    _draw(setting, name, rows)


def differences(name, title, rows, notes) -> Table:
    """Super-pixels less every other partition, with p-values after Holm."""
    made = []
    for row, found in rows.items():
        result = found[0][0]
        others = [p for p in result.partitions if p != parts.SUPERPIXEL]
        for measure, field in COMPARED:
            for other in others:
                family = {
                    method: [
                        _values(found, method, partition, measure, field)
                        for partition in (parts.SUPERPIXEL, other)
                    ]
                    for method in result.methods
                }
                made += [
                    {
                        "networks": row,
                        "measure": f"{measure}, {field}",
                        "method": method,
                        "super-pixel less": other,
                        **one.columns(),
                        "better": one.better(),
                    }
                    for method, one in compare(family).items()
                ]
    return Table(f"{name}-differences", f"{title}: differences", made, tuple(notes))


def _groups(found, partition):
    return np.concatenate([r.groups[r.partitions.index(partition)] for r, _ in found])


def _draw(setting, name, rows):
    """SSIM at the left, the signed cosine at the right, chance hatched in both."""
    rows = {row: found for row, found in rows.items() if SAME_NOISE not in row}
    figure, axes = plots.study_figure(2, len(rows), 6.4, 3.4)
    for line, (row, found) in zip(axes, rows.items()):
        for ax, measure in zip(line, (SSIM, COSINE)):
            bars, feet = {}, {}
            for method in found[0][0].methods:
                for partition in _DRAWN:
                    at = functools.partial(interval, found, method, partition, measure)
                    bars.setdefault(method, {})[partition] = at("observed")[:3]
                    feet.setdefault(method, {})[partition] = at("chance").mean
            label = f"{measure} (hatched: chance)"
            plots.plot_measure(bars, ax, chance=feet, ylabel=label, title=row)
    setting.write_figure(name, figure)

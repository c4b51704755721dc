"""Figure 5, left: stability against fidelity over the size of super-pixels."""

from __future__ import annotations

import itertools

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import SSIM
from tf_superpixel_saliency.evaluation.faithfulness import Subsets
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper import fidelity
from tf_superpixel_saliency.paper.differences import MARGIN, compare
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.photo_pair import agreed, pair_note, photo_agreement
from tf_superpixel_saliency.superpixels import Quickshift

NUM_PHOTOS = 48
MAX_DISTANCES = range(1, 9)
_METHODS = ("SimpleGradient", "SmoothGrad", "IntegratedGradients")
EXCESS = "SSIM, excess"
# What the paper calls a good choice, and the largest that it tries.
GOOD, LARGEST = "max_dist 3", "max_dist 8"
_TOLD = (
    "Paired over images: `partition` less `less`. better: 'holds' where the interval "
    "lies above 0 after Holm over the methods, 'not worse' where it lies above "
    f"−{MARGIN}, 'cannot be told' where it is too wide."
)


def run(setting: Setting) -> None:
    """SSIM and its excess against μFidelity, max_dist from 1 to 8."""
    _, images = setting.photos(NUM_PHOTOS)
    which = [parts.Partition(parts.PIXEL, None)] + [
        parts.Partition(f"max_dist {d}", Quickshift(max_dist=d)) for d in MAX_DISTANCES
    ]
    methods = setting.methods(_METHODS)
    name = "figure-5-tradeoff"
    found, both = photo_agreement(setting, name, images, methods, which)
    mu = [Subsets(fidelity.MU, fidelity.IMAGENET_MEAN)]
    faithful = fidelity.measure(setting, name, images, methods, mu, which)
    rows = []
    for method, partition in itertools.product(found.methods, found.partitions):
        groups = found.groups[found.partitions.index(partition)]
        row = {"method": method, "partition": partition}
        row["groups"] = int(np.median(groups))
        row |= agreed(found, method, partition, both)
        values = faithful.of(method, partition, fidelity.MU)
        row[fidelity.MU] = intervals.bootstrap_interval(values)
        rows.append(row)
    title = "Stability against fidelity over the size of super-pixels"
    notes = (pair_note(setting, images, both, ", fidelity of Lite0 on all"),)
    setting.write_table(Table(name, title, rows, notes))
    made = _differences(found, both, faithful)
    heading = f"{title}: differences"
    told = (_TOLD, *notes)
    setting.write_table(Table(f"{name}-differences", heading, made, told))
    _draw(setting, name, rows, images.shape[1] * images.shape[2])


def _differences(found, both, faithful):
    """Each size less pixels, and less the size that the paper calls good."""

    def values(measure, method, partition):
        if measure == EXCESS:
            return found.of(method, partition, SSIM, "excess")[both]
        return faithful.of(method, partition, measure)

    made = []
    for measure, other, partition in itertools.product(
        (EXCESS, fidelity.MU), (parts.PIXEL, GOOD), found.partitions
    ):
        if partition in (parts.PIXEL, other):
            continue
        family = {
            method: [values(measure, method, p) for p in (partition, other)]
            for method in found.methods
        }
        made += [
            {
                "measure": measure,
                "method": method,
                "partition": partition,
                "less": other,
                **one.columns(),
                "better": one.better(),
            }
            for method, one in compare(family).items()
        ]
    return made


def _draw(setting, name, rows, num_pixels):
    """Observed SSIM at the left and its excess at the right, against μFidelity."""
    figure, axes = plots.study_figure(2, 1)
    for ax, column in zip(axes[0], ("SSIM", "SSIM excess")):
        points = {}
        for method in dict.fromkeys(row["method"] for row in rows):
            here = [row for row in rows if row["method"] == method]
            points[method] = (
                [row[column].mean for row in here],
                [row[fidelity.MU].mean for row in here],
                [num_pixels / row["groups"] for row in here],
            )
        label = {"SSIM": "SSIM, observed", "SSIM excess": "SSIM, excess"}[column]
        title = "larger points: larger groups"
        plots.plot_tradeoff(points, ax, xlabel=label, ylabel="μFidelity", title=title)
    setting.write_figure(name, figure)

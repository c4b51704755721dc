"""§4.2, Figure 4: algorithms of super-pixels at similar numbers of groups."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import SSIM
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper.differences import MARGIN
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.photo_pair import agreed, pair_note, photo_agreement
from tf_superpixel_saliency.superpixels import (
    SLIC,
    CompactWatershed,
    Felzenszwalb,
    Quickshift,
)

NUM_PHOTOS = 48


def run(setting: Setting) -> None:
    """§4.2: four algorithms × four sizes at about equal numbers of groups."""
    _, images = setting.photos(NUM_PHOTOS)
    which = [
        parts.Partition(f"{name}|{size}", layer)
        for size, layers in sized_algorithms().items()
        for name, layer in layers.items()
    ]
    methods = setting.methods(["SimpleGradient"])
    found, both = photo_agreement(setting, "algorithms", images, methods, which)
    rows, differences = [], []
    for partition in found.partitions:
        name, size = partition.split("|")
        groups = found.groups[found.partitions.index(partition)]
        rows.append(
            {
                "groups aimed at": int(size),
                "algorithm": name,
                "groups": int(np.median(groups)),
                **agreed(found, "SimpleGradient", partition, both),
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
    notes = (note, pair_note(setting, images, both))
    setting.write_table(Table("algorithms", title, rows, notes))


def sized_algorithms():
    """Settings found by trial on 48 photos at 224×224, by the groups aimed at.

    By the numbers of groups alone. CompactWatershed's markers stand on a grid of whole
    pixels, so that it steps from 1024 groups to 1369, from 2025 to 3136 and on to 5625.
    """
    return {
        400: {
            "Quickshift": Quickshift(kernel_size=2, max_dist=4),
            "SLIC": SLIC(n_segments=520),
            "Felzenszwalb": Felzenszwalb(scale=22, sigma=0.5, min_size=27),
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
            "Felzenszwalb": Felzenszwalb(scale=5, sigma=0.5, min_size=6),
            "CompactWatershed": CompactWatershed(markers=2500, compactness=0.001),
        },
        5000: {
            "Quickshift": Quickshift(max_dist=1.5),
            "SLIC": SLIC(n_segments=5200),
            "Felzenszwalb": Felzenszwalb(scale=3, sigma=0.4, min_size=4),
            "CompactWatershed": CompactWatershed(markers=5000, compactness=0.001),
        },
    }

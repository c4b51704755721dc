"""Averages over several partitions, against the best of them and a plain blur."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.evaluation import blur
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.grouping import group_map
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper import beyond_maps
from tf_superpixel_saliency.paper.beyond_maps import PIXELS
from tf_superpixel_saliency.paper.experiment import Setting

_NUM_SEEDS = 2
_SIGMAS = (0.5, 1.0)


def run(setting: Setting) -> None:
    """Excess and prediction of averages over algorithms, sizes and shifts."""
    found = beyond_maps.pools(setting)
    rows = []
    for pool in found:
        store = setting.store(
            f"beyond-families-{pool.data}",
            num_samples=setting.num_samples,
            images=len(pool.images),
        )
        for method in pool.methods:
            for kind, name, smooth in _operations(pool):
                key = f"{method.name} {name}"
                make = functools.partial(_measured, pool, method, smooth)
                values = store.arrays(key, make)
                rows.append(
                    {
                        "images": pool.data,
                        "method": method.name,
                        "kind": kind,
                        "map": name,
                        "SSIM": bootstrap_interval(values["observed"][:, 0]),
                        "SSIM excess": bootstrap_interval(values["excess"][:, 0]),
                        "signed cosine": bootstrap_interval(values["observed"][:, 1]),
                        "prediction": bootstrap_interval(values["prediction"]),
                    }
                )
    notes = (
        *[pool.note() for pool in found],
        "The first two networks. The average over a family is the mean of the maps "
        "grouped by each of its partitions. Shifts: four grids of squares, each moved "
        "by half a square. Coarse to fine: pixels and three sizes. Blur: the pixel "
        "map under a Gaussian, with no partition at all. Means over images with 95 % "
        "bootstrap intervals; chance under the same operation.",
    )
    title = "Several partitions at once"
    setting.write_table(Table("beyond-families", title, rows, notes))


def _operations(pool):
    """[(kind, name, function of (map, number of the image))]."""
    named = [name for name in pool.layers if name != PIXELS]
    sizes = [name for name in named if name.startswith("SLIC")]
    sizes = sorted(sizes, key=pool.groups)[-3:]
    several = list(dict.fromkeys([named[0], sizes[0], named[-1]]))
    families = {
        "algorithms: " + " + ".join(several): several,
        "sizes: " + " + ".join(sizes): sizes,
        "coarse to fine: " + " + ".join([*sizes, PIXELS]): [*sizes, PIXELS],
    }
    members = dict.fromkeys([PIXELS, *several, *sizes])
    made = [("one", name, _average([pool.segments(name)])) for name in members]
    for name, ones in families.items():
        found = [pool.segments(one) for one in ones]
        made.append(("family", name, _average(found)))
    grids = _shifted(pool.images.shape, pool.layers[named[-1]].size)
    made.append(("family", f"shifts: {named[-1]}", _average(grids)))
    for sigma in _SIGMAS:
        blurred = functools.partial(_blurred, sigma)
        made.append(("blur", f"sigma {sigma:g}", blurred))
    return made


def _shifted(shape, side):
    """Four grids of squares, moved by half a square down, right, and both."""
    grids = []
    for down, right in ((0, 0), (side // 2, 0), (0, side // 2), (side // 2, side // 2)):
        rows = (np.arange(shape[1]) + down) // side
        columns = (np.arange(shape[2]) + right) // side
        labels = rows[:, None] * (columns.max() + 1) + columns[None]
        grids.append(np.broadcast_to(labels, shape[:3]))
    return grids


def _average(members):
    def smooth(one_map, number):
        grouped = [
            one_map if segments is None else group_map(one_map, segments[number])
            for segments in members
        ]
        return np.mean(grouped, axis=0)

    return smooth


def _blurred(sigma, one_map, number):
    del number
    return blur.gaussian_blur(one_map[None], [sigma])[0]


def _measured(pool, method, smooth):
    first, second = list(pool.networks)[:2]
    maps = [pool.maps(name, method).astype(np.float64) for name in (first, second)]

    def measures(one, two):
        values = metrics.structural_similarity, metrics.cosine_similarity
        return np.stack([measure(one, two) for measure in values], axis=-1)

    found = metrics.chance_corrected(
        measures, *maps, num_seeds=_NUM_SEEDS, perfect=[1.0, 1.0], smooth=smooth
    )
    scores = []
    for one, other in (maps, maps[::-1]):
        smoothed = np.stack([smooth(m, i) for i, m in enumerate(one)])
        scores.append(metrics.cosine_similarity(smoothed, other))
    return {
        "observed": found.observed,
        "excess": found.excess,
        "prediction": np.mean(scores, axis=0),
    }

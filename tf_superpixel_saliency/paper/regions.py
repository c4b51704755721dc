"""Figure 2, middle, and §5: gradient methods against methods of regions."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    COSINE,
    SSIM,
    Agreement,
    agreement,
    measures_named,
)
from tf_superpixel_saliency.evaluation.methods import region_methods
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.explainers.feature_maps import FeatureMaps
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper.agreement_results import excess_over_others
from tf_superpixel_saliency.paper.differences import MARGIN, compare
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, Setting
from tf_superpixel_saliency.paper.notes import networks_note
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

NUM_PHOTOS, NUM_TEST_IMAGES = 16, 100
REGIONS = "regions"
_SHOWN = measures_named(SSIM, COSINE)
EXCESS = "SSIM, excess"
_NOTES = (
    "Chance is here network B's map of other images, in the same groups: it keeps "
    "what a method's maps look like, as the smoothness of a class activation map, "
    "which shuffling pixels takes away (`shuffled`). LIME's are its own super-pixels "
    "of the image explained. XRAI's regions overlap, and are those of the other image: "
    "of what both networks owe to one image's regions nothing is taken off there. "
    "Excess = (observed − chance) / (1 − chance). Means with 95 % bootstrap intervals "
    "over images for which both networks predict the class, conditional on these two "
    "networks; masks and samples are drawn anew for each network. Groups of an image: "
    "the median; XRAI's are the pieces of its map, and those of Grad-CAM, Score-CAM "
    "and RISE the cells that are enlarged to the image.",
)

_TOLD = (
    "Paired over images: the excess of `map` less that of `less`. better: 'holds' "
    "where the interval lies above 0 after Holm over the gradient methods, 'not worse' "
    f"where it lies above −{MARGIN}, 'cannot be told' where it is too wide."
)


class _Row(NamedTuple):
    """A method's maps under a partition: their agreement, and how many groups."""

    method: str
    partition: str
    found: Agreement
    groups: float

    @property
    def name(self):
        """As the differences name it."""
        return self.method if self.partition == REGIONS else ", ".join(self[:2])

    def values(self, measure, field):
        return self.found.of(self.method, self.partition, measure, field)

    def excess(self):
        return excess_over_others(self.found, self.method, self.partition)


def run_photos(setting: Setting) -> None:
    """Photos: EfficientNet-Lite0 and Lite1."""
    _, images = setting.photos(NUM_PHOTOS)
    maps = setting.maps("photos", images, setting.photo_networks)
    pair = setting.photo_networks[:2]
    title = "Gradient methods and methods of regions: EfficientNet-Lite0 and Lite1"
    _run(setting, "figure-2-regions-photos", title, maps, pair, Quickshift(), False)


def run_small(setting: Setting) -> None:
    """CIFAR-10: the first two networks of disjoint data."""
    images, _ = setting.test_images(NUM_TEST_IMAGES)
    pair = [setting.network("split_a"), setting.network("split_b", 1)]
    maps = setting.maps("cifar10-split_a", images, pair, chunk_size=SMALL_CHUNK)
    title = "Gradient methods and methods of regions on CIFAR-10: disjoint data"
    layer = SLIC(n_segments=100)
    _run(setting, "figure-2-regions-cifar10", title, maps, pair, layer, True)


def _run(setting, name, title, maps, pair, layer, small):
    rows = _compared(setting, name, maps, pair, layer, small)
    both = maps.all_predict(pair)
    notes = (
        f"{int(both.sum())} of {len(both)} images, those both networks agree on. "
        f"{networks_note(pair)}",
        *_NOTES,
    )
    table, bars, feet = [], {}, {}
    for row in rows:
        shown = _shown(row, both)
        table.append(shown)
        bars.setdefault(row.method, {})[row.partition] = shown["SSIM"][:3]
        feet.setdefault(row.method, {})[row.partition] = shown["SSIM by chance"]
    setting.write_table(Table(name, title, table, notes))
    made = _differences(rows, both)
    heading = f"{title}: differences"
    told = (_TOLD, *notes)
    setting.write_table(Table(f"{name}-differences", heading, made, told))
    figure, axes = plots.study_figure(1, 1, 9, 3.6)
    plots.plot_measure(
        bars, axes[0, 0], chance=feet, ylabel="SSIM (hatched: chance)", title=title
    )
    setting.write_figure(name, figure)


def _compared(setting, name, maps, pair, layer, small):
    """A `_Row` of every method and partition."""
    store = setting.store(
        f"{name}-agreement",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        chance="in the same groups",
    )
    gradient = [parts.Partition(parts.PIXEL, None), parts.superpixel_partition(layer)]
    # All of them at once, so that a chunk is segmented once.
    compared = [(setting.methods(), gradient)]
    compared += [
        ([method], [parts.Partition(REGIONS, _groups(method, pair[0]))])
        for method in region_methods(small=small)
    ]
    rows = []
    for methods, partitions in compared:
        progress = setting.progress
        found = agreement(
            store, maps, pair, methods, partitions, _SHOWN, progress=progress
        )
        for method, (number, partition) in itertools.product(
            methods, enumerate(found.partitions)
        ):
            groups = float(np.median(found.groups[number]))
            if partition == REGIONS and method.name != "LIME":
                groups = _num_regions(maps, pair[0], method)
            rows.append(_Row(method.name, partition, found, groups))
    return rows


def _groups(method, network):
    """The super-pixels that a method's map is constant in, or None."""
    if method.name != "LIME":
        return None
    return method.explainer(network.model).superpixels


def _num_regions(maps, network, method):
    """Pieces or cells that a method of regions makes a map of."""
    if method.name == "RISE":
        return float(method.explainer(network.model).grid ** 2)
    if method.name.endswith("CAM"):
        shape = FeatureMaps(network.model, None).features(maps.images[:1]).shape
        return float(shape[1] * shape[2])
    found = [maps.maps(network, method, chunk)[..., 0] for chunk in maps.chunks]
    return float(np.median([np.unique(one).size for one in np.concatenate(found)]))


def _shown(row, both):
    def interval(*key):
        return intervals.bootstrap_interval(row.values(*key)[both])

    return {
        "method": row.method,
        "partition": row.partition,
        "groups": int(row.groups),
        "SSIM": interval(SSIM, "observed"),
        "SSIM by chance": interval(SSIM, "chance_other").mean,
        "shuffled": interval(SSIM, "chance_shuffled").mean,
        "SSIM excess": intervals.bootstrap_interval(row.excess()[both]),
        "signed cosine": interval(COSINE, "observed"),
        "its chance": interval(COSINE, "chance_other").mean,
    }


def _differences(rows, both):
    """Gradient methods less each method of regions, with p-values after Holm."""
    regions = [row for row in rows if row.partition == REGIONS]
    made = []
    for partition, other in itertools.product((parts.PIXEL, parts.SUPERPIXEL), regions):
        own = [row for row in rows if row.partition == partition]
        family = {row.name: (row.excess()[both], other.excess()[both]) for row in own}
        made += [
            {
                "measure": EXCESS,
                "map": name,
                "less": other.name,
                **one.columns(),
                "better": one.better(),
            }
            for name, one in compare(family).items()
        ]
    return made

"""Figure 2, middle, and §5: gradient methods against methods of regions."""

from __future__ import annotations

import itertools

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    COSINE,
    SSIM,
    agreement,
    measures_named,
)
from tf_superpixel_saliency.evaluation.methods import region_methods
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.intervals import bootstrap_interval
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

NUM_PHOTOS, NUM_TEST_IMAGES = 16, 100
REGIONS = "regions"
_SHOWN = measures_named(SSIM, COSINE)
_NOTES = (
    "Chance is here network B's map of other images, in the same groups: it keeps "
    "what a method's maps look like, as the smoothness of a class activation map, "
    "which shuffling pixels takes away (`shuffled`). LIME's are its own super-pixels "
    "of the image explained. XRAI's regions overlap, and are those of the other image: "
    "of what both networks owe to one image's regions nothing is taken off there. "
    "Excess = (observed − chance) / (1 − chance). Means with 95 % bootstrap intervals "
    "over images for which both networks predict the class, conditional on these two "
    "networks; masks and samples are drawn anew for each network.",
)


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
    maps = setting.maps("cifar10-split_a", images, pair, chunk_size=50)
    title = "Gradient methods and methods of regions on CIFAR-10: disjoint data"
    layer = SLIC(n_segments=100)
    _run(setting, "figure-2-regions-cifar10", title, maps, pair, layer, True)


def _run(setting, name, title, maps, pair, layer, small):
    store = setting.store(
        f"{name}-agreement",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        chance="in the same groups",
    )
    both = maps.all_predict(pair)
    gradient = [parts.Partition(parts.PIXEL, None), parts.superpixel_partition(layer)]
    # All of them at once, so that a chunk is segmented once.
    compared = [(setting.methods(), gradient)]
    compared += [
        ([method], [parts.Partition(REGIONS, _groups(method, pair[0]))])
        for method in region_methods(small=small)
    ]
    rows, bars, feet = [], {}, {}
    for methods, partitions in compared:
        progress = setting.progress
        result = agreement(
            store, maps, pair, methods, partitions, _SHOWN, progress=progress
        )
        for method, partition in itertools.product(result.methods, result.partitions):
            row = _row(result, method, partition, both)
            rows.append({"method": method, "partition": partition, **row})
            bars.setdefault(method, {})[partition] = row["SSIM"][:3]
            feet.setdefault(method, {})[partition] = row["SSIM by chance"]
    note = f"{int(both.sum())} of {len(both)} images, those both networks agree on."
    setting.write_table(Table(name, title, rows, (note, *_NOTES)))
    figure, axes = plots.study_figure(1, 1, 9, 3.6)
    plots.plot_measure(
        bars, axes[0, 0], chance=feet, ylabel="SSIM (hatched: chance)", title=title
    )
    setting.write_figure(name, figure)


def _groups(method, network):
    """The super-pixels that a method's map is constant in, or None."""
    if method.name != "LIME":
        return None
    return method.explainer(network.model).superpixels


def _row(result, method, partition, both):
    ssim, cosine = (
        {
            field: result.of(method, partition, measure, field)[both]
            for field in ("observed", "chance_other", "chance_shuffled")
        }
        for measure in (SSIM, COSINE)
    )
    chance = ssim["chance_other"]
    excess = (ssim["observed"] - chance) / (1 - chance)
    return {
        "SSIM": bootstrap_interval(ssim["observed"]),
        "SSIM by chance": bootstrap_interval(chance).mean,
        "shuffled": bootstrap_interval(ssim["chance_shuffled"]).mean,
        "SSIM excess": bootstrap_interval(excess),
        "signed cosine": bootstrap_interval(cosine["observed"]),
        "its chance": bootstrap_interval(cosine["chance_other"]).mean,
    }

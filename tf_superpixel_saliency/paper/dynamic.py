"""§3.2: a partition made anew for every noisy or interpolated copy of the image."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    COSINE,
    SSIM,
    agreement,
    measures_named,
)
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper.agreement_results import excess_over_others
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.pairs import pairs

NUM_PHOTOS, NUM_TEST_IMAGES = 24, 100
PIXEL, STATIC, DYNAMIC = "pixel", "static", "dynamic"
_METHODS = ("SmoothGrad", "SparsifiedSmoothGrad", "IntegratedGradients")
_MEASURES = measures_named(SSIM, COSINE)
_NOTES = (
    "static: the image is segmented once; dynamic: each noisy or interpolated copy, "
    "clipped and under noise smoothed first. A copy's groups are its own, so that "
    "chance is here network B's map of other images as it is: what two maps owe to "
    "the groups of one image is not taken off, in either row. Excess = (observed − "
    "chance) / (1 − chance). Means with 95 % bootstrap intervals over images for which "
    "both networks predict the class, conditional on these two networks.",
    "Propositions 1 and 2 hold for the static partition only.",
)


def run(setting: Setting) -> None:
    """Agreement of two networks with pixels, one partition, and one a copy."""
    rows, notes = [], []
    for pair in pairs(setting, NUM_PHOTOS, NUM_TEST_IMAGES):
        both = pair.maps.all_predict(pair.networks)
        found = {
            kind: _agreement(setting, pair, kind) for kind in (PIXEL, STATIC, DYNAMIC)
        }
        for method in _METHODS:
            for kind, result in found.items():
                row = {"data": pair.data, "method": method, "partition": kind}
                row["groups"] = _groups(setting, pair, kind, method)
                row |= _shown(result, method, both)
                row |= _less_static(result, found[STATIC], method, both, kind)
                rows.append(row)
        notes.append(f"{pair.note()} Both predict the class of {int(both.sum())}.")
    title = "A partition for the image, and one for each noisy or interpolated copy"
    table = Table("dynamic-partition", title, rows, (*notes, *_NOTES))
    setting.write_table(table)


def _methods(setting, pair, kind):
    methods = setting.methods(_METHODS)
    if kind == PIXEL:
        return methods
    grouping = {"superpixels": pair.layer_text, "partition": kind}
    return [m._replace(settings={**m.settings, **grouping}) for m in methods]


def _agreement(setting, pair, kind):
    store = setting.store(
        f"dynamic-partition-{pair.data}-{kind}",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
    )
    # Grouped already, copy by copy: nothing is left for the comparison to group.
    whole = [parts.Partition(kind, None)]
    methods = _methods(setting, pair, kind)
    return agreement(
        store,
        pair.maps,
        pair.networks,
        methods,
        whole,
        _MEASURES,
        progress=setting.progress,
    )


def _groups(setting, pair, kind, method):
    """The median over images of the number of groups, of a dynamic one's mean."""
    if kind == PIXEL:
        return int(np.prod(pair.images.shape[1:3]))
    if kind == STATIC:
        segments = pair.segments(parts.superpixel_partition(pair.layer))
        return int(np.median(parts.group_counts(segments, pair.images)))
    (own,) = [m for m in _methods(setting, pair, kind) if m.name == method]
    network, maps = pair.networks[0], pair.maps
    counts = [maps.num_groups(network, own, chunk) for chunk in maps.chunks]
    return int(np.median(np.concatenate(counts)))


def _shown(result, method, both):
    (kind,) = result.partitions

    def values(*key):
        return intervals.bootstrap_interval(result.of(method, kind, *key)[both])

    excess = excess_over_others(result, method, kind)[both]
    return {
        "SSIM": values(SSIM, "observed"),
        "SSIM by chance": values(SSIM, "chance_other").mean,
        "SSIM excess": intervals.bootstrap_interval(excess),
        "signed cosine": values(COSINE, "observed"),
        "its chance": values(COSINE, "chance_other").mean,
    }


def _less_static(result, static, method, both, kind):
    """How much more the networks agree than with one partition of the image."""
    own, base = (
        (
            excess_over_others(one, method, one.partitions[0])[both],
            one.of(method, one.partitions[0], COSINE)[both],
        )
        for one in (result, static)
    )
    names = ("excess less static's", "cosine less static's")
    if kind == STATIC:
        return dict.fromkeys(names, intervals.Interval(np.nan, np.nan, np.nan, 0))
    return {
        name: intervals.Interval(*intervals.paired_difference(*values)[:5])
        for name, values in zip(names, zip(own, base))
    }

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
from tf_superpixel_saliency.metrics.intervals import Interval, bootstrap_interval
from tf_superpixel_saliency.paper.agreement_results import excess_over_others
from tf_superpixel_saliency.paper.differences import P_VALUE, compare
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.pairs import pairs

NUM_PHOTOS, NUM_TEST_IMAGES = 24, 100
PIXEL, STATIC, DYNAMIC = "pixel", "static", "dynamic"
LESS_STATIC = "less static's"
_METHODS = ("SmoothGrad", "SparsifiedSmoothGrad", "IntegratedGradients")
_MEASURES = measures_named(SSIM, COSINE)
_NOTES = (
    "static: the image is segmented once; dynamic: each noisy or interpolated copy, "
    "clipped and smoothed by a Gaussian of sigma pixels first. Chance is here network "
    "B's map of other images, for static in the groups of the image explained, for "
    "dynamic as it is. Excess = (observed − chance) / (1 − chance). A copy's groups "
    "follow the same edges in both networks: what a dynamic map's SSIM owes to that is "
    "not taken off, so that the excess compared is that of the signed cosine, whose "
    "chance is next to 0 for signed maps.",
    "Means with 95 % bootstrap intervals over images for which both networks predict "
    "the class, conditional on these two networks; p-values after Holm over methods. "
    "Propositions 1 and 2 hold for the static partition only.",
)


def run(setting: Setting) -> None:
    """Agreement of two networks with pixels, one partition, and one a copy."""
    rows, notes = [], []
    for pair in pairs(setting, NUM_PHOTOS, NUM_TEST_IMAGES):
        both = pair.maps.all_predict(pair.networks)
        rows += _rows(setting, pair, both)
        notes.append(f"{pair.note()} Both predict the class of {int(both.sum())}.")
    title = "A partition for the image, and one for each noisy or interpolated copy"
    table = Table("dynamic-partition", title, rows, (*notes, *_NOTES))
    setting.write_table(table)


def _rows(setting, pair, both):
    layer = [parts.superpixel_partition(pair.layer, STATIC)]
    methods = setting.methods(_METHODS)
    dynamic = _dynamic(methods, pair)
    # Grouped already, copy by copy: nothing is left for the comparison to group.
    whole = [parts.Partition(DYNAMIC, None)]
    pixel = [parts.Partition(PIXEL, None)]
    once = _agreement(setting, pair, "once", methods, pixel + layer)
    anew = _agreement(setting, pair, "anew", dynamic, whole)
    family = {
        name: (
            excess_over_others(anew, name, DYNAMIC, COSINE)[both],
            excess_over_others(once, name, STATIC, COSINE)[both],
        )
        for name in once.methods
    }
    apart = compare(family)
    rows = []
    for method in dynamic:
        explainer = method.explainer(pair.networks[0].model)
        groups = pair.num_groups(pair.networks[0], method)
        told = {
            PIXEL: (once, once.groups[0], None),
            STATIC: (once, once.groups[1], None),
            DYNAMIC: (anew, groups, explainer.dynamic_sigma),
        }
        for kind, (found, counts, sigma) in told.items():
            row = {"data": pair.data, "method": method.name, "partition": kind}
            row |= {"groups": int(np.median(counts)), "sigma": sigma}
            row |= _shown(found, method.name, kind, both)
            row |= {LESS_STATIC: _NOTHING, P_VALUE: None}
            if kind == DYNAMIC:
                row |= apart[method.name].columns(LESS_STATIC)
            rows.append(row)
    return rows


_NOTHING = Interval(np.nan, np.nan, np.nan, 0)


def _dynamic(methods, pair):
    grouping = {"superpixels": pair.layer_text, "partition": DYNAMIC}
    return [m._replace(settings={**m.settings, **grouping}) for m in methods]


def _agreement(setting, pair, name, methods, partitions):
    store = setting.store(
        f"dynamic-partition-{pair.data}-{name}",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
    )
    progress = setting.progress
    return agreement(
        store,
        pair.maps,
        pair.networks,
        methods,
        partitions,
        _MEASURES,
        progress=progress,
    )


def _shown(found, method, kind, both):
    def interval(*key):
        return bootstrap_interval(found.of(method, kind, *key)[both])

    excess = excess_over_others(found, method, kind, COSINE)[both]
    return {
        "SSIM": interval(SSIM, "observed"),
        "SSIM by chance": interval(SSIM, "chance_other").mean,
        "signed cosine": interval(COSINE, "observed"),
        "its chance": interval(COSINE, "chance_other").mean,
        "cosine excess": bootstrap_interval(excess),
    }

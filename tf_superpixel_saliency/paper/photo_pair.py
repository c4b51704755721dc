"""Agreement of EfficientNet-Lite0 and Lite1 on photos, as several results need it."""

from __future__ import annotations

from tf_superpixel_saliency.evaluation.agreement import (
    COSINE,
    SSIM,
    agreement,
    measures_named,
)
from tf_superpixel_saliency.metrics import intervals
from tf_superpixel_saliency.paper.notes import networks_note

_MEASURES = measures_named(SSIM, COSINE)


def photo_agreement(setting, name, images, methods, which):
    """(agreement, (N,) bool: photos whose class both networks predict)."""
    networks = setting.photo_networks
    maps = setting.maps("photos", images, networks)
    pair = networks[:2]
    store = setting.store(
        f"{name}-agreement",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        partitions=[partition.name for partition in which],
    )
    both = maps.all_predict(pair)
    found = agreement(
        store, maps, pair, methods, which, _MEASURES, progress=setting.progress
    )
    return found, both


def agreed(found, method, partition, both) -> dict:
    """The columns of a table that tell of agreement."""

    def at(measure, field):
        values = found.of(method, partition, measure, field)[both]
        return intervals.bootstrap_interval(values)

    return {
        "SSIM": at(SSIM, "observed"),
        "SSIM by chance": at(SSIM, "chance").mean,
        "SSIM excess": at(SSIM, "excess"),
        "signed cosine": at(COSINE, "observed"),
    }


def pair_note(setting, images, both, told="") -> str:
    """Which photos and networks, in a sentence."""
    return (
        f"{len(images)} photos, EfficientNet-Lite0 and Lite1; stability on the "
        f"{int(both.sum())} on which both predict the class{told}. Means with 95 % "
        "bootstrap intervals, conditional on these two networks. "
        f"{networks_note(setting.photo_networks[:2])}"
    )

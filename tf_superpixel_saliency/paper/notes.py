"""What stands below a table: its networks' accuracies and the numbers of groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import BLUR
from tf_superpixel_saliency.evaluation.maps import Network

# Top-1 on ImageNet's 50,000 validation images at 224, 240 and 260 pixels, as published:
# https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
PUBLISHED_ACCURACIES = {
    "efficientnet-lite0": 0.751,
    "efficientnet-lite1": 0.767,
    "efficientnet-lite2": 0.776,
}


def networks_note(networks: Iterable[Network]) -> str:
    """The networks of a table, each with its accuracy on images not trained on."""
    networks = list(networks)
    published = all(network.name in PUBLISHED_ACCURACIES for network in networks)
    what = (
        "accuracies on ImageNet's validation images as published, each at its own size"
    )
    named = ", ".join(f"{one.name} ({_accuracy(one)})" for one in networks)
    return f"Networks, with {what if published else 'test accuracies'}: {named}."


def _accuracy(network):
    return "not known" if network.accuracy is None else f"{network.accuracy:.3f}"


def count_groups(partitions: Iterable[parts.Partition], images: np.ndarray) -> dict:
    """Name of a partition → numbers of groups (N,) of images (N, H, W, C)."""
    return {
        partition.name: parts.group_counts(partition.segments(images), images)
        for partition in partitions
        if partition.name not in _LEFT_OUT
    }


def groups_note(counts: Mapping[str, np.ndarray]) -> str:
    """Median and range of the numbers of groups over images, a partition at a time.

    Args:
        counts: name of a partition → (N,) numbers. Those of pixels, and of controls
            that have as many groups as the super-pixels, are left out.
    """
    told = [
        f"{name}: {np.median(found):.0f} ({np.min(found):.0f}–{np.max(found):.0f})"
        for name, found in counts.items()
        if name not in _LEFT_OUT
    ]
    return f"Groups of an image, median and range: {', '.join(told)}." if told else ""


_LEFT_OUT = {parts.PIXEL, parts.RANDOM, parts.PERMUTATION, parts.ONE_GROUP, BLUR}

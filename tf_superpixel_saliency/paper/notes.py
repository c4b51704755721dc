"""What stands below a table: its networks' accuracies and the numbers of groups."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.maps import Network

# Top-1 on ImageNet's 50,000 validation images, as published with the models:
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
    what = "published accuracies on ImageNet's validation images"
    named = ", ".join(f"{one.name} ({_accuracy(one)})" for one in networks)
    return f"Networks, with {what if published else 'test accuracies'}: {named}."


def _accuracy(network):
    return "not known" if network.accuracy is None else f"{network.accuracy:.3f}"


def groups_note(partitions: Iterable[parts.Partition], images: np.ndarray) -> str:
    """Median and range of the numbers of groups over images (N, H, W, C).

    Random groups are as many as the super-pixels' and left out, and so are pixels.
    """
    told = []
    for partition in partitions:
        if partition.segment is None or partition.name in _KNOWN:
            continue
        counts = parts.group_counts(partition.segments(images), images)
        told.append(
            f"{partition.name} {np.median(counts):.0f} ({counts.min()}–{counts.max()})"
        )
    return f"Groups of an image, median and range: {', '.join(told)}."


_KNOWN = {parts.RANDOM, parts.PERMUTATION, parts.ONE_GROUP}

"""What stands below a table."""

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.maps import Network
from tf_superpixel_saliency.paper.notes import (
    count_groups,
    groups_note,
    networks_note,
)
from tf_superpixel_saliency.superpixels import SquareGrid


def test_networks_are_named_with_their_accuracies():
    own = [Network("a", None, 0, 0.7771), Network("b", None, 1)]
    named = "Networks, with test accuracies: a (0.777), b (not known)."
    assert networks_note(own) == named
    lite = Network("efficientnet-lite1", None, 0, 0.767)
    assert networks_note([lite]) == (
        "Networks, with accuracies on ImageNet's validation images as published, each "
        "at its own size: efficientnet-lite1 (0.767)."
    )


def test_groups_are_counted_over_the_images():
    def uneven(images):
        labels = np.zeros(images.shape[:3], np.int32)
        for number in range(len(images)):
            labels[number, 0, : number + 1] = np.arange(number + 1)
        return labels

    images = np.zeros((3, 8, 8, 3), np.float32)
    which = [
        parts.Partition(parts.PIXEL, None),
        parts.Partition(parts.SUPERPIXEL, uneven),
        *parts.controls(SquareGrid(size=4), (parts.SQUARE, parts.RANDOM), 2),
    ]
    counts = count_groups(which, images)
    assert {name: list(found) for name, found in counts.items()} == {
        "super-pixel": [1, 2, 3],
        "square": [4, 4, 4],
    }
    assert groups_note({**counts, "pixel": np.array([64])}) == (
        "Groups of an image, median and range: super-pixel: 2 (1–3), square: 4 (4–4)."
    )
    assert groups_note({"pixel": np.array([64])}) == ""

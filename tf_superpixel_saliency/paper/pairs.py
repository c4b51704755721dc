"""Pairs of networks with the images they explain, of whatever data was given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.evaluation.maps import MapStore, Network
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, MissingData, Setting
from tf_superpixel_saliency.paper.notes import networks_note
from tf_superpixel_saliency.superpixels import naming
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer

PHOTOS, CIFAR10 = "photos", "CIFAR-10"


class Pair(NamedTuple):
    """Two networks, and images.

    Attributes:
        data: "photos" or "CIFAR-10".
        maps: the images, and the two networks' maps of them.
        networks: network A, whose class is explained, and network B.
        layer: the paper's super-pixels for such images.
        layer_text: the same as `superpixels.naming` reads it.
    """

    data: str
    maps: MapStore
    networks: tuple[Network, Network]
    layer: SuperpixelLayer
    layer_text: str

    @property
    def images(self) -> np.ndarray:
        """(N, H, W, C) float32."""
        return self.maps.images

    def num_groups(self, network, method) -> np.ndarray:
        """(N,): groups of a dynamic partition, the mean over its copies."""
        chunks = self.maps.chunks
        found = [self.maps.num_groups(network, method, chunk) for chunk in chunks]
        return np.concatenate(found)

    def segments(self, partition) -> np.ndarray | None:
        """Segments of all images under a partition, (N, H, W), or None for pixels."""
        return partition.segments_of(self.images, self.maps.chunks)

    def note(self) -> str:
        """Which images and networks, in a sentence."""
        networks = networks_note(self.networks)
        return f"{self.data}: {len(self.images)} images. {networks}"


def pairs(setting: Setting, num_photos: int, num_test_images: int) -> Iterator[Pair]:
    """A pair for each kind of data: EfficientNet-Lite0 and 1, split_a and split_b.

    Args:
        setting: of the run.
        num_photos, num_test_images: how many images, unless the run says otherwise.

    Raises:
        MissingData: neither photos nor networks were given.
    """
    if setting.read_photos is None and setting.networks_path is None:
        raise MissingData(
            "needs a folder of photos, or trained networks and their data: --photos "
            "DIR, or --networks DIR and --data DIR"
        )
    if setting.read_photos is not None:
        _, images = setting.photos(num_photos)
        networks = setting.photo_networks
        maps = setting.maps("photos", images, networks)
        yield _pair(PHOTOS, maps, networks[:2], "Quickshift")
    if setting.networks_path is not None:
        images, _ = setting.test_images(num_test_images)
        two = (setting.network("split_a"), setting.network("split_b", 1))
        maps = setting.maps("cifar10-split_a", images, two, chunk_size=SMALL_CHUNK)
        yield _pair(CIFAR10, maps, two, "SLIC:n_segments=100")


def _pair(data, maps, networks, text):
    return Pair(data, maps, networks, naming.from_text(text), text)

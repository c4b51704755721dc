"""What the results beyond the paper share: several networks' maps, in two draws."""

from __future__ import annotations

import functools

import numpy as np

from tf_superpixel_saliency.evaluation.maps import MapStore
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.prediction import probabilities
from tf_superpixel_saliency.metrics.mu_fidelity import SubsetDrops, subset_drops
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, MissingData, Setting
from tf_superpixel_saliency.paper.notes import networks_note
from tf_superpixel_saliency.superpixels import SLIC, Quickshift, SquareGrid

NUM_PHOTOS, NUM_TEST_IMAGES, NUM_FOLDS = 12, 100, 3
PIXELS = "pixels"
_FEWEST = 4
# Added to a network's seed for its second draw of the noise.
_SECOND_SEED = 1_000_003


class Pool:
    """Networks and images, and the maps of those images whose class all predict.

    Attributes:
        data: "photos" or "CIFAR-10".
        networks: by name.
        layers: partitions by name, None for pixels; the first beside pixels is the
            one that the paper would take.
    """

    def __init__(self, setting: Setting, data, images, networks, layers, chunk_size):
        self.data, self.networks, self.layers = data, networks, layers
        name = "photos" if data == "photos" else "cifar10"
        listed = list(networks.values())
        self.store: MapStore = setting.maps(
            f"beyond-{name}", images, listed, chunk_size=chunk_size
        )
        half = max(1, setting.num_samples // 2)
        (self.simple,) = gradient_methods(["SimpleGradient"])
        (self.smooth,) = gradient_methods(["SmoothGrad"], half)
        self.methods = (self.simple, self.smooth)
        self.setting = setting
        self._made: dict = {}

    @functools.cached_property
    def kept(self) -> np.ndarray:
        """(N,) bool: the images whose explained class every network predicts.

        All of them where those are too few to compare.
        """
        same = self.store.all_predict(list(self.networks.values()))
        return same if same.sum() >= _FEWEST else np.ones_like(same)

    @functools.cached_property
    def images(self) -> np.ndarray:
        return self.store.images[self.kept]

    @functools.cached_property
    def targets(self) -> np.ndarray:
        return self.store.targets[self.kept]

    def draws(self, name, method) -> np.ndarray:
        """(S, n, H, W, C) float32: two draws of half the samples, or one map."""
        return self._once(("draws", name, method.name), self._draws, name, method)

    def _draws(self, name, method):
        network = self.networks[name]
        seeds = (network.seed, network.seed + _SECOND_SEED)
        found = []
        for seed in seeds[: 1 + method.seeded]:
            text = f"{self.data}: {method.name} of {name}"
            parts = [
                self.store.maps(network, method, chunk, seed)
                for chunk in self.setting.progress(self.store.chunks, text)
            ]
            found.append(np.concatenate(parts)[self.kept])
        return np.stack(found)

    def maps(self, name, method) -> np.ndarray:
        """(n, H, W, C): the mean of the draws."""
        return self.draws(name, method).mean(axis=0)

    def segments(self, partition) -> np.ndarray | None:
        """(n, H, W) int32 of a partition by name, or None for pixels."""
        layer = self.layers[partition]
        if layer is None:
            return None
        return self._once(partition, lambda: np.asarray(layer(self.images)))

    def predict(self, name):
        """Images → class probabilities of a network, as the metrics take it."""
        network = self.networks[name]
        return self._once(
            ("predict", name), probabilities, network.model, network.model_output
        )

    def drops(self, name, num_subsets) -> SubsetDrops:
        """What μFidelity correlates maps with, the same for all of them."""
        make = functools.partial(subset_drops, num_subsets=num_subsets, batch_size=32)
        return self._once(
            ("drops", name), make, self.predict(name), self.images, self.targets
        )

    def _once(self, key, make, *arguments):
        if key not in self._made:
            self._made[key] = make(*arguments)
        return self._made[key]

    def groups(self, partition) -> int:
        """The median number of groups."""
        segments = self.segments(partition)
        if segments is None:
            return self.images.shape[1] * self.images.shape[2]
        return int(np.median(segments.max(axis=(1, 2)) + 1))

    def held_out(self, used, method) -> np.ndarray:
        """The mean map of all networks that are not in use, each at norm 1."""
        others = [name for name in self.networks if name not in used]
        return np.mean([at_norm_1(self.maps(name, method)) for name in others], axis=0)

    def note(self) -> str:
        """Which images and networks, in a sentence."""
        seen = (
            ", probably seen in training by all networks, which share their data"
            if self.data == "photos"
            else ""
        )
        which = (
            f"all {len(self.kept)} images"
            if self.kept.all()
            else f"the {len(self.images)} of {len(self.kept)} images whose class all "
            "networks predict"
        )
        networks = networks_note(self.networks.values())
        return f"{self.data}: {which}{seen}. {networks}"


def pools(setting: Setting) -> list[Pool]:
    """The photos and the labelled test images, as far as they were given.

    Raises:
        MissingData: neither was.
    """
    found, missing = [], []
    for make in (_photos, _small):
        try:
            found.append(make(setting))
        except MissingData as error:
            missing.append(str(error))
    if not found:
        raise MissingData(" or ".join(missing))
    return found


def _photos(setting):
    _, images = setting.photos(NUM_PHOTOS)
    networks = {one.name: one for one in setting.photo_networks}
    return Pool(setting, "photos", images, networks, photo_layers(), 4)


def _small(setting):
    images, _ = setting.test_images(NUM_TEST_IMAGES)
    trained = setting.trained
    names = [n for n in trained.models if not n.startswith("fold")]
    names += [n for n in trained.models if n.startswith("fold")][:NUM_FOLDS]
    networks = {name: setting.network(name, k) for k, name in enumerate(names)}
    return Pool(setting, "CIFAR-10", images, networks, small_layers(), SMALL_CHUNK)


def photo_layers() -> dict:
    """Partitions of photos at 224×224: pixels, the paper's, sizes, squares."""
    return {
        PIXELS: None,
        "Quickshift": Quickshift(),
        "Quickshift, kernel_size 3": Quickshift(kernel_size=3),
        "Quickshift, max_dist 2": Quickshift(max_dist=2),
        **{f"SLIC {n}": SLIC(n_segments=n) for n in (300, 1000, 3000, 10_000)},
        "squares of 7": SquareGrid(size=7),
    }


def small_layers() -> dict:
    """Partitions of images at 32×32, likewise."""
    return {
        PIXELS: None,
        **{f"SLIC {n}": SLIC(n_segments=n) for n in (100, 25, 50, 200, 400)},
        "squares of 3": SquareGrid(size=3),
    }


def at_norm_1(maps: np.ndarray) -> np.ndarray:
    """Each map over its own L2 norm: (N, …) → float64."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    return (flat / np.where(norms > 0, norms, 1)).reshape(maps.shape)

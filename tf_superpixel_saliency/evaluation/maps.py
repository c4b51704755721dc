"""Ungrouped maps of several networks and methods, each made once and kept."""

from __future__ import annotations

import functools
import hashlib
from typing import Any, NamedTuple

import numpy as np

from tf_superpixel_saliency.evaluation import prediction
from tf_superpixel_saliency.evaluation.methods import Method
from tf_superpixel_saliency.evaluation.storage import PartStore


class Network(NamedTuple):
    """A network to explain.

    Attributes:
        name: short, unique among those compared.
        model: what an explainer takes.
        seed: of its noise; two networks are compared under seeds of their own.
        accuracy: on test images, or as published; None where it isn't known.
        model_output: "probability", "logit" or "auto", as for an explainer.
    """

    name: str
    model: Any
    seed: int = 0
    accuracy: float | None = None
    model_output: str = "auto"


class MapStore:
    """Ungrouped maps, chunk by chunk: read where they are there, else made.

    Args:
        store: where they are kept.
        images: (N, H, W, C) float32, in the range the networks take.
        networks: those compared; the first one's predicted class is explained in
            all of them, unless `targets` says otherwise.
        targets: (N,) class indices, or None.
        chunk_size: images a chunk: what is made, kept and read at once. Where one
            image would be left for the last, it joins the chunk before.
    """

    def __init__(self, store: PartStore, images, networks, targets=None, chunk_size=8):
        self.store = store
        self.images = np.asarray(images, np.float32)
        self.networks = list(networks)
        self.chunks = _chunks(len(images), chunk_size)
        self._given = None if targets is None else np.asarray(targets, np.int32)
        self._explainers: dict = {}
        self._predicted: dict = {}

    @functools.cached_property
    def targets(self) -> np.ndarray:
        """(N,) int32: the class that is explained in every network."""
        if self._given is not None:
            return self._given
        return self.predicted(self.networks[0]).astype(np.int32)

    def predicted(self, network: Network) -> np.ndarray:
        """(N,) int: the class that a network predicts."""
        if network.name not in self._predicted:
            predict = prediction.probabilities(network.model, network.model_output)

            def make(chunk):
                return {"classes": predict(self.images[chunk]).argmax(axis=1)}

            parts = [
                self.store.arrays(
                    f"predictions {network.name} {span(chunk)}",
                    functools.partial(make, chunk),
                )
                for chunk in self.chunks
            ]
            classes = [part["classes"] for part in parts]
            self._predicted[network.name] = np.concatenate(classes)
        return self._predicted[network.name]

    def all_predict(self, networks) -> np.ndarray:
        """(N,) bool: the images whose explained class all of these networks predict."""
        predicted = [self.predicted(network) == self.targets for network in networks]
        return np.logical_and.reduce(predicted)

    def maps(
        self, network: Network, method: Method, chunk: np.ndarray, seed=None
    ) -> np.ndarray:
        """Ungrouped maps (n, H, W, C) float32 of a chunk of images.

        Args:
            network: one of the networks.
            method: a gradient method, or anything with its attributes.
            chunk: (n,) numbers of images, one of `chunks`.
            seed: of the noise, in place of the network's own.
        """
        return self._part(network, method, chunk, seed)["maps"]

    def all_maps(self, network: Network, method: Method) -> np.ndarray:
        """Ungrouped maps of all images, (N, H, W, C) float32."""
        found = [self.maps(network, method, chunk) for chunk in self.chunks]
        return np.concatenate(found)

    def num_groups(self, network: Network, method: Method, chunk) -> np.ndarray:
        """(n,) float32: mean number of groups of a partition made anew at each point.

        For methods whose `partition` is "dynamic"; arguments as for `maps`.
        """
        return self._part(network, method, chunk)["num_groups"]

    def _part(self, network, method, chunk, seed=None):
        seed = network.seed if seed is None else seed
        key = f"{method.name} {network.name}"
        if method.seeded:
            key += f" seed {seed}"

        def make():
            explainer = self._explainer(network, method, seed)
            out = explainer(self.images[chunk], targets=self.targets[chunk])
            kept = ("maps", *(["num_groups"] if "num_groups" in out else []))
            return {name: out[name].numpy() for name in kept}

        key += f" {_shortened(method.settings)} {span(chunk)}"
        return self.store.arrays(key, make)

    def _explainer(self, network, method, seed):
        key = repr((network.name, method, seed if method.seeded else None))
        if key not in self._explainers:
            self._explainers[key] = method.explainer(
                network.model, seed, model_output=network.model_output
            )
        return self._explainers[key]


def _chunks(count, size):
    """Numbers of images, `size` of them at a time, no image alone where it can be."""
    starts = list(range(0, count, size))
    if size > 1 and len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return [np.arange(a, b) for a, b in zip(starts, [*starts[1:], count])]


def span(chunk) -> str:
    """Which images a chunk has, as a part of a key: the last chunk may grow."""
    return f"{chunk[0]:05d}-{chunk[-1] + 1:05d}"


def _shortened(settings):
    """Settings as a part of a file's name: long ones by their digest."""
    text = ",".join(f"{key}={value}" for key, value in sorted(settings.items()))
    return text if len(text) < 80 else hashlib.sha256(text.encode()).hexdigest()[:16]

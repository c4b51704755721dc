"""What an experiment of the paper is given, and where it puts its results."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

from tf_superpixel_saliency import demo
from tf_superpixel_saliency.evaluation import tables
from tf_superpixel_saliency.evaluation.maps import MapStore, Network
from tf_superpixel_saliency.evaluation.methods import gradient_methods
from tf_superpixel_saliency.evaluation.storage import PartStore, whole_file
from tf_superpixel_saliency.paper.cifar10 import LabelledImages, load_images
from tf_superpixel_saliency.paper.networks import Networks, load_networks
from tf_superpixel_saliency.paper.notes import PUBLISHED_ACCURACIES

# Images of CIFAR-10's size whose maps are made and kept together.
SMALL_CHUNK = 50


class Photos(NamedTuple):
    """Photos to explain.

    Attributes:
        names: (N,) of their files.
        images: (N, H, W, 3) float32 in 0…255.
    """

    names: tuple
    images: np.ndarray


class MissingData(ValueError):
    """An experiment was asked for without the data that it needs."""


@dataclasses.dataclass
class Setting:
    """Data, networks, amounts and folders of a run.

    Attributes:
        output: folder for tables and figures; what is done is kept in its `parts`.
        read_photos: number of photos → `Photos`, the same first ones for a smaller
            number; None where no folder of photos was given.
        data_path: folder or archive of labelled images, or None.
        networks_path: folder of trained networks, or None.
        num_images: how many images to use, None for each experiment's own number.
        num_samples: of SmoothGrad and SparsifiedSmoothGrad.
        num_steps: of IntegratedGradients.
        pixels_per_step: of Deletion and Insertion.
        seed: of everything that is drawn.
        command: what was typed, shown below each result.
        quiet: no progress bars.
    """

    output: pathlib.Path
    read_photos: Callable[[int], Photos] | None = None
    data_path: str | None = None
    networks_path: str | None = None
    num_images: int | None = None
    num_samples: int = 50
    num_steps: int = 50
    pixels_per_step: int = 224
    seed: int = 0
    command: str | None = None
    quiet: bool = False

    # -- data ---------------------------------------------------------------------

    def photos(self, default: int) -> Photos:
        """The first photos: `num_images` of them, or `default`."""
        if self.read_photos is None:
            raise MissingData("needs a folder of photos: --photos DIR")
        return self.read_photos(self.num_images or default)

    @functools.cached_property
    def data(self) -> LabelledImages:
        """Labelled images, as CIFAR-10's."""
        if self.data_path is None:
            raise MissingData(
                "needs labelled images in train/CLASS/*.jpg and test/CLASS/*.jpg: "
                "--data DIR"
            )
        return load_images(self.data_path)

    @functools.cached_property
    def trained(self) -> Networks:
        """The networks trained on `data`."""
        if self.networks_path is None:
            raise MissingData(
                "needs trained networks: --networks DIR, as train-networks writes them"
            )
        return load_networks(self.networks_path)

    def test_images(self, default: int) -> tuple[np.ndarray, np.ndarray]:
        """The first test images of a fixed random order, float32, and their labels."""
        order = np.random.default_rng(self.seed).permutation(len(self.data.test_labels))
        chosen = order[: self.num_images or default]
        images = self.data.test_images[chosen].astype(np.float32)
        return images, self.data.test_labels[chosen]

    def network(self, name: str, number: int = 0) -> Network:
        """A trained network; its noise has the seed `seed` + `number`."""
        model = self.trained.models[name]
        self._check_same_network(name, model)
        return Network(
            name,
            model,
            self.seed + number,
            self.trained.test_accuracies[name],
        )

    def _check_same_network(self, name, model):
        """That the finished parts, which go by names, are of this very network."""
        digest = hashlib.sha256()
        for weights in model.get_weights():
            digest.update(np.ascontiguousarray(weights))
        try:
            self._parts(f"networks/{name}", {"weights": digest.hexdigest()})
        except ValueError:
            raise ValueError(
                f"{self.output} holds results of another network called {name} than "
                f"the one in {self.networks_path}. Use another --output for these "
                "networks."
            ) from None

    @functools.cached_property
    def photo_networks(self) -> tuple[Network, ...]:
        """EfficientNet-Lite0, 1 and 2, each with a noise of its own."""
        found = []
        for number in range(3):
            name = f"efficientnet-lite{number}"
            model = demo.load_model(name)
            accuracy = PUBLISHED_ACCURACIES[name]
            found.append(Network(name, model, self.seed + number, accuracy))
        return tuple(found)

    # -- what is kept -------------------------------------------------------------

    def store(self, name: str, **settings) -> PartStore:
        """The finished parts of an experiment; they depend on `settings` and `seed`."""
        return self._parts(name, {"seed": self.seed} | settings)

    def _parts(self, name, settings):
        return PartStore(self.output / "parts" / name, settings)

    def maps(self, name, images, networks, targets=None, chunk_size=8) -> MapStore:
        """Maps of some images: kept under `name`, for these images alone."""
        # The first image tells the data: later ones may be added by a larger run.
        images = np.asarray(images, np.float32)
        first = hashlib.sha256(np.ascontiguousarray(images[0])).hexdigest()
        # Their seed is that of each network's noise, in each part's name.
        store = self._parts(f"maps-{name}", {"images": first})
        return MapStore(store, images, networks, targets, chunk_size)

    def methods(self, names=None):
        """The gradient methods with this run's numbers of samples and steps."""
        return gradient_methods(names, self.num_samples, num_steps=self.num_steps)

    # -- what is shown ------------------------------------------------------------

    def progress(self, items: Iterable, text: str):
        """A progress bar around some items."""
        return tqdm(items, desc=text, disable=self.quiet, unit="part")

    def write_table(self, table: tables.Table) -> None:
        """Write a table as Markdown, CSV and JSON, with what made it."""
        tables.write(table, self.output, tables.provenance(self.command))

    def write_figure(self, name: str, figure, dpi: int = 160) -> None:
        """Write a figure as NAME.png, whole or not at all."""
        self.output.mkdir(parents=True, exist_ok=True)
        with whole_file(self.output / f"{name}.png") as path:
            figure.savefig(path, format="png", dpi=dpi)


class Experiment(NamedTuple):
    """One result of the paper.

    Attributes:
        name: of its command.
        shows: one line, what of the paper it makes again.
        run: what makes it, from a `Setting`.
    """

    name: str
    shows: str
    run: Callable[[Setting], None]

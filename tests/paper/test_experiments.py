"""Every experiment in small: networks of two layers, photos of 48×48 pixels."""

import json
import re
import shutil

import numpy as np
import pytest

from tests.evaluation.networks import classifier, instead_of_resnet18, photos
from tf_superpixel_saliency.evaluation.maps import Network
from tf_superpixel_saliency.paper import (
    algorithms,
    beyond_certificates,
    beyond_maps,
    experiment,
    one_image,
    pictures,
    roar,
    training,
)
from tf_superpixel_saliency.paper.cifar10 import LabelledImages
from tf_superpixel_saliency.paper.experiment import MissingData, Photos, Setting
from tf_superpixel_saliency.paper.networks import Networks
from tf_superpixel_saliency.paper.registry import EXPERIMENTS
from tf_superpixel_saliency.superpixels import SLIC, SquareGrid

PHOTO_SIZE, SMALL = (56, 56, 3), (16, 16, 3)
NUM_TRAINING, NUM_TEST = 60, 12
# A hundred variants of what table-1 does.
LEFT_OUT = {"table-1-factorial", "index"}
# Those with many layers to segment with, or many networks' maps.
LONG = {
    "algorithms",
    "beyond-consensus",
    "beyond-families",
    "beyond-prediction",
    "beyond-risk",
    "beyond-weights",
    "cost",
    "dynamic-partition",
    "figure-2-cifar10",
    "figure-2-mege",
    "figure-2-photos",
    "figure-2-regions-cifar10",
    "figure-2-regions-photos",
    "figure-4",
    "figure-5-distance",
    "figure-5-road-cifar10",
    "figure-5-road-photos",
    "figure-5-roar",
    "figure-5-tradeoff",
}


def labelled_images():
    labels = np.arange(NUM_TRAINING + NUM_TEST, dtype=np.int32) % 4
    images = photos(len(labels), SMALL).astype(np.uint8)
    split = NUM_TRAINING
    return LabelledImages(
        images[:split],
        labels[:split],
        images[split:],
        labels[split:],
        ("a", "b", "c", "d"),
    )


def trained_networks():
    halves = {"a": np.arange(0, 60, 2), "b": np.arange(1, 60, 2)}
    indices, seeds = {}, {}
    for half, seen in halves.items():
        for ending, seed in (("", 1), ("_other_init", 2)):
            indices[f"split_{half}{ending}"] = seen
            seeds[f"split_{half}{ending}"] = seed + 2 * (half == "b") * (not ending)
    for fold in range(5):
        indices[f"fold_{fold}"] = np.setdiff1d(np.arange(60), np.arange(fold, 60, 5))
        seeds[f"fold_{fold}"] = 10 + fold
    models = {n: classifier(seeds[n], size=SMALL) for n in indices}
    accuracies = dict.fromkeys(indices, 0.5)
    return Networks(models, indices, accuracies, seeds)


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    images = photos(10, PHOTO_SIZE)
    names = tuple(f"{number % 4}_photo.jpg" for number in range(10))
    made = TwoMethods(
        tmp_path_factory.mktemp("reproduction"),
        lambda count: Photos(names[:count], images[:count]),
        num_images=8,
        num_samples=2,
        num_steps=2,
        pixels_per_step=1600,
        command="superpixel-saliency reproduce",
        quiet=True,
    )
    made.__dict__["data"] = labelled_images()
    made.__dict__["trained"] = trained_networks()
    made.networks_path = "networks"
    made.__dict__["photo_networks"] = tuple(
        Network(f"net{seed}", classifier(seed, size=PHOTO_SIZE), seed)
        for seed in range(3)
    )
    return made


class TwoMethods(Setting):
    """Where a result takes whatever methods there are, two of them."""

    def methods(self, names=None):
        return super().methods(names or ["SimpleGradient", "SmoothGrad"])


@pytest.fixture(autouse=True)
def small_amounts(monkeypatch):
    monkeypatch.setattr(training, "build_resnet18", instead_of_resnet18)
    monkeypatch.setattr(one_image, "NUM_PAIRS", 2)
    monkeypatch.setattr(one_image, "NUM_TRAINING", 20)
    monkeypatch.setattr(one_image, "EPOCHS", 1)
    monkeypatch.setattr(roar, "EPOCHS", 1)
    sizes = {k: v for k, v in algorithms.sized_algorithms().items() if k < 2000}
    monkeypatch.setattr(algorithms, "sized_algorithms", lambda: sizes)
    monkeypatch.setattr(pictures, "sized_algorithms", lambda: sizes)
    monkeypatch.setattr(roar, "NUM_SEEDS", 1)
    monkeypatch.setattr(beyond_maps, "NUM_FOLDS", 0)
    monkeypatch.setattr(beyond_certificates, "NUM_SAMPLES", 8)
    layers = {"pixels": None, "SLIC 9": SLIC(n_segments=9)}
    layers["squares of 3"] = SquareGrid(size=3)
    for name in ("photo_layers", "small_layers"):
        monkeypatch.setattr(beyond_maps, name, lambda: layers)
    monkeypatch.setattr(roar, "FRACTIONS", (0.5,))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.thorough if name in LONG else ())
        for name in EXPERIMENTS
        if name not in LEFT_OUT
    ],
)
def test_makes_its_table_and_goes_on_from_its_parts(name, setting, monkeypatch):
    EXPERIMENTS[name].run(setting)
    path = setting.output / f"{name}.json"
    first = json.loads(path.read_text("utf-8"))
    assert first["rows"] and first["made_by"]["command"]
    assert (setting.output / f"{name}.md").is_file()
    assert (setting.output / f"{name}.csv").is_file()
    picture = setting.output / f"{name}.png"
    assert not picture.exists() or picture.stat().st_size > 5000
    if name == "cost":
        return  # measured anew each time
    made = sorted(setting.output.glob("parts/**/*.*"))

    def refuse(*arguments, **keywords):
        raise AssertionError("a finished part was written again")

    monkeypatch.setattr(experiment.PartStore, "sub", refuse)
    monkeypatch.setattr(np, "savez", refuse)
    EXPERIMENTS[name].run(setting)
    assert json.loads(path.read_text("utf-8"))["rows"] == first["rows"]
    assert sorted(setting.output.glob("parts/**/*.*")) == made


def test_the_index_links_to_what_is_there(setting, tmp_path):
    EXPERIMENTS["claims"].run(setting)
    EXPERIMENTS["index"].run(setting)
    text = (setting.output / "README.md").read_text("utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (setting.output / link).exists(), link
    empty = Setting(tmp_path, quiet=True)
    EXPERIMENTS["claims"].run(empty)
    EXPERIMENTS["index"].run(empty)
    text = (tmp_path / "README.md").read_text("utf-8")
    assert "Not run here" in text and "`figure-1`" in text


def test_claims_in_short_count_the_verdicts(setting, tmp_path):
    """Of tables that say so: one claim of twelve cases, the others not run."""
    EXPERIMENTS["propositions"].run(setting)
    shutil.copy(setting.output / "propositions.json", tmp_path)
    EXPERIMENTS["claims"].run(Setting(tmp_path, quiet=True))
    rows = json.loads((tmp_path / "claims-in-short.json").read_text("utf-8"))["rows"]
    by_claim = {row["claim"]: row for row in rows}
    own = by_claim.pop("Propositions 1 and 2")
    assert (own["cases"], own["holds"]) == (12, 12)
    for row in by_claim.values():
        assert (row["cases"], row["cannot be told"], row["holds"]) == (1, 1, 0)


def test_parts_of_another_network_of_the_same_name_are_refused(setting, tmp_path):
    first = Setting(tmp_path, quiet=True)
    first.__dict__["trained"] = setting.trained
    first.network("split_a")
    first.network("split_a")
    models = dict(setting.trained.models, split_a=setting.trained.models["split_b"])
    other = Setting(tmp_path, networks_path="other", quiet=True)
    other.__dict__["trained"] = setting.trained._replace(models=models)
    other.network("split_b")
    with pytest.raises(ValueError, match="another network called split_a than"):
        other.network("split_a")


def test_parts_of_another_seed_are_refused(tmp_path):
    Setting(tmp_path, seed=0).store("sanity", images=3)
    with pytest.raises(ValueError, match="seed"):
        Setting(tmp_path, seed=1).store("sanity", images=3)


def test_what_is_missing_is_named(tmp_path):
    empty = Setting(tmp_path, quiet=True)
    no_networks = Setting(tmp_path, quiet=True)
    no_networks.__dict__["data"] = labelled_images()
    for name, given, flag in (
        ("figure-1", empty, "--photos"),
        ("figure-2-cifar10", empty, "--data"),
        ("figure-2-mege", no_networks, "--networks"),
    ):
        with pytest.raises(MissingData, match=flag):
            EXPERIMENTS[name].run(given)


@pytest.mark.thorough
def test_more_images_add_to_the_parts(setting, tmp_path):
    fewer = Setting(tmp_path, setting.read_photos, num_images=8, quiet=True)
    fewer.__dict__["photo_networks"] = setting.photo_networks
    EXPERIMENTS["figure-1"].run(fewer)
    made = set(tmp_path.glob("parts/**/*.npz"))
    fewer.num_images = 10
    EXPERIMENTS["independence"].run(fewer)
    assert made < set(tmp_path.glob("parts/**/*.npz"))

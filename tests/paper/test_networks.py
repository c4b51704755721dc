"""Loading networks, and what they were trained on."""

import json

import keras
import numpy as np
import pytest

from tf_superpixel_saliency.paper import networks
from tf_superpixel_saliency.paper.training import indices_digest

ORDER = np.random.default_rng(0).permutation(20)


def write(folder, name, seed=0, indices=None, **entry):
    """A tiny classifier, its indices if they are given, and its line in the log."""
    folder.mkdir(exist_ok=True)
    inputs = keras.Input((2, 2, 3))
    flat = keras.layers.Flatten()(inputs)
    keras.Model(inputs, keras.layers.Dense(2)(flat)).save(folder / f"{name}.keras")
    if indices is not None:
        np.save(folder / f"{name}.indices.npy", indices)
        entry = {"indices_sha256": indices_digest(indices), "init_seed": seed, **entry}
    line = {"name": name, "seed": seed, "test_accuracy": 0.5 + seed / 100, **entry}
    with open(folder / "log.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")


@pytest.fixture
def permuted(tmp_path):
    """Networks described by one permutation of all images."""
    names = ["split_a", "split_b", "split_a_other_init", "fold_0", "fold_4"]
    for seed, name in enumerate(names):
        write(tmp_path, name, seed, n_train=16 if "fold" in name else 10)
    np.save(tmp_path / "permutation.npy", ORDER)
    return tmp_path


def test_indices_from_a_permutation(permuted):
    loaded = networks.load_networks(permuted)
    expected = {
        "split_a": ORDER[:10],
        "split_b": ORDER[10:],
        "split_a_other_init": ORDER[:10],
        "fold_0": ORDER[4:],
        "fold_4": ORDER[:16],
    }
    assert list(loaded.train_indices) == list(expected) == list(loaded.models)
    for name, indices in expected.items():
        np.testing.assert_array_equal(loaded.train_indices[name], sorted(indices))
    assert loaded.test_accuracies["split_b"] == 0.51
    assert loaded.init_seeds == {name: i for i, name in enumerate(expected)}
    assert loaded.models["fold_0"](np.zeros((1, 2, 2, 3))).shape == (1, 2)


def test_some_networks_alone(permuted):
    (permuted / "split_b.keras").unlink()
    assert list(networks.load_networks(permuted, ["fold_4"]).models) == ["fold_4"]
    with pytest.raises(FileNotFoundError, match=r"names split_b\.keras"):
        networks.load_networks(permuted)


def test_indices_beside_each_network(tmp_path):
    write(tmp_path, "split_a", 3, np.array([4, 1]), n_train=2)
    write(tmp_path, "split_b", 4, np.array([2, 0]))
    write(tmp_path, "mine", 5, np.array([0, 1]))
    loaded = networks.load_networks(tmp_path)
    np.testing.assert_array_equal(loaded.train_indices["split_a"], [1, 4])
    assert loaded.init_seeds["mine"] == 5


def test_a_newer_line_of_the_log_counts(tmp_path):
    write(tmp_path, "mine", 3, np.array([4, 1]))
    write(tmp_path, "mine", 7, np.array([4, 2]))
    loaded = networks.load_networks(tmp_path)
    assert loaded.init_seeds == {"mine": 7}


def test_halves_that_share_an_image_are_refused(tmp_path):
    write(tmp_path, "split_a_2", 3, np.array([4, 1]))
    write(tmp_path, "split_b_same_init_2", 4, np.array([4, 0]))
    with pytest.raises(ValueError, match=r"saw no image in common.*share 1 \(image 4"):
        networks.load_networks(tmp_path)


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        ({"split_a": [0, 1], "split_a_other_init": [0, 2]}, "the same images"),
        ({"split_b": [0, 1], "split_b_same_init": [0, 2]}, "the same images"),
        ({"split_a": [0, 1], "split_b": [1, 2]}, "saw no image"),
        ({"fold_0": [1, 2], "fold_1": [2, 3], "fold_2": [1, 2]}, "left out no image"),
    ],
)
def test_names_that_claim_something_else(indices, text):
    with pytest.raises(ValueError, match=text):
        networks.check_disjoint(indices)


@pytest.mark.parametrize(
    "indices",
    [
        {},
        {"split_a": [0, 1], "split_b": [2, 3], "split_b_2": [0, 2]},
        {"fold_0": [1, 2], "fold_1": [0, 2], "fold_2": [0, 1]},
        {"fold_0": [1, 2]},
        {"mine": [0], "yours": [0]},
    ],
)
def test_names_that_claim_what_is_so(indices):
    networks.check_disjoint(indices)


def test_indices_that_the_log_does_not_know(tmp_path):
    write(tmp_path, "split_a", 3, np.array([4, 1]))
    np.save(tmp_path / "split_a.indices.npy", np.array([4, 2]))
    with pytest.raises(ValueError, match="differs from what"):
        networks.load_networks(tmp_path)


def test_a_count_that_the_log_contradicts(permuted):
    np.save(permuted / "permutation.npy", np.arange(30))
    with pytest.raises(
        ValueError, match="trained on 10 images, but its indices are 15"
    ):
        networks.load_networks(permuted)


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3]])
def test_a_permutation_that_is_none(permuted, order):
    np.save(permuted / "permutation.npy", order)
    with pytest.raises(ValueError, match="each number from 0 to 2 once"):
        networks.load_networks(permuted)


def test_pickled_indices_are_refused(permuted):
    np.save(permuted / "permutation.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        networks.load_networks(permuted)


@pytest.mark.parametrize("name", ["other", "fold_5", "split_a_2"])
def test_a_name_that_a_permutation_does_not_explain(tmp_path, name):
    write(tmp_path, name)
    np.save(tmp_path / "permutation.npy", ORDER)
    with pytest.raises(ValueError, match=f"what {name} was trained on"):
        networks.load_networks(tmp_path)


def test_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no log\.jsonl"):
        networks.load_networks(tmp_path / "missing")
    write(tmp_path, "split_a")
    with pytest.raises(FileNotFoundError, match=r"split_a\.indices\.npy, or perm"):
        networks.load_networks(tmp_path)
    with pytest.raises(ValueError, match="has no split_b, only split_a"):
        networks.load_networks(tmp_path, ["split_b"])

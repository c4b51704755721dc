"""Networks from a folder, with what each was trained on."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple

import keras
import numpy as np

from tf_superpixel_saliency.paper import files
from tf_superpixel_saliency.paper.plan import NUM_FOLDS
from tf_superpixel_saliency.paper.training import LOG, indices_digest

_NAME = re.compile(
    r"(?:split_(?P<half>a|b)(?:_other_init|_same_init)?|fold_(?P<fold>\d+))"
    r"(?:_(?P<repeat>\d+))?"
)


class Networks(NamedTuple):
    """Networks of one folder, all by name.

    Attributes:
        models: the classifiers.
        train_indices: (n,) int64, sorted, into the training images in sorted order.
        test_accuracies: as logged after training.
        init_seeds: of the initial weights.
    """

    models: dict[str, keras.Model]
    train_indices: dict[str, np.ndarray]
    test_accuracies: dict[str, float]
    init_seeds: dict[str, int]


def load_networks(
    folder: str | os.PathLike, names: Iterable[str] | None = None
) -> Networks:
    """Load NAME.keras files, and check what they say they were trained on.

    Understands what `train_networks` writes (NAME.indices.npy beside each model), and
    folders with one `permutation.npy` of all training images instead: there `split_a…`
    saw its first half, `split_b…` the rest, and `fold_k` all but its k-th fifth.

    Models are loaded in Keras' safe mode, indices without pickle.

    Args:
        folder: with log.jsonl, a line a network: name, test_accuracy, and init_seed
            or seed.
        names: which networks; None loads all that are logged, in the log's order.

    Raises:
        FileNotFoundError: no such folder or log, or a network without its files.
        ValueError: a name that isn't logged, indices that differ from the log's
            digest or count, or that aren't what the name claims: halves a and b of
            one repeat are disjoint, folds leave out disjoint parts.
    """
    folder = pathlib.Path(folder)
    entries = {entry.get("name"): entry for entry in files.read_lines(folder / LOG)}
    if not entries:
        raise FileNotFoundError(
            f"There is no {LOG} with networks in {folder}. Train networks into it, or "
            "name a folder that has some."
        )
    names = list(entries) if names is None else list(names)
    unknown = [name for name in names if name not in entries]
    if unknown:
        raise ValueError(
            f"{folder / LOG} has no {', '.join(unknown)}, only {', '.join(entries)}. "
            "Train what is missing."
        )
    indices = {name: _train_indices(folder, entries[name]) for name in names}
    check_disjoint(indices)
    models = {name: _load_model(folder / f"{name}.keras") for name in names}
    accuracies = {name: float(entries[name]["test_accuracy"]) for name in names}
    seeds = {
        name: int(entries[name].get("init_seed", entries[name].get("seed", -1)))
        for name in names
    }
    return Networks(models, indices, accuracies, seeds)


def check_disjoint(train_indices: dict[str, np.ndarray]) -> None:
    """Check that networks saw what their names claim.

    Args:
        train_indices: name → indices of the training images.

    Raises:
        ValueError: halves a and b of one repeat share an image, two networks of one
            half differ, or an image is left out by two folds.
    """
    halves, folds = {}, {}
    for name, indices in train_indices.items():
        match = _NAME.fullmatch(name)
        if match and match["half"]:
            key = match["repeat"] or "1"
            halves.setdefault(key, {"a": {}, "b": {}})[match["half"]][name] = indices
        elif match:
            folds[name] = indices
    for repeat in halves.values():
        for half in repeat.values():
            _check_same(half)
        for a, seen_by_a in repeat["a"].items():
            for b, seen_by_b in repeat["b"].items():
                _check_shared(a, b, seen_by_a, seen_by_b, "saw")
    _check_folds(folds)


def _check_same(half):
    first = next(iter(half), None)
    for name, indices in half.items():
        if not np.array_equal(indices, half[first]):
            raise ValueError(
                f"{first} and {name} must have seen the same images, but their "
                "indices differ."
            )


def _check_folds(folds):
    every = np.unique(np.concatenate(list(folds.values()) or [[]]))
    left_out = {name: np.setdiff1d(every, seen) for name, seen in folds.items()}
    names = list(left_out)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            _check_shared(a, b, left_out[a], left_out[b], "left out")


def _check_shared(a, b, one, two, verb):
    shared = np.intersect1d(one, two)
    if shared.size:
        raise ValueError(
            f"{a} and {b} must have {verb} no image in common, but share {shared.size} "
            f"(image {shared[0]} is one). Their indices don't fit their names."
        )


def _train_indices(folder, entry):
    name = entry["name"]
    own, shared = folder / f"{name}.indices.npy", folder / "permutation.npy"
    if own.exists():
        indices = np.load(own, allow_pickle=False)
        if entry.get("indices_sha256") != indices_digest(indices):
            raise ValueError(
                f"{own} differs from what {LOG} says {name} was trained on. Train it "
                "anew."
            )
    elif shared.exists():
        indices = _from_permutation(name, np.load(shared, allow_pickle=False))
    else:
        raise FileNotFoundError(
            f"Nothing in {folder} says what {name} was trained on: expected "
            f"{own.name}, or permutation.npy."
        )
    if entry.get("n_train", len(indices)) != len(indices):
        raise ValueError(
            f"{LOG} says that {name} was trained on {entry['n_train']} images, but its "
            f"indices are {len(indices)}."
        )
    return np.sort(indices).astype(np.int64)


def _from_permutation(name, permutation):
    count = len(permutation)
    if not np.array_equal(np.sort(permutation), np.arange(count)):
        raise ValueError(
            f"permutation.npy must hold each number from 0 to {count - 1} once."
        )
    match = _NAME.fullmatch(name)
    if match and match["half"] and not match["repeat"]:
        half = count // 2
        return permutation[:half] if match["half"] == "a" else permutation[half:]
    if match and match["fold"] and int(match["fold"]) < NUM_FOLDS:
        fold, size = int(match["fold"]), count // NUM_FOLDS
        return np.delete(permutation, np.s_[fold * size : (fold + 1) * size])
    raise ValueError(
        f"Can't tell what {name} was trained on: with permutation.npy, names start "
        f"with split_a or split_b, or are fold_0 to fold_{NUM_FOLDS - 1}."
    )


def _load_model(path):
    if not path.exists():
        raise FileNotFoundError(f"{LOG} names {path.name}, but {path} is not there.")
    return keras.saving.load_model(path, compile=False)

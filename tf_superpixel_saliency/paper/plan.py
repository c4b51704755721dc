"""Which network is trained on which images, from which seeds."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.ops import checks

NUM_FOLDS = 5


class NetworkPlan(NamedTuple):
    """What one network is trained on.

    Attributes:
        indices: (n,) int64, sorted, into the training images.
        init_seed: of the initial weights.
        order_seed: of the order of the images and of their augmentation.
    """

    indices: np.ndarray
    init_seed: int
    order_seed: int


def plan_networks(
    labels,
    num_repeats: int = 2,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, NetworkPlan]:
    """The networks to compare: halves crossed with initialisations, and folds.

    Each repeat cuts the images anew into disjoint halves A and B with the same number
    of each class, and crosses them with two initialisations:

    | | initialisation 1 | initialisation 2 |
    |---|---|---|
    | A | `split_a` | `split_a_other_init` |
    | B | `split_b_same_init` | `split_b` |

    So four networks give two pairs in each row of the comparison (other data, other
    initialisation, both; see `pair_networks`), and no network is in two pairs of a
    row. Two repeats give four such pairs. Later repeats add their number to the name,
    `split_a_2`. The order of the images keeps its seed within a repeat, so that in
    the row of initialisations nothing else differs.

    `fold_k`, k = 0…4, is trained on all but the k-th stratified fifth, each from an
    initialisation of its own.

    Args:
        labels: (N,) integers, the class of each training image.
        num_repeats: how many times the halves are cut.
        limit: use this many images at most, as many of each class as there are of
            the rarest among them; None uses all.
        seed: of everything here.

    Returns:
        Name → plan, in the order to train them.

    Raises:
        ValueError: labels of another shape, or a class with fewer than 5 images.
        TypeError: labels that aren't integers.
    """
    labels = _checked_labels(labels)
    checks.checked_count("num_repeats", num_repeats)
    checks.checked_count("seed", seed, 0)
    members = _members(labels, limit, seed)
    base = 10_000 * seed
    plans = {}
    for repeat in range(1, num_repeats + 1):
        half_a, half_b = _halves(members, np.random.default_rng([seed, 1, repeat]))
        ending = "" if repeat == 1 else f"_{repeat}"
        one, other = base + 10 * repeat + 1, base + 10 * repeat + 2
        order = base + 10 * repeat
        plans[f"split_a{ending}"] = NetworkPlan(half_a, one, order)
        plans[f"split_b{ending}"] = NetworkPlan(half_b, other, order)
        plans[f"split_a_other_init{ending}"] = NetworkPlan(half_a, other, order)
        plans[f"split_b_same_init{ending}"] = NetworkPlan(half_b, one, order)
    held_out = _fifths(members, np.random.default_rng([seed, 2]))
    every = np.sort(np.concatenate(members))
    for fold, left_out in enumerate(held_out):
        indices = np.setdiff1d(every, left_out, assume_unique=True)
        plans[f"fold_{fold}"] = NetworkPlan(
            indices, base + 5001 + fold, base + 5101 + fold
        )
    return plans


def pair_networks(
    train_indices: dict[str, np.ndarray], init_seeds: dict[str, int]
) -> dict[str, list[tuple[str, str]]]:
    """The pairs of networks that each row of the stability table compares.

    Read from what the networks were trained on, not from their names: a pair is in
    no row where their training images overlap in part.

    Args:
        train_indices: name → indices of the training images.
        init_seeds: name → seed of the initial weights.

    Returns:
        {"other_data": disjoint images and one seed, "other_init": the same images and
        two seeds, "both": disjoint images and two seeds} → pairs of names.
    """
    rows = {"other_data": [], "other_init": [], "both": []}
    for a, b in itertools.combinations(train_indices, 2):
        one, two = np.unique(train_indices[a]), np.unique(train_indices[b])
        same_init = init_seeds[a] == init_seeds[b]
        if np.array_equal(one, two):
            if not same_init:
                rows["other_init"].append((a, b))
        elif not np.intersect1d(one, two, assume_unique=True).size:
            rows["other_data" if same_init else "both"].append((a, b))
    return rows


def _checked_labels(labels):
    labels = checks.as_array(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be integers, one an image, but got {labels.dtype}."
        )
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"labels must have shape (N,), but got {labels.shape}.")
    return labels


def _members(labels, limit, seed):
    """Indices of each class, in a random order, cut to the limit."""
    rng = np.random.default_rng([seed, 0])
    members = [
        rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)
    ]
    if limit is not None:
        checks.checked_count("limit", limit)
        each = min(limit // len(members), min(map(len, members)))
        members = [indices[:each] for indices in members]
    fewest = min(map(len, members))
    if fewest < NUM_FOLDS:
        raise ValueError(
            f"Each class needs at least {NUM_FOLDS} images to be cut into folds, but "
            f"one has {fewest} of the {sum(map(len, members))} that are used. Add "
            "images, or raise limit."
        )
    return members


def _halves(members, rng):
    """Two disjoint halves with equal class counts; an odd image is left out."""
    halves = ([], [])
    for indices in members:
        shuffled = rng.permutation(indices)
        half = len(shuffled) // 2
        halves[0].append(shuffled[:half])
        halves[1].append(shuffled[half : 2 * half])
    return tuple(np.sort(np.concatenate(half)) for half in halves)


def _fifths(members, rng):
    """Disjoint stratified parts; classes that don't divide start at different parts."""
    parts = [[] for _ in range(NUM_FOLDS)]
    start = 0
    for indices in members:
        for position, index in enumerate(rng.permutation(indices)):
            parts[(start + position) % NUM_FOLDS].append(index)
        start += len(indices)
    return [np.sort(np.array(part, np.int64)) for part in parts]

"""Small networks in pairs whose training sets differ in one image (Definition 3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np

from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.paper.cifar10 import LabelledImages
from tf_superpixel_saliency.paper.plan import NetworkPlan
from tf_superpixel_saliency.paper.training import train

NUM_PAIRS, NUM_IMAGES = 20, 2000
# Seeds of plans with another seed, or of `plan_networks`, are none of these.
_FIRST_SEED = 1_000_000_000


def plan_replacements(
    labels, num_pairs: int = NUM_PAIRS, num_images: int = NUM_IMAGES, seed: int = 0
) -> dict[str, NetworkPlan]:
    """Three networks a pair of sets S and S', which differ in one image.

    `pair_k` is trained on a random S, `pair_k_same_seed` on S' from the same initial
    weights and in the same order, the new image in the place of the old one, and
    `pair_k_other_seed` on S' from independent seeds.

    Args:
        labels: (N,) integers, of which only the number counts.
        num_pairs: of sets, each drawn anew.
        num_images: in each set.
        seed: of everything here.

    Returns:
        Name → plan. Indices aren't sorted: their places are what S and S' share.

    Raises:
        ValueError: not more images than `num_images`, or a number out of its range.
    """
    checks.checked_count("num_pairs", num_pairs)
    checks.checked_count("num_images", num_images)
    checks.checked_count("seed", seed, 0)
    if len(labels) <= num_images:
        raise ValueError(
            f"num_images must leave an image to put in the place of another, but got "
            f"{num_images} of {len(labels)} images."
        )
    plans = {}
    for k in range(num_pairs):
        rng = np.random.default_rng([seed, 3, k])
        drawn = rng.choice(len(labels), num_images + 1, replace=False)
        one = drawn[:-1]
        other = one.copy()
        other[rng.integers(num_images)] = drawn[-1]
        own = _FIRST_SEED + 4 * (num_pairs * seed + k)
        plans[f"pair_{k}"] = NetworkPlan(one, own, own + 1)
        plans[f"pair_{k}_same_seed"] = NetworkPlan(other, own, own + 1)
        plans[f"pair_{k}_other_seed"] = NetworkPlan(other, own + 2, own + 3)
    return plans


def replacement_pairs(names: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """The pairs among names of `plan_replacements` that are there.

    Returns:
        {"same_seed": …, "other_seed": …} → pairs of names.
    """
    names = list(names)
    return {
        kind: [
            (name, f"{name}_{kind}") for name in names if f"{name}_{kind}" in set(names)
        ]
        for kind in ("same_seed", "other_seed")
    }


def train_replacements(
    data: LabelledImages,
    output_folder: str | os.PathLike,
    num_pairs: int = NUM_PAIRS,
    num_images: int = NUM_IMAGES,
    width: float = 0.125,
    epochs: int = 8,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> list[dict]:
    """Train the networks of `plan_replacements`, those that the folder lacks.

    Restartable as `train_networks` is; the folder should be another one.

    Args:
        data: training and test images.
        output_folder: where the networks go; `load_networks` reads it.
        num_pairs, num_images, seed: as `plan_replacements`.
        width, epochs, report: as `train`.

    Returns:
        The log's entry of each network.
    """
    plans = plan_replacements(data.train_labels, num_pairs, num_images, seed)
    return [
        train(name, plan, data, output_folder, width, epochs, report=report)
        for name, plan in plans.items()
    ]

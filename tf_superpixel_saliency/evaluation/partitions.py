"""Partitions to compare: super-pixels, and the controls that stand beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.superpixels import RandomPartition, SquareGrid
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer

PIXEL, SUPERPIXEL, SQUARE = "pixel", "super-pixel", "square"
RANDOM, PERMUTATION, ONE_GROUP = "random", "permutation", "one group"
CONTROLS = (PIXEL, SQUARE, RANDOM, PERMUTATION, ONE_GROUP)


class Partition(NamedTuple):
    """One way to group pixels.

    Attributes:
        name: "pixel", "super-pixel" and so on; several of one name are averaged.
        segment: images (N, H, W, C) → segments (N, H, W) int32; None: each pixel is
            its own group.
        seed: of a random partition, 0 otherwise.
    """

    name: str
    segment: Callable | None
    seed: int = 0

    def segments(self, images: np.ndarray) -> np.ndarray | None:
        """(N, H, W, C) → (N, H, W) int32, or None for pixels."""
        if self.segment is None:
            return None
        return np.asarray(self.segment(images))

    def segments_of(self, images: np.ndarray, chunks) -> np.ndarray | None:
        """As `segments`, a chunk of the images' numbers at a time."""
        found = [self.segments(images[chunk]) for chunk in chunks]
        return None if found[0] is None else np.concatenate(found)


def superpixel_partition(layer: SuperpixelLayer, name: str = SUPERPIXEL) -> Partition:
    """The partition that a super-pixel layer makes."""
    return Partition(name, layer)


def controls(
    layer: SuperpixelLayer, names=CONTROLS, num_seeds: int = 5
) -> list[Partition]:
    """Partitions with as many groups as a layer's, which don't follow the image.

    Args:
        layer: the super-pixel layer to control for.
        names: of "pixel"; "square", squares of nearly equal number; "random",
            independent labels; "permutation", the layer's own labels shuffled over
            the pixels, which keeps the sizes; "one group", the mean of everything.
        num_seeds: of each of the random ones.

    Raises:
        ValueError: an unknown name.
    """
    made = {
        PIXEL: lambda: [Partition(PIXEL, None)],
        SQUARE: lambda: [Partition(SQUARE, SquareGrid(like=layer))],
        RANDOM: lambda: _random(RANDOM, layer, "iid", num_seeds),
        PERMUTATION: lambda: _random(PERMUTATION, layer, "permutation", num_seeds),
        ONE_GROUP: lambda: [Partition(ONE_GROUP, _one_group)],
    }
    unknown = [name for name in names if name not in made]
    if unknown:
        raise ValueError(
            f"No control partition is called {unknown[0]!r}. There are: "
            f"{', '.join(made)}."
        )
    return [partition for name in names for partition in made[name]()]


def with_controls(
    layer: SuperpixelLayer, names=CONTROLS[1:], num_seeds: int = 5
) -> list[Partition]:
    """Pixels, the layer's super-pixels, and controls as `controls` makes them."""
    own = superpixel_partition(layer)
    return [Partition(PIXEL, None), own, *controls(layer, names, num_seeds)]


def by_name(partitions, values=None) -> dict[str, list]:
    """Name → the partitions that share it, in order: several draws of one control.

    Args:
        partitions: of any names.
        values: one for each partition, to stand in its place; None for itself.
    """
    partitions = list(partitions)
    found: dict = {}
    for partition, value in zip(partitions, partitions if values is None else values):
        found.setdefault(partition.name, []).append(value)
    return found


def _random(name, layer, mode, num_seeds):
    return [
        Partition(name, RandomPartition(like=layer, mode=mode, seed=seed), seed)
        for seed in range(num_seeds)
    ]


def _one_group(images):
    return np.zeros(np.shape(images)[:3], np.int32)


def group_counts(segments: np.ndarray | None, images: np.ndarray) -> np.ndarray:
    """Number of groups of each image, (N,) int: H·W for pixels."""
    if segments is None:
        return np.full(len(images), images.shape[1] * images.shape[2])
    return segments.reshape(len(segments), -1).max(axis=1) + 1

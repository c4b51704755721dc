"""How much maps change with a little noise on the images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.metrics.grouping import group_map
from tf_superpixel_saliency.metrics.pairs import checked_maps
from tf_superpixel_saliency.metrics.sanity import measured
from tf_superpixel_saliency.ops import checks

PARTITIONS = ("fixed", "recomputed")


class Robustness(NamedTuple):
    """Agreement of the maps of images and of their noisy copies.

    Attributes:
        similarity: (N,) float64, the mean over samples of what isn't NaN.
        chance: (N,) the same with the noisy copies' maps shuffled before they are
            grouped.
        excess: (N,) (similarity − chance) / (perfect − chance).
        samples: (num_samples, N) the similarity of each noisy copy.
        num_groups: (num_samples + 1, N) int, groups of the image, then of each copy;
            0 without segments.
    """

    similarity: np.ndarray
    chance: np.ndarray
    excess: np.ndarray
    samples: np.ndarray
    num_groups: np.ndarray


def robustness(
    explain: Callable,
    images,
    measure: Callable,
    noise_level: float = 0.01,
    num_samples: int = 8,
    segments=None,
    partition: str = "fixed",
    seed: int = 0,
    *,
    value_range: tuple[float, float] | None = None,
    perfect: float = 1.0,
) -> Robustness:
    """Similarity of a map to the maps of slightly noisy copies of its image.

    Noise is normal with a deviation of `noise_level` times the image's own max − min.
    It depends on `seed` and the sample's number alone, the same for all images of a
    batch, so that an image's result doesn't depend on its neighbours.

    Grouped maps keep the image's partition ("fixed"), or each copy is segmented anew
    ("recomputed"), where two partitions of one image differ: the difference of the two
    results is what the segmentation adds. Chance takes the copy's map with its pixels
    shuffled, all channels together, grouped like the copy's map itself.

    Args:
        explain: images (N, H, W, C) → maps (N, H, W, C) or (N, H, W) before any
            grouping, always of the same classes, and with noise of its own, if any,
            from one seed.
        images: (N, H, W, C) real.
        measure: (maps_a, maps_b) → (N,).
        noise_level: a fraction of each image's max − min, at least 0.
        num_samples: noisy copies of each image.
        segments: None compares the maps by pixels; (H, W) or (N, H, W) integers; or a
            function of images (N, H, W, C) that returns those.
        partition: "fixed" or "recomputed"; the latter needs a function.
        seed: of the noise and the shuffles.
        value_range: (low, high) to clip noisy copies to; None doesn't clip.
        perfect: the measure's value for equal maps.

    Returns:
        `Robustness(similarity, chance, excess, samples, num_groups)`.

    Raises:
        ValueError, TypeError: arguments out of range, or shapes that don't fit.
    """
    checks.checked_choice("partition", partition, PARTITIONS)
    noise_level = checks.checked_number("noise_level", noise_level, 0)
    num_samples = checks.checked_count("num_samples", num_samples)
    seed = checks.checked_count("seed", seed, 0)
    if partition == "recomputed" and not callable(segments):
        raise ValueError(
            'partition="recomputed" needs segments as a function from images to '
            "labels, such as a super-pixel layer."
        )
    images = checks.checked_images(images).numpy()
    labels = _labels(segments, images)
    clean = _grouped(_explained(explain, images), labels)
    rows, counts = [], [_num_groups(labels, len(images))]
    for sample in range(num_samples):
        random = np.random.default_rng([seed, sample])
        noisy = _noisy(images, noise_level, value_range, random)
        if partition == "recomputed":
            labels = _labels(segments, noisy)
        maps = _explained(explain, noisy)
        shuffled = _grouped(_shuffled(maps, random), labels)
        counts.append(_num_groups(labels, len(images)))
        rows.append(
            [
                measured(measure, clean, _grouped(maps, labels))[0],
                measured(measure, clean, shuffled)[0],
            ]
        )
    samples, chances = np.moveaxis(np.array(rows), 1, 0)
    similarity, chance = _means(samples), _means(chances)
    room = perfect - chance
    room[np.abs(room) <= 1e-9 * abs(perfect)] = np.nan
    excess = (similarity - chance) / room
    return Robustness(similarity, chance, excess, samples, np.array(counts))


def _explained(explain, images):
    maps = np.asarray(explain(images))
    checked_maps("what explain returns", maps)
    if maps.shape[:3] != images.shape[:3]:
        raise ValueError(
            "explain must return maps (N, H, W, C) or (N, H, W) of the images' size "
            f"{images.shape}, but got shape {maps.shape}."
        )
    return maps


def _labels(segments, images):
    if segments is None:
        return None
    labels = np.asarray(segments(images)) if callable(segments) else segments
    return checks.checked_segments(labels, images.shape)


def _grouped(maps, labels):
    if labels is None:
        return maps
    maps = np.asarray(maps, np.float64)
    grouped = [group_map(one, own.ravel()) for one, own in zip(maps, labels)]
    return np.stack(grouped)


def _num_groups(labels, count):
    if labels is None:
        return np.zeros(count, int)
    return labels.max(axis=(1, 2)) + 1


def _noisy(images, noise_level, value_range, random):
    span = np.ptp(images, axis=(1, 2, 3), keepdims=True)
    noise = random.standard_normal(images.shape[1:], np.float32)
    noisy = images + noise_level * span * noise
    return noisy if value_range is None else np.clip(noisy, *value_range)


def _shuffled(maps, random):
    """Each map's pixels in another order, all channels of a pixel together."""
    pixels = maps.reshape(len(maps), maps.shape[1] * maps.shape[2], -1)
    order = random.permutation(pixels.shape[1])
    return pixels[:, order].reshape(maps.shape)


def _means(values):
    """Means over the first axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)

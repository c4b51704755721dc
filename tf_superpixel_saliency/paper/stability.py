"""Figure 2, left: how far the maps of two networks agree, beside chance."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import (
    MEASURES,
    agreement,
)
from tf_superpixel_saliency.paper.agreement_results import SAME_NOISE, write_agreement
from tf_superpixel_saliency.paper.experiment import SMALL_CHUNK, Setting
from tf_superpixel_saliency.paper.notes import groups_note, networks_note
from tf_superpixel_saliency.paper.plan import pair_networks
from tf_superpixel_saliency.superpixels import SLIC, Quickshift

NUM_PHOTOS, NUM_TEST_IMAGES = 100, 300
COARSE, SLIC_1500 = "super-pixel, kernel_size 3", "super-pixel, SLIC 1500"
ROWS = {
    "other_data": "other data, same initialisation",
    "other_init": "same data, other initialisation",
    "both": "other data, other initialisation",
}
NOTES = (
    "Observed, and by chance: the mean of network B's map with its pixels shuffled, 20 "
    "times, and of its map of up to 20 other images, grouped by the same segments. "
    "Excess = (observed − chance) / (1 − chance). Means over images with 95 % "
    "bootstrap intervals, over pairs of networks too where there are several, which "
    "are few; a row of one pair is conditional on these two networks. The class "
    "explained is the one that network A predicts, on images for which both networks "
    "predict it.",
    "The two networks get noise of their own, but where the same noise is told. "
    "`random` and `permutation` are means over five seeds. `blurred`: pixel maps "
    "blurred until as much of their energy remains as in the super-pixels.",
)


def photo_partitions():
    """Quickshift at the default, its controls, and two other super-pixels."""
    return [
        *parts.with_controls(Quickshift()),
        parts.superpixel_partition(Quickshift(kernel_size=3), COARSE),
        parts.superpixel_partition(SLIC(n_segments=1500), SLIC_1500),
    ]


def small_partitions():
    """SLIC with 100 segments, as the paper has it for 32×32 images, and controls."""
    return parts.with_controls(SLIC(n_segments=100))


def run_photos(setting: Setting) -> None:
    """Photos: EfficientNet-Lite0, 1 and 2, three pairs of architectures."""
    _, images = setting.photos(NUM_PHOTOS)
    networks = setting.photo_networks
    maps = setting.maps("photos", images, networks)
    pairs = [(networks[i], networks[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    found = _compare(setting, "figure-2-photos", maps, pairs, photo_partitions())
    title = "Agreement between architectures: EfficientNet-Lite0, Lite1 and Lite2"
    note = (
        f"{len(images)} photos at 224×224, probably seen in training by all three "
        "networks, which share their training data. Both predict the class on "
        f"{_share(found)}. For the pair of Lite1 and Lite2 the class is Lite0's. "
        f"{networks_note(networks)} {_groups(found)}"
    )
    rows = {"between architectures": found}
    same = _compare(setting, "figure-2-photos", maps, pairs, photo_partitions(), True)
    rows[f"between architectures{SAME_NOISE}"] = same
    write_agreement(setting, "figure-2-photos", title, rows, (note, *NOTES))


def run_small(setting: Setting) -> None:
    """CIFAR-10: other data, another initialisation, and both."""
    images, _ = setting.test_images(NUM_TEST_IMAGES)
    trained = setting.trained
    splits = {n: i for n, i in trained.train_indices.items() if n.startswith("split")}
    seeds = {name: trained.init_seeds[name] for name in splits}
    networks = {name: setting.network(name, k) for k, name in enumerate(splits)}
    rows = {}
    for row, pairs in pair_networks(splits, seeds).items():
        for same_noise in (False, True) if row == "both" else (False,):
            found = []
            for a, b in pairs:
                pair = (networks[a], networks[b])
                maps = setting.maps(f"cifar10-{a}", images, pair, None, SMALL_CHUNK)
                name, which = "figure-2-cifar10", small_partitions()
                found += _compare(setting, name, maps, [pair], which, same_noise)
            if found:
                rows[ROWS[row] + SAME_NOISE * same_noise] = found
    labels = setting.data.train_labels
    counts = np.concatenate([np.bincount(labels[seen]) for seen in splits.values()])
    each = " to ".join(str(n) for n in sorted({counts.min(), counts.max()}))
    note = (
        f"{len(images)} test images. {networks_note(networks.values())} "
        f"{_groups(next(iter(rows.values())))} Trained on {each} images of each "
        "class; what counts as other data shares no image, as their saved indices say. "
        "Both predict the class on "
        f"{', '.join(f'{_share(found)} ({row})' for row, found in rows.items())}."
    )
    title = "Agreement of networks trained on CIFAR-10"
    write_agreement(setting, "figure-2-cifar10", title, rows, (note, *NOTES))


def _compare(setting, name, maps, pairs, partitions, same_noise=False):
    """[(agreement, images on which both networks predict the class)] of each pair.

    With the same noise in both networks only the methods that draw any differ.
    """
    methods = [m for m in setting.methods() if m.seeded or not same_noise]
    store = setting.store(
        f"{name}-agreement",
        num_samples=setting.num_samples,
        num_steps=setting.num_steps,
        partitions=[partition.name for partition in partitions],
        measures=[measure.name for measure in MEASURES],
    )
    found = []
    for pair in pairs:
        both = maps.all_predict(pair)
        result = agreement(
            store,
            maps,
            pair,
            methods,
            partitions,
            seed_b=pair[0].seed if same_noise else None,
            blur_like=parts.SUPERPIXEL,
            progress=setting.progress,
        )
        found.append((result, both))
    return found


def _groups(found):
    result = found[0][0]
    return groups_note(dict(zip(result.partitions, result.groups)))


def _share(found):
    shares = [both.mean() for _, both in found]
    return ", ".join(f"{share:.0%}" for share in shares)

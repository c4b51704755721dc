"""Definition 3 and Proposition 3: training sets that differ in one image."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.maps import Network
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.uniform_stability import grouped_stability
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.paper.networks import load_networks
from tf_superpixel_saliency.paper.notes import count_groups, groups_note
from tf_superpixel_saliency.paper.replacements import (
    replacement_pairs,
    train_replacements,
)
from tf_superpixel_saliency.superpixels import SLIC

NUM_TRAINING, NUM_PAIRS, NUM_IMAGES, EPOCHS, WIDTH = 2000, 20, 500, 8, 0.0625
_CHUNK = 100
_KINDS = {"same_seed": "one seed", "other_seed": "independent seeds"}


def run(setting: Setting) -> None:
    """ε of Definition 3 by pixels and by groups, from one seed and from two."""
    images, _ = setting.test_images(NUM_IMAGES)
    folder = setting.store("definition-3-networks", width=WIDTH, epochs=EPOCHS).folder
    train_replacements(
        setting.data,
        folder,
        NUM_PAIRS,
        NUM_TRAINING,
        WIDTH,
        EPOCHS,
        setting.seed,
        report=lambda line: None,
    )
    trained = load_networks(folder)
    layer = SLIC(n_segments=100)
    partitions = [
        parts.superpixel_partition(layer),
        *parts.controls(layer, (parts.SQUARE, parts.RANDOM)),
    ]
    segments = parts.by_name(partitions, [one.segments(images) for one in partitions])
    rows = []
    for kind, pairs in replacement_pairs(trained.models).items():
        for name, drawn in segments.items():
            for normed in (False, True):
                found = []
                for labels in drawn:
                    maps = _map_pairs(setting, images, trained, pairs)
                    found.append(grouped_stability(maps, labels, normed))
                rows.append(_row(_KINDS[kind], name, normed, found))
    accuracy = np.mean(list(trained.test_accuracies.values()))
    notes = (
        f"ResNet-18s of width {WIDTH}, {NUM_TRAINING} training images of which one is "
        f"replaced, {EPOCHS} epochs, mean test accuracy {accuracy:.3f}, {NUM_PAIRS} "
        f"pairs, SimpleGradient on {len(images)} test images: the largest over images "
        "of the mean over pairs, a lower bound of a supremum. With independent seeds "
        "the floor is not zero. Maps as they are must shrink under any averaging; at "
        "norm 1 they need not. `random`: means over five draws of the groups. "
        f"{groups_note(count_groups(partitions, images))}",
    )
    title = "Definition 3 and Proposition 3: one training image replaced"
    setting.write_table(Table("definition-3", title, rows, notes))


def _row(training, partition, normed, found):
    """Of the draws of a partition, one or several: means, and whether all hold."""
    pixels, groups = [one.pixels for one in found], [one.groups for one in found]
    return {
        "training": training,
        "maps": "at norm 1" if normed else "as they are",
        "partition": partition,
        "ε, pixels": float(np.mean([one.epsilon for one in pixels])),
        "ε', groups": float(np.mean([one.epsilon for one in groups])),
        "ε' / ε": float(np.mean([one.ratio for one in found])),
        "lower bound, pixels": float(np.mean([one.lower_bound for one in pixels])),
        "lower bound, groups": float(np.mean([one.lower_bound for one in groups])),
        "ε' ≤ ε": str(all(one.bound_holds for one in found)).lower(),
    }


def _map_pairs(setting, images, trained, pairs):
    """Yield (maps_a, maps_b) of each pair, for the class that the first predicts."""
    (method,) = setting.methods(["SimpleGradient"])
    for pair in setting.progress(pairs, "pairs"):
        networks = [Network(name, trained.models[name]) for name in pair]
        name = f"definition-3-{pair[0]}"
        maps = setting.maps(name, images, networks, chunk_size=_CHUNK)
        yield tuple(maps.all_maps(network, method) for network in networks)

"""Definition 3 and Proposition 3: training sets that differ in one image."""

from __future__ import annotations

import functools

import keras
import numpy as np

from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.maps import Network
from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics.uniform_stability import grouped_stability
from tf_superpixel_saliency.paper.experiment import Setting
from tf_superpixel_saliency.superpixels import SLIC

NUM_TRAINING, NUM_PAIRS, NUM_IMAGES, EPOCHS = 2000, 20, 500, 10
_CHUNK = 100


def run(setting: Setting) -> None:
    """ε of Definition 3 by pixels and by groups, from one seed and from two."""
    images, _ = setting.test_images(NUM_IMAGES)
    (method,) = setting.methods(["SimpleGradient"])
    layer = SLIC(n_segments=100)
    partitions = [
        parts.superpixel_partition(layer),
        *parts.controls(layer, (parts.SQUARE, parts.RANDOM), num_seeds=1),
    ]
    rows = []
    for kind in ("one seed", "independent seeds"):
        pairs = _map_pairs(setting, images, method, kind)
        for partition in partitions:
            segments = partition.segments(images)
            for normed in (False, True):
                found = grouped_stability(pairs(), segments, normed)
                rows.append(
                    {
                        "training": kind,
                        "maps": "at norm 1" if normed else "as they are",
                        "partition": partition.name,
                        "ε, pixels": float(found.pixels.epsilon),
                        "ε', groups": float(found.groups.epsilon),
                        "ε' / ε": found.ratio,
                        "lower bound, pixels": float(found.pixels.lower_bound),
                        "lower bound, groups": float(found.groups.lower_bound),
                        "ε' ≤ ε": str(found.bound_holds).lower(),
                    }
                )
    notes = (
        f"Small convolutional networks, {NUM_TRAINING} training images of which one is "
        f"replaced, {EPOCHS} epochs, {NUM_PAIRS} pairs, {len(images)} test images: the "
        "largest over images of the mean over pairs, a lower bound of a supremum. With "
        "independent seeds the floor is not zero. Maps as they are must shrink under "
        "any averaging; at norm 1 they need not.",
    )
    title = "Definition 3 and Proposition 3: one training image replaced"
    setting.write_table(Table("definition-3", title, rows, notes))


def _map_pairs(setting, images, method, kind):
    """A function that yields (maps_a, maps_b) of each pair, from the store."""
    store = setting.store("definition-3", images=len(images), epochs=EPOCHS)

    def yield_pairs():
        for pair in setting.progress(range(NUM_PAIRS), kind):
            make = functools.partial(_pair_maps, setting, images, method, kind, pair)
            found = store.arrays(f"{kind} {pair}", make)
            yield found["a"], found["b"]

    return yield_pairs


def _pair_maps(setting, images, method, kind, pair):
    rng = np.random.default_rng([setting.seed, pair])
    data = setting.data
    chosen = rng.permutation(len(data.train_labels))[: NUM_TRAINING + 1]
    replaced = chosen[:-1].copy()
    replaced[rng.integers(NUM_TRAINING)] = chosen[-1]
    seeds = (2 * pair, 2 * pair if kind == "one seed" else 2 * pair + 1)
    models = [
        _trained(data, indices, seed)
        for indices, seed in zip((chosen[:-1], replaced), seeds)
    ]
    starts = range(0, len(images), _CHUNK)
    targets = np.concatenate(
        [models[0].predict_on_batch(images[s : s + _CHUNK]).argmax(-1) for s in starts]
    )
    networks = [Network(str(i), model) for i, model in enumerate(models)]
    made = []
    for network in networks:
        explainer = method.explainer(network.model)
        made.append(
            np.concatenate(
                [
                    explainer(images[s : s + _CHUNK], targets=targets[s : s + _CHUNK])[
                        "maps"
                    ].numpy()
                    for s in starts
                ]
            )
        )
    return {"a": made[0].astype(np.float32), "b": made[1].astype(np.float32)}


def _trained(data, indices, seed):
    """A small network: the same seed gives the same start and order of images."""

    def start(number):
        return keras.initializers.GlorotUniform(10 * seed + number)

    model = keras.Sequential(
        [
            keras.Input(data.train_images.shape[1:]),
            keras.layers.Rescaling(1 / 127.5, -1.0),
            *(
                layer
                for number, channels in enumerate((16, 32, 32))
                for layer in (
                    keras.layers.Conv2D(
                        channels,
                        3,
                        padding="same",
                        activation="relu",
                        kernel_initializer=start(number),
                    ),
                    keras.layers.MaxPooling2D(),
                )
            ),
            keras.layers.Flatten(),
            keras.layers.Dense(
                len(data.classes), activation="softmax", kernel_initializer=start(3)
            ),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy"
    )
    order = np.random.default_rng(seed)
    images = data.train_images[indices].astype(np.float32)
    labels = data.train_labels[indices]
    for _ in range(EPOCHS):
        shuffled = order.permutation(len(indices))
        model.fit(
            images[shuffled], labels[shuffled], 50, epochs=1, shuffle=False, verbose=0
        )
    return model

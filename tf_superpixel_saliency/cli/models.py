"""Loading what `--model` names."""

from __future__ import annotations

import hashlib
import os
import pathlib
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tf_superpixel_saliency import demo
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.provenance import file_digest
from tf_superpixel_saliency.explainers import classifier
from tf_superpixel_saliency.explainers.settings import array_digest


class LoadedModel(NamedTuple):
    """A model with what the command needs to know of it.

    Attributes:
        model: what an explainer takes.
        size: side of the square photos.
        channels: 1 or 3.
        imagenet: whether its classes are ImageNet's 1000.
        digest: SHA-256 of a `.keras` file; of the lines "SHA-256  path" of a
            SavedModel's files in order; of the weights of other models.
    """

    model: Any
    size: int
    channels: int
    imagenet: bool
    digest: str = ""


def load_model(arguments) -> LoadedModel:
    """The model that `--model` names.

    Raises:
        CommandError: there is no such model, or it can't be loaded or used.
    """
    return load_named(arguments.model, arguments)


def load_named(name: str, arguments) -> LoadedModel:
    """A model by its name, with the command's other flags of models.

    Raises:
        CommandError: as `load_model`.
    """
    loaded = _loaded(name, arguments)
    return loaded._replace(digest=digest_of(name, loaded.model))


def _loaded(name, arguments):
    if name == "demo" or name.startswith("demo:"):
        model, imagenet = _demo(name), True
    elif name.endswith(".keras"):
        model, imagenet = _keras_file(name), False
    elif os.path.isdir(name):
        model, imagenet = _saved_model(name, arguments.trust_savedmodel), False
    elif isinstance(getattr(keras.applications, name, None), type(_demo)):
        return _application(name, arguments.weights, arguments.size)
    else:
        raise CommandError(
            f"there is no model {name!r}: expected demo, a .keras file, a SavedModel "
            "folder or a name in keras.applications such as MobileNetV2."
        )
    return _with_size(model, arguments.size, imagenet, name)


def digest_of(name: str, model) -> str:
    """The `digest` of a `LoadedModel`."""
    if name.endswith(".keras"):
        return file_digest(name)
    if os.path.isdir(name):
        files = sorted(file for file in pathlib.Path(name).rglob("*") if file.is_file())
        lines = [
            f"{file_digest(file)}  {file.relative_to(name).as_posix()}\n"
            for file in files
        ]
        return hashlib.sha256("".join(lines).encode(errors="replace")).hexdigest()
    weights = map(array_digest, model.get_weights())
    return hashlib.sha256(b"".join(weights)).hexdigest()


def _demo(name):
    variant = name.partition(":")[2] or "efficientnet-lite0"
    try:
        return demo.load_model(variant)
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from None


def _keras_file(path):
    if not os.path.isfile(path):
        raise CommandError(f"there is no file {path!r}.")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise CommandError(
            f"Keras can't load {path!r} ({_first_line(error)}). A model with classes "
            "of its own is explained from Python, where they can be imported."
        ) from None


def _saved_model(path, trusted):
    if not pathlib.Path(path, "saved_model.pb").is_file():
        raise CommandError(f"the folder {path!r} holds no SavedModel.")
    if not trusted:
        raise CommandError(
            f"{path!r} is a SavedModel, a program that could do anything on this "
            "machine. If you trust where it comes from, add --trust-savedmodel."
        )
    try:
        return tf.saved_model.load(path)
    except Exception as error:
        raise CommandError(f"can't load {path!r}: {_first_line(error)}.") from None


def _application(name, weights, size):
    build = getattr(keras.applications, name)
    module = _application_module(build)
    given = None if weights == "random" else weights
    options = {} if size is None else {"input_shape": (size, size, 3)}
    try:
        model = build(weights=given, **options)
    except Exception as error:
        raise CommandError(
            f"can't build keras.applications.{name} with weights {weights!r}: "
            f"{_first_line(error)}. Downloading needs a network; --weights takes a "
            "file too, or random."
        ) from None
    size = model.input_shape[1] or size or 224
    image = keras.Input((size, size, 3))
    prepared = keras.layers.Lambda(module.preprocess_input)(image)
    return LoadedModel(keras.Model(image, model(prepared)), size, 3, True)


def _application_module(build):
    """The public module of an application's function, for its preprocessing."""
    for module in vars(keras.applications).values():
        if hasattr(module, "preprocess_input") and build in vars(module).values():
            return module
    raise CommandError(
        f"keras.applications.{build.__name__} has no preprocessing that is known."
    )


def _with_size(model, size, imagenet, name):
    height, width, channels = classifier.input_shape(model)
    channels = channels or 3
    if channels not in (1, 3):
        raise CommandError(
            f"{name!r} takes images of {channels} channels, photos have 3. Explain it "
            "from Python, on arrays."
        )
    if height != width:
        raise CommandError(
            f"{name!r} takes images of {height} × {width} pixels; the command makes "
            "square ones. Explain it from Python, on arrays."
        )
    if size and height and size != height:
        raise CommandError(
            f"{name!r} takes images of {height} × {height} pixels, but --size is "
            f"{size}."
        )
    return LoadedModel(model, size or height or 224, channels, imagenet)


def _first_line(error):
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")

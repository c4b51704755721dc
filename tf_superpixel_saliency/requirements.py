"""What must be there before anything is imported: TensorFlow and Keras on it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib

_OLDEST_TENSORFLOW = (2, 16)
_OLDEST_KERAS = (3, 3)


def check_backend():
    """End in one sentence where Keras has another backend, or a version is too old.

    Versions are read from the installed packages' metadata and the backend from
    Keras' own settings, so that nothing large is imported only to fail.

    Raises:
        ImportError: says what was found and what to do.
    """
    backend = _configured_backend()
    if backend != "tensorflow":
        raise ImportError(
            f"tf_superpixel_saliency needs Keras on TensorFlow, but its backend is "
            f"{backend!r}: set KERAS_BACKEND=tensorflow before importing Keras."
        )
    for package, oldest in (
        ("tensorflow", _OLDEST_TENSORFLOW),
        ("keras", _OLDEST_KERAS),
    ):
        found = _version(package)
        if found is not None and found[1] < oldest:
            wanted = ".".join(map(str, oldest))
            raise ImportError(
                f"tf_superpixel_saliency needs {package} {wanted} or newer, but "
                f"{found[0]} is installed: run pip install --upgrade {package}."
            )


def _configured_backend() -> str:
    backend = os.environ.get("KERAS_BACKEND")
    if backend:
        return backend
    home = pathlib.Path(os.environ.get("KERAS_HOME", pathlib.Path.home() / ".keras"))
    try:
        settings = json.loads((home / "keras.json").read_text())
        return settings.get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def _version(package):
    """(text, (major, minor)), None where it is not installed under that name."""
    try:
        text = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None  # tensorflow-cpu and builds of one's own: their import will tell
    try:
        major, minor = (int(part) for part in text.split(".")[:2])
    except ValueError:
        return None
    return text, (major, minor)

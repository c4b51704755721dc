"""What must be there before anything is imported: TensorFlow and Keras on it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
import sys

_OLDEST_TENSORFLOW = (2, 16)
_OLDEST_KERAS = (3, 3)


def quieten_command():
    """Keep TensorFlow's greeting out of the command's own output.

    Some of it is written by libraries while they are loaded, whatever the log level;
    so TensorFlow is imported here with the error stream shut. Errors are Python's and
    come through. Does nothing unless Python was started as the command.
    """
    if not _is_command():
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # the search for a GPU writes too
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _is_command() -> bool:
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    started = sys.orig_argv[1:3]
    return program.split(".")[0] == "superpixel-saliency" or started == [
        "-m",
        "tf_superpixel_saliency",
    ]


def check_backend():
    """End in one sentence where Keras has another backend, or a version is too old.

    Versions are read from the installed packages' metadata and the backend from
    Keras' own settings, so that nothing large is imported only to fail.

    Raises:
        ImportError: says what was found and what to do. The command ends with that
            sentence alone.
    """
    problem = _problem()
    if problem and _is_command():
        sys.exit(f"superpixel-saliency: {problem}")
    if problem:
        raise ImportError(problem)


def _problem() -> str:
    backend = _configured_backend()
    if backend != "tensorflow":
        return (
            "tf_superpixel_saliency needs Keras on TensorFlow, but its backend is "
            f"{backend!r}: set KERAS_BACKEND=tensorflow before importing Keras."
        )
    for package, oldest in (
        ("tensorflow", _OLDEST_TENSORFLOW),
        ("keras", _OLDEST_KERAS),
    ):
        found = _version(package)
        if found is not None and found[1] < oldest:
            wanted = ".".join(map(str, oldest))
            return (
                f"tf_superpixel_saliency needs {package} {wanted} or newer, but "
                f"{found[0]} is installed: run pip install --upgrade {package}."
            )
    return ""


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

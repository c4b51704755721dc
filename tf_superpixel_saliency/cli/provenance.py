"""What made a result: what was typed, the model, the settings, the versions."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shlex

from tf_superpixel_saliency.cli.photos import shown
from tf_superpixel_saliency.evaluation import tables

_CHUNK = 1 << 20


def typed_command(arguments) -> str:
    """The command, folders by their last name: whole paths are of one machine."""
    words = [
        pathlib.PurePath(word).name if pathlib.PurePath(word).is_absolute() else word
        for word in arguments.typed
    ]
    return shown(f"superpixel-saliency {shlex.join(words)}")


def made_by(settings: dict, model_digest: str) -> dict:
    """What is kept beside a result, as JSON holds it.

    Args:
        settings: everything the result depends on but the model's weights and the
            photo: names of files on one machine are no part of it.
        model_digest: of the model, as `LoadedModel` has it.

    Returns:
        `model_sha256`, `settings_sha256` (of both, by which results are told to be
        finished) and `versions`.
    """
    told = json.dumps([model_digest, settings], sort_keys=True)
    return {
        "model_sha256": model_digest,
        "settings_sha256": hashlib.sha256(told.encode()).hexdigest(),
        "versions": tables.provenance()["versions"],
    }


def file_digest(path) -> str:
    """SHA-256 of a file, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()

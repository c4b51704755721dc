"""What was typed, as results tell it."""

from __future__ import annotations

import pathlib
import shlex


def typed_command(arguments) -> str:
    """The command, folders by their last name: whole paths are of one machine."""
    words = [
        pathlib.PurePath(word).name if pathlib.PurePath(word).is_absolute() else word
        for word in arguments.typed
    ]
    return f"superpixel-saliency {shlex.join(words)}"

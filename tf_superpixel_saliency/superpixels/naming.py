"""Super-pixel layers by name, as in flags: `Quickshift:kernel_size=3,max_dist=6`."""

from __future__ import annotations

import ast
import difflib
import inspect

from tf_superpixel_saliency import superpixels
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer


def from_text(text: str, **defaults) -> SuperpixelLayer:
    """Build a super-pixel layer from its name and settings.

    Args:
        text: a class name in any case, hyphens and underscores left out or not, then
            settings if wanted: `slic`, `Quickshift:kernel_size=3,ratio=0.5`,
            `square-grid:like=quickshift`.
        **defaults: settings that the text may override, such as `value_range`.

    Raises:
        ValueError: an unknown name or setting, or a value the layer refuses.
    """
    name, _, settings = text.partition(":")
    classes = {key.lower(): getattr(superpixels, key) for key in superpixels.__all__}
    layer = classes.get(plain(name))
    if layer is None:
        known = ", ".join(sorted(superpixels.__all__))
        raise ValueError(
            f"No super-pixels are called {name!r}."
            f"{nearest(name, superpixels.__all__)} There are: {known}."
        )
    arguments = {**defaults, **_parsed(settings, layer)}
    if isinstance(arguments.get("like"), str):
        arguments["like"] = from_text(arguments["like"], **defaults)
    return layer(**arguments)


def plain(name: str) -> str:
    """A name without case, hyphens, underscores and blanks."""
    return "".join(part for part in name.lower() if part not in "-_ ")


def nearest(name: str, known) -> str:
    """A question to end an error with, empty where no known name is near."""
    spelled = {plain(one): one for one in known}
    near = difflib.get_close_matches(plain(name), spelled, 1)
    return f" Did you mean {spelled[near[0]]!r}?" if near else ""


def _parsed(settings, layer):
    known = [
        parameter.name
        for parameter in inspect.signature(layer).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    parsed = {}
    for setting in _split(settings):
        key, equals, value = setting.partition("=")
        key = key.strip()
        if not equals or key not in known:
            raise ValueError(
                f"{layer.__name__} has no setting {setting!r}.{nearest(key, known)} "
                f"Write NAME=VALUE with one of: {', '.join(known)}."
            )
        parsed[key] = _value(value.strip())
    return parsed


def _split(settings):
    """Split at commas outside of brackets: `a=1,b=(2,3)` → a=1 and b=(2,3)."""
    parts, depth = [""], 0
    for letter in settings:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


def _value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text

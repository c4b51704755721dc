"""English names of the 1000 ImageNet classes."""

from __future__ import annotations

import functools
import importlib.resources
import operator


def class_name(index: int) -> str:
    """Name a class of ILSVRC 2012: the first of its WordNet synonyms.

    Two names occur twice in ImageNet itself: "crane" (134 the bird, 517 the
    machine) and "maillot" (638, 639).

    Args:
        index: class index, 0…999, in the order that classifiers use.

    Returns:
        The name, such as "Egyptian cat" for 285.

    Raises:
        TypeError: `index` isn't an integer.
        ValueError: `index` is outside 0…999.
    """
    try:
        number = operator.index(index)
    except TypeError:
        raise TypeError(
            f"class_name takes a class index, an integer, but got {index!r}."
        ) from None
    names = _class_names()
    if not 0 <= number < len(names):
        raise ValueError(
            f"class_name takes an ImageNet class index, 0…{len(names) - 1}, but got "
            f"{number}. Models of other classes have names of their own."
        )
    return names[number]


@functools.cache
def _class_names():
    folder = importlib.resources.files("tf_superpixel_saliency") / "demo"
    text = (folder / "imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())

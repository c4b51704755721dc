"""The names of classes, as people have them: a list, a dictionary, a function."""

from __future__ import annotations


def checked_names(names):
    """Class names as they were given, or a TypeError.

    Args:
        names: None, or a list, array, dictionary or function: index of a class → name.
    """
    known = hasattr(names, "__getitem__") and not isinstance(names, (str, bytes))
    if names is None or callable(names) or known:
        return names
    raise TypeError(
        "class_names must be a list, a dictionary or a function from the index of a "
        f"class to its name, or None, but got {names!r}."
    )


def name_of(target: int, names) -> str:
    """A class by name, or as its index where it has none; "" for no class, −1."""
    if target < 0:
        return ""
    if names is None:
        return f"class {target}"
    try:
        return str(names(target) if callable(names) else names[target])
    except LookupError:
        return f"class {target}"


def used_names(targets, names):
    """{index: name} of these classes alone, which a file can hold; None for None."""
    if names is None:
        return None
    return {int(one): name_of(int(one), names) for one in targets}

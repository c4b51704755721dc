"""Checks of the numbers that super-pixel layers are made with."""

from __future__ import annotations

import math
import numbers


def whole_number(layer: str, name: str, value, minimum: int) -> int:
    """The argument as an `int`.

    Args:
        layer: name of the layer, for the error.
        name: name of the argument, for the error.
        value: what the caller gave.
        minimum: the least value allowed.

    Raises:
        ValueError: if it is no whole number or below the minimum.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < minimum:
        raise ValueError(
            f"{layer}: {name} must be a whole number of at least {minimum}, but got "
            f"{value!r}. Try {name}={max(minimum, 1)} or more."
        )
    return int(value)


def finite_number(layer: str, name: str, value, minimum: float) -> float:
    """The argument as a `float`.

    Args:
        layer: name of the layer, for the error.
        name: name of the argument, for the error.
        value: what the caller gave.
        minimum: the least value allowed.

    Raises:
        ValueError: if it is no number, not finite, or below the minimum.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value < minimum:
        raise ValueError(
            f"{layer}: {name} must be a finite number of at least {minimum}, but got "
            f"{value!r}. Try {name}={max(minimum, 1)}."
        )
    return float(value)

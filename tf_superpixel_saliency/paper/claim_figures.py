"""Figures of a table as the claims show them, and what their intervals tell."""

from __future__ import annotations

import math

from tf_superpixel_saliency.metrics.verdicts import CANNOT_BE_TOLD, DOES_NOT_HOLD, HOLDS


def with_interval(row, key, digits=3):
    low, high = row[f"{key} low"], row[f"{key} high"]
    if math.isnan(row[key]):
        return "–"
    text = f"{row[key]:+.{digits}f}"
    if math.isnan(low):
        return text
    return f"{text} [{low:+.{digits}f}, {high:+.{digits}f}]"


def figure_of(row, key, digits=3):
    """A figure with its interval, where it has one."""
    low, high = row[f"{key} low"], row[f"{key} high"]
    text = f"{row[key]:.{digits}f}"
    return text if math.isnan(low) else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def by_sign(low, high, p_value=0.0):
    """Whether an interval lies above 0, below it, or tells neither.

    With a p-value, one after Holm over a family, it has to be below 0.05 as well.
    """
    if low > 0 and p_value < 0.05:
        return HOLDS
    return DOES_NOT_HOLD if high < 0 and p_value < 0.05 else CANNOT_BE_TOLD


def by_intervals(row, other, key):
    """Whether a row's interval lies above another's, below it, or neither.

    Stricter than an interval of the difference, for tables that hold none.
    """
    if row[f"{key} low"] > other[f"{key} high"]:
        return HOLDS
    below = row[f"{key} high"] < other[f"{key} low"]
    return DOES_NOT_HOLD if below else CANNOT_BE_TOLD

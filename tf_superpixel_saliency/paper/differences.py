"""Paired differences of several methods at once, as the tables and claims tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tf_superpixel_saliency.metrics.intervals import (
    Difference,
    Interval,
    paired_difference,
)
from tf_superpixel_saliency.metrics.verdicts import holm, verdict

# What counts as not worse, and as no difference at all: two points, fixed before
# looking.
MARGIN = 0.02
P_VALUE = "p after Holm"


class Compared(NamedTuple):
    """One comparison of a family.

    Attributes:
        difference: paired, with its interval.
        p_value: after Holm over the family.
    """

    difference: Difference
    p_value: float

    def columns(self, name: str = "difference") -> dict:
        """What a row of a table says: the difference, called `name`, and its p."""
        return {name: Interval(*self.difference[:5]), P_VALUE: self.p_value}

    def better(self) -> str:
        """The verdict of 'above 0', a margin of two points being 'not worse'."""
        return verdict(self.difference, MARGIN, p_value=self.p_value)


def compare(family: Mapping[str, tuple], **settings) -> dict[str, Compared]:
    """Name → `Compared`, in order, for a family that is judged together.

    Args:
        family: name, say of a method → (its values, those it is compared with), as
            `metrics.paired_difference` takes them.
        settings: further ones of `metrics.paired_difference`, for all of them.
    """
    apart = {name: paired_difference(*two, **settings) for name, two in family.items()}
    adjusted = holm([one.p_value for one in apart.values()])
    return {
        name: Compared(one, float(p_value))
        for (name, one), p_value in zip(apart.items(), adjusted)
    }

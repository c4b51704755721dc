"""Judges of §3: rows → [(case, figure, chance, verdict)]."""

from __future__ import annotations

import math

import numpy as np

from tf_superpixel_saliency.metrics.verdicts import CANNOT_BE_TOLD, DOES_NOT_HOLD, HOLDS
from tf_superpixel_saliency.paper.claim_figures import (
    by_intervals,
    by_sign,
    with_interval,
)
from tf_superpixel_saliency.paper.differences import P_VALUE
from tf_superpixel_saliency.paper.dynamic import LESS_STATIC

RATIO = "ε' / ε"
NOT_CONTRADICTED = "not contradicted"


def propositions(rows):
    judged = []
    for row in rows:
        error = float(row["largest error of Proposition 2"])
        holds = row["Proposition 1 holds"] == 1 and error < 1e-4
        word = HOLDS if holds else DOES_NOT_HOLD
        case = f"{row['data']}, {row['method']}, {row['partition']}"
        figure = f"loss × {row['loss, groups / pixels']:.3f}, identity to {error:.0e}"
        judged.append((case, figure, None, f"{word}, for any partition"))
    return judged


def dynamic(rows):
    """Agreement with a partition a copy less that with one of the image."""
    judged = []
    for row in rows:
        if row["partition"] != "dynamic":
            continue
        ends = row[f"{LESS_STATIC} low"], row[f"{LESS_STATIC} high"]
        word = by_sign(*ends, row[P_VALUE])
        case = f"{row['data']}, {row['method']}"
        judged.append((case, with_interval(row, LESS_STATIC), 0.0, word))
    return judged


def independence(rows):
    """One case a data set: all super-pixels of more than one pixel, by their number."""
    key = "|S|·mean²/mean of squares"
    judged = []
    for data in dict.fromkeys(row["data"] for row in rows):
        bins = [
            row
            for row in rows
            if (row["data"], row["partition"]) == (data, "super-pixel")
            and not row["pixels a group"].startswith("1–")
            and not math.isnan(row[f"{key} low"])
        ]
        if not bins:
            continue
        # The sizes' intervals are of the same images: their ends are taken to move
        # together, which makes the mean's interval rather too wide.
        mean, low, high = (
            np.average(
                [row[f"{key}{end}"] for row in bins],
                weights=[row["groups"] for row in bins],
            )
            for end in ("", " low", " high")
        )
        figure = f"{mean:.2f} [{low:.2f}, {high:.2f}] times that of independent noise"
        inside, outside = 0.5 < low and high < 2, high < 0.5 or low > 2
        word = HOLDS if inside else DOES_NOT_HOLD if outside else CANNOT_BE_TOLD
        judged.append((data, figure, 1.0, word))
    return judged


def definition(rows):
    """Whether the generalisation error falls, told where the intervals are apart.

    The corollary bounds the error: that it falls contradicts nothing, and proves none.
    """
    judged = []
    for maps in dict.fromkeys(row["maps"] for row in rows):
        errors = {r["partition"]: r for r in rows if r["maps"] == maps}
        own, pixel = errors["super-pixel"], errors["pixel"]
        figure = f"{pixel['error']:.2e} → {own['error']:.2e}"
        chance = f"random groups {errors['random']['error']:.2e}"
        word = by_intervals(pixel, own, "error")
        word = NOT_CONTRADICTED if word == HOLDS else word
        judged.append((maps, figure, chance, word))
    return judged


def stability(rows):
    def ratios(partition):
        return {
            (row["training"], row["maps"]): row
            for row in rows
            if row["partition"] == partition
        }

    random = ratios("random")
    return [
        (
            ", ".join(key),
            f"ε'/ε = {row[RATIO]:.3f}",
            f"random groups {random[key][RATIO]:.3f}",
            HOLDS if row["ε' ≤ ε"] == "true" else DOES_NOT_HOLD,
        )
        for key, row in ratios("super-pixel").items()
    ]

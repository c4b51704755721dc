"""How a table of results judges a claim: rows → [(case, figure, chance, verdict)]."""

from __future__ import annotations

import math

import numpy as np

from tf_superpixel_saliency.metrics.verdicts import (
    CANNOT_BE_TOLD,
    DOES_NOT_HOLD,
    HOLDS,
    NOT_WORSE,
)
from tf_superpixel_saliency.paper.tradeoff import MARGIN

RATIO = "ε' / ε"
NOT_CONTRADICTED = "not contradicted"
# Names of partitions among what a map is compared with.
PARTITIONS = ("pixel", "square", "random", "permutation", "one group")
FIDELITY = (
    "Deletion, dataset mean ↓",
    "Insertion, blur ↑",
    "Insertion, blank ↑",
    "μFidelity 9×9 ↑",
)


def _interval(row, key, digits=3):
    low, high = row[f"{key} low"], row[f"{key} high"]
    if math.isnan(row[key]):
        return "–"
    text = f"{row[key]:+.{digits}f}"
    if math.isnan(low):
        return text
    return f"{text} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _figure(row, key, digits=3):
    """A figure with its interval, where it has one."""
    low, high = row[f"{key} low"], row[f"{key} high"]
    text = f"{row[key]:.{digits}f}"
    return text if math.isnan(low) else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def _sign(low, high):
    """Whether an interval lies above 0, below it, or tells neither."""
    return HOLDS if low > 0 else DOES_NOT_HOLD if high < 0 else CANNOT_BE_TOLD


def better(measure, other):
    """Super-pixels less another partition, from a table of differences."""

    def judge(rows):
        return [
            (
                f"{row['networks']}, {row['method']}",
                _interval(row, "difference"),
                0.0 if "observed" not in measure else None,
                row["better"],
            )
            for row in rows
            if (row["measure"], row["super-pixel less"]) == (measure, other)
        ]

    return judge


def observed(rows, differences):
    """Observed SSIM, as the paper shows it, with the chance level of both."""
    words = {
        (row["networks"], row["method"]): row["better"]
        for row in differences
        if (row["measure"], row["super-pixel less"]) == ("SSIM, observed", "pixel")
    }
    judged = []
    for row in rows:
        if row["partition"] != "super-pixel":
            continue
        key = row["networks"], row["method"]
        pixel = next(
            r
            for r in rows
            if r["partition"] == "pixel" and (r["networks"], r["method"]) == key
        )
        figure = f"{_figure(pixel, 'SSIM')} → {_figure(row, 'SSIM')}"
        chance = f"{pixel['SSIM by chance']:.3f} → {row['SSIM by chance']:.3f}"
        judged.append((", ".join(key), figure, chance, f"{words[key]}, as observed"))
    return judged


def fidelity(other):
    def judge(rows):
        return [
            (
                f"{row['measure']}, {row['method']}",
                f"{_interval(row, 'difference', 1)} points",
                None,
                _fidelity_word(row, other),
            )
            for row in rows
            if row["super-pixel less"] == other and row["measure"] in FIDELITY
        ]

    return judge


def _fidelity_word(row, other):
    sign = -1 if "↓" in row["measure"] else 1
    ends = sorted(sign * row[f"difference{end}"] for end in (" low", " high"))
    if ends[0] > 0 and row["p after Holm"] < 0.05:
        return HOLDS
    if other == "pixel" and ends[0] > -2:
        return NOT_WORSE
    # An interval that holds 0 and more than the margin has too few images to tell.
    return DOES_NOT_HOLD if ends[1] <= 0 else CANNOT_BE_TOLD


def mege(rows, differences):
    """Higher than that of both pixels and random groups, or lower than one's."""
    words = {
        (row["method"], row["distance"], row["less"]): row["better"]
        for row in differences
    }
    judged = []
    for row in rows:
        if row["partition"] != "super-pixel":
            continue
        key = row["method"], row["distance"]
        others = {
            r["partition"]: r for r in rows if (r["method"], r["distance"]) == key
        }
        figure = f"{_figure(others['pixel'], 'MeGe')} → {_figure(row, 'MeGe')}"
        chance = f"random groups {_figure(others['random'], 'MeGe')}"
        found = {words[(*key, other)] for other in ("pixel", "random")}
        word = min(found, key=(DOES_NOT_HOLD, CANNOT_BE_TOLD, HOLDS).index)
        judged.append((", ".join(key), figure, chance, word))
    return judged


def mege_of_regions(rows):
    """Beside the methods of regions, maps of norm 1: their raw size is their own."""
    return [
        (
            f"{row['method']} against {row['less']}, {row['distance']}",
            f"distance {_interval(row, 'distance less')}",
            None,
            row["better"],
        )
        for row in rows
        if row["distance"] == "normalised L2" and row["less"] not in PARTITIONS
    ]


def regions(rows):
    """Super-pixel maps less those of methods of regions."""
    return [
        (
            f"{row['map'].removesuffix(', super-pixel')} against {row['less']}",
            _interval(row, "difference"),
            0.0,
            row["better"],
        )
        for row in rows
        # RISE is not compared in the paper.
        if row["map"].endswith(", super-pixel") and row["less"] != "RISE"
    ]


def algorithms(rows):
    judged = []
    for row in rows:
        if row["algorithm"] == "Quickshift":
            continue
        key = "excess less Quickshift's"
        beyond = row[f"{key} low"] > MARGIN or row[f"{key} high"] < -MARGIN
        word = DOES_NOT_HOLD if beyond else CANNOT_BE_TOLD
        case = f"{row['algorithm']}, some {row['groups aimed at']} groups"
        word = HOLDS if row["equivalent"] == "true" else word
        judged.append((case, _interval(row, key), row["SSIM by chance"], word))
    return judged


def road(rows):
    """Faster for the most relevant first, and slower for the least relevant first."""
    key, judged = "less pixels'", []
    for row in rows:
        if row["partition"] != "super-pixel":
            continue
        ends = row[f"{key} low"], row[f"{key} high"]
        if "↓" in row["order"]:
            ends = -ends[1], -ends[0]
        case = f"{row['method']}, {row['order'][:-2]}"
        (square,) = (
            other
            for other in rows
            if other["partition"] == "square"
            and (other["method"], other["order"]) == (row["method"], row["order"])
        )
        control = f"squares {_interval(square, key)}"
        judged.append((case, _interval(row, key), control, _sign(*ends)))
    return judged


def roar(rows):
    by_order = {row["removed first"]: row for row in rows}
    own = by_order["super-pixel"]
    alone = f"masks alone {by_order['super-pixel, masks alone']['mean']:.3f}"
    word = _sign(-own["less pixels' high"], -own["less pixels' low"])
    return [("SimpleGradient", _interval(own, "less pixels'"), alone, word)]


def orthogonality(rows):
    judged = []
    for row in rows:
        word = _sign(row["interaction low"], row["interaction high"])
        judged.append((row["measure"], _interval(row, "interaction"), None, word))
    return judged


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
        word = _apart(pixel, own, "error")
        word = NOT_CONTRADICTED if word == HOLDS else word
        judged.append((maps, figure, chance, word))
    return judged


def _apart(row, other, key):
    """Whether a row's interval lies above another's, below it, or neither.

    Stricter than an interval of the difference, for tables that hold none.
    """
    if row[f"{key} low"] > other[f"{key} high"]:
        return HOLDS
    below = row[f"{key} high"] < other[f"{key} low"]
    return DOES_NOT_HOLD if below else CANNOT_BE_TOLD


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


def cost(rows):
    return [
        (
            f"{row['photos a call']} photos a call",
            f"{row['in plain gradients']:.2f} plain gradients",
            None,
            HOLDS if row["in plain gradients"] < 1 else DOES_NOT_HOLD,
        )
        for row in rows
        if row["what"] == "Quickshift"
    ]


def grad_cam(rows):
    """Grad-CAM's excess less that of the pixel gradient."""
    (row,) = (
        row
        for row in rows
        if (row["map"], row["less"]) == ("SimpleGradient, pixel", "GradCAM")
    )
    low, high = -row["difference high"], -row["difference low"]
    turned = {
        "difference": -row["difference"],
        "difference low": low,
        "difference high": high,
    }
    figure = _interval(turned, "difference")
    return [("GradCAM less SimpleGradient", figure, 0.0, _sign(low, high))]

"""Judges of §4.3, §4.4 and the cost: rows → [(case, figure, chance, verdict)]."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.metrics.verdicts import (
    CANNOT_BE_TOLD,
    DOES_NOT_HOLD,
    HOLDS,
    NOT_WORSE,
)
from tf_superpixel_saliency.paper import distance, tradeoff
from tf_superpixel_saliency.paper.claim_figures import by_sign, with_interval
from tf_superpixel_saliency.paper.differences import P_VALUE
from tf_superpixel_saliency.paper.road import BY_RANK

FIDELITY = (
    "Deletion, dataset mean ↓",
    "Insertion, blur ↑",
    "Insertion, blank ↑",
    "μFidelity 9×9 ↑",
)
# Distances from the pixel gradient nearer than this, of its norm, are called similar.
SIMILAR = 0.1


def fidelity(other):
    def judge(rows):
        return [
            (
                f"{row['measure']}, {row['method']}",
                f"{with_interval(row, 'difference', 1)} points",
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
    word = by_sign(*ends, row[P_VALUE])
    if word != HOLDS and other == "pixel" and ends[0] > -2:
        return NOT_WORSE
    return word


def small_groups(rows):
    """Pixels to small super-pixels: more stable, and no less faithful."""
    found = _sizes(rows, tradeoff.GOOD, "pixel")
    judged = []
    for method, (excess, mu) in found.items():
        words = excess["better"], mu["better"]
        good = words[0] == HOLDS and words[1] in (HOLDS, NOT_WORSE)
        worse = DOES_NOT_HOLD in words
        word = HOLDS if good else DOES_NOT_HOLD if worse else CANNOT_BE_TOLD
        judged.append((method, _both(excess, mu), None, word))
    return judged


def large_groups(rows):
    """From small super-pixels to the largest: both measures fall."""
    found = _sizes(rows, tradeoff.LARGEST, tradeoff.GOOD)
    judged = []
    for method, (excess, mu) in found.items():
        words = [
            by_sign(-row["difference high"], -row["difference low"], row[P_VALUE])
            for row in (excess, mu)
        ]
        # Whichever of the two tells the least of the claim.
        word = min(words, key=(DOES_NOT_HOLD, CANNOT_BE_TOLD, HOLDS).index)
        judged.append((method, _both(excess, mu), None, word))
    return judged


def _sizes(rows, partition, other):
    """Method → its rows of excess and of μFidelity, of one size less another."""
    found = {}
    for row in rows:
        if (row["partition"], row["less"]) == (partition, other):
            found.setdefault(row["method"], []).append(row)
    return found


def _both(excess, mu):
    return (
        f"SSIM excess {with_interval(excess, 'difference')}, "
        f"μFidelity {with_interval(mu, 'difference')}"
    )


def moved(rows):
    """Distances from the pixel gradient where as much energy remains, by either."""
    keys = ("remaining energy", "relative distance")
    keys += tuple(f"relative distance {end}" for end in ("low", "high"))
    curves = {}
    for kind in (distance.SUPERPIXEL, distance.SMOOTHGRAD):
        here = [row for row in rows if row["map"].startswith(kind)]
        here.sort(key=lambda row: row["remaining energy"])
        curves[kind] = [np.array([row[key] for row in here]) for key in keys]
    energy, grouped = curves[distance.SUPERPIXEL][:2]
    noise, *noisy = curves[distance.SMOOTHGRAD]
    shared = (energy >= noise[0]) & (energy <= noise[-1])
    if not shared.any():
        return [("SimpleGradient", "no energy in common", None, CANNOT_BE_TOLD)]
    at = np.log(energy[shared]), np.log(noise)
    mean, low, high = (np.interp(*at, ends) - grouped[shared] for ends in noisy)
    inside = max(-low.min(), high.max()) < SIMILAR
    outside = max(low.max(), -high.min()) > SIMILAR
    word = DOES_NOT_HOLD if outside else CANNOT_BE_TOLD
    word = f"{HOLDS}, for any partition" if inside else word
    figure = f"at equal energy at most {np.abs(mean).max():.3f} of ‖m₀‖ apart"
    return [("SimpleGradient", figure, None, word)]


def road(rows):
    """Faster for the most relevant first, and slower for the least relevant first."""
    return _road([row for row in rows if row["order"] != BY_RANK])


def road_by_rank(rows):
    """What of it the ranking does: a wider gap between the two orders."""
    found = [row for row in rows if row["order"] == BY_RANK]
    if not found:
        raise KeyError(BY_RANK)
    return _road(found)


def _road(rows):
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
        control = f"squares {with_interval(square, key)}"
        word = by_sign(*ends, row[P_VALUE])
        judged.append((case, with_interval(row, key), control, word))
    return judged


def roar(rows):
    by_order = {row["removed first"]: row for row in rows}
    own = by_order["super-pixel"]
    squares = with_interval(by_order["square"], "less pixels'")
    alone = by_order["super-pixel, masks alone"]["mean"]
    control = f"squares {squares}; accuracy from masks alone {alone:.3f}"
    word = by_sign(-own["less pixels' high"], -own["less pixels' low"])
    return [("SimpleGradient", with_interval(own, "less pixels'"), control, word)]


def cost(rows):
    return [
        (
            f"{row['photos a call']} photo{'s' * (row['photos a call'] > 1)} a call",
            f"{row['in plain gradients']:.2f} plain gradients",
            None,
            HOLDS if row["in plain gradients"] < 1 else DOES_NOT_HOLD,
        )
        for row in rows
        if row["what"] == "Quickshift"
    ]

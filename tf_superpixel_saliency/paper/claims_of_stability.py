"""Judges of §4.1, §4.2 and §5: rows → [(case, figure, chance, verdict)]."""

from __future__ import annotations

from tf_superpixel_saliency.evaluation.partitions import CONTROLS
from tf_superpixel_saliency.metrics.verdicts import CANNOT_BE_TOLD, DOES_NOT_HOLD, HOLDS
from tf_superpixel_saliency.paper.claim_figures import by_sign, figure_of, with_interval
from tf_superpixel_saliency.paper.differences import MARGIN

# An excess below this is what an untrained network may share with a trained one.
LEFT_OVER = 0.1


def better(measure, other):
    """Super-pixels less another partition, from a table of differences."""

    def judge(rows):
        return [
            (
                f"{row['networks']}, {row['method']}",
                with_interval(row, "difference"),
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
        figure = f"{figure_of(pixel, 'SSIM')} → {figure_of(row, 'SSIM')}"
        chance = f"{pixel['SSIM by chance']:.3f} → {row['SSIM by chance']:.3f}"
        judged.append((", ".join(key), figure, chance, f"{words[key]}, as observed"))
    return judged


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
        figure = f"{figure_of(others['pixel'], 'MeGe')} → {figure_of(row, 'MeGe')}"
        chance = f"random groups {figure_of(others['random'], 'MeGe')}"
        found = {words[(*key, other)] for other in ("pixel", "random")}
        word = min(found, key=(DOES_NOT_HOLD, CANNOT_BE_TOLD, HOLDS).index)
        judged.append((", ".join(key), figure, chance, word))
    return judged


def mege_of_regions(rows):
    """Beside the methods of regions, maps of norm 1: their raw size is their own."""
    return [
        (
            f"{row['method']} against {row['less']}, {row['distance']}",
            f"distance {with_interval(row, 'distance less')}",
            None,
            row["better"],
        )
        for row in rows
        if row["distance"] == "normalised L2" and row["less"] not in CONTROLS
    ]


def regions(rows):
    """Super-pixel maps less those of methods of regions."""
    return [
        (
            f"{row['map'].removesuffix(', super-pixel')} against {row['less']}",
            with_interval(row, "difference"),
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
        judged.append((case, with_interval(row, key), row["SSIM by chance"], word))
    return judged


def orthogonality(rows):
    judged = []
    for row in rows:
        word = by_sign(row["interaction low"], row["interaction high"])
        judged.append((row["measure"], with_interval(row, "interaction"), None, word))
    return judged


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
    figure = with_interval(turned, "difference")
    return [("GradCAM less SimpleGradient", figure, 0.0, by_sign(low, high))]


def sanity(rows):
    """What is left of the excess when every layer is drawn anew."""
    judged = []
    for method in dict.fromkeys(row["method"] for row in rows):
        last = {r["partition"]: r for r in rows if r["method"] == method}
        own, pixel = last["super-pixel"], last["pixel"]
        below = own["SSIM excess high"] < LEFT_OVER
        above = own["SSIM excess low"] > LEFT_OVER
        word = HOLDS if below else DOES_NOT_HOLD if above else CANNOT_BE_TOLD
        figure = (
            f"{figure_of(own, 'SSIM excess')}, pixels {figure_of(pixel, 'SSIM excess')}"
        )
        judged.append((method, figure, own["SSIM by chance"], word))
    return judged

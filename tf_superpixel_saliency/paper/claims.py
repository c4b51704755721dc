"""The paper's claims one by one: our figure, its interval, chance, and a verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NamedTuple

from tf_superpixel_saliency.evaluation.tables import Table
from tf_superpixel_saliency.metrics import verdicts
from tf_superpixel_saliency.paper import (
    claims_of_fidelity,
    claims_of_stability,
    claims_of_theory,
)
from tf_superpixel_saliency.paper.experiment import Setting


class Claim(NamedTuple):
    """A claim of the paper.

    Attributes:
        place: where it stands.
        text: what it says.
        table: name of the table that tells.
        judge: rows of that table → [(case, figure, chance, verdict)].
        with_differences: the judge is given the rows of TABLE-differences too.
    """

    place: str
    text: str
    table: str
    judge: Callable
    with_differences: bool = False


_STABLE = "Super-pixels raise the agreement of two networks' maps"
_NOT_FEWER = "Super-pixels do not significantly lower fidelity"
CLAIMS = (
    Claim(
        "§4.1, Figure 2",
        f"{_STABLE}: CIFAR-10, as the paper measures it",
        "figure-2-cifar10",
        claims_of_stability.observed,
        with_differences=True,
    ),
    Claim(
        "§4.1, Figure 2",
        f"{_STABLE}: CIFAR-10, SSIM beyond chance",
        "figure-2-cifar10-differences",
        claims_of_stability.better("SSIM, excess", "pixel"),
    ),
    Claim(
        "§4.1, Figure 2",
        f"{_STABLE}: CIFAR-10, signed cosine",
        "figure-2-cifar10-differences",
        claims_of_stability.better("signed cosine, excess", "pixel"),
    ),
    Claim(
        "§4.1, Figure 2",
        f"{_STABLE}: photos, as the paper measures it",
        "figure-2-photos",
        claims_of_stability.observed,
        with_differences=True,
    ),
    Claim(
        "§4.1, Figure 2",
        f"{_STABLE}: photos, SSIM beyond chance",
        "figure-2-photos-differences",
        claims_of_stability.better("SSIM, excess", "pixel"),
    ),
    Claim(
        "§4.1, Figure 2",
        f"{_STABLE}: photos, signed cosine",
        "figure-2-photos-differences",
        claims_of_stability.better("signed cosine, excess", "pixel"),
    ),
    Claim(
        "§3.3",
        "Following the image is better than squares: CIFAR-10",
        "figure-2-cifar10-differences",
        claims_of_stability.better("SSIM, excess", "square"),
    ),
    Claim(
        "§3.3",
        "Following the image is better than squares: photos",
        "figure-2-photos-differences",
        claims_of_stability.better("SSIM, excess", "square"),
    ),
    *(
        Claim(
            "control",
            f"What raises it is not {what} alone: {data}",
            f"{table}-differences",
            claims_of_stability.better("SSIM, excess", other),
        )
        for data, table in (
            ("CIFAR-10", "figure-2-cifar10"),
            ("photos", "figure-2-photos"),
        )
        for what, other in (
            ("averaging random groups of the same sizes", "permutation"),
            ("a blur that leaves as much energy", "blurred"),
        )
    ),
    Claim(
        "§4.1, Figure 2",
        "Super-pixels raise MeGe",
        "figure-2-mege",
        claims_of_stability.mege,
        with_differences=True,
    ),
    Claim(
        "§4.1, Figure 2",
        "MeGe is higher than that of methods of regions",
        "figure-2-mege-differences",
        claims_of_stability.mege_of_regions,
    ),
    Claim(
        "§4.1, Figure 2",
        "More stable than methods of regions: CIFAR-10",
        "figure-2-regions-cifar10-differences",
        claims_of_stability.regions,
    ),
    Claim(
        "§4.1, Figure 2",
        "More stable than methods of regions: photos",
        "figure-2-regions-photos-differences",
        claims_of_stability.regions,
    ),
    Claim(
        "§4.2, Figure 4",
        "The algorithm has minimal effect, at similar numbers of groups",
        "algorithms",
        claims_of_stability.algorithms,
    ),
    Claim(
        "§4.3, Table 1",
        _NOT_FEWER,
        "table-1-differences",
        claims_of_fidelity.fidelity("pixel"),
    ),
    Claim(
        "§4.3, Table 1",
        "Super-pixels are more faithful than squares",
        "table-1-differences",
        claims_of_fidelity.fidelity("square"),
    ),
    Claim(
        "§4.3, Table 1",
        "Super-pixels are more faithful than random groups",
        "table-1-differences",
        claims_of_fidelity.fidelity("random"),
    ),
    Claim(
        "§4.3, Figure 5",
        "Small super-pixels raise stability with minor drops in fidelity",
        "figure-5-tradeoff-differences",
        claims_of_fidelity.small_groups,
    ),
    Claim(
        "§4.3, Figure 5",
        "Too large super-pixels damage both: max_dist 8 less max_dist 3",
        "figure-5-tradeoff-differences",
        claims_of_fidelity.large_groups,
    ),
    Claim(
        "§4.4, Figure 5",
        "ROAD falls faster (and slower in the other order): CIFAR-10",
        "figure-5-road-cifar10",
        claims_of_fidelity.road,
    ),
    Claim(
        "§4.4, Figure 5",
        "ROAD falls faster (and slower in the other order): photos",
        "figure-5-road-photos",
        claims_of_fidelity.road,
    ),
    *(
        Claim(
            "control",
            "What makes ROAD fall faster is the ranking, not that regions are imputed: "
            f"{data}",
            table,
            claims_of_fidelity.road_by_rank,
        )
        for data, table in (
            ("CIFAR-10", "figure-5-road-cifar10"),
            ("photos", "figure-5-road-photos"),
        )
    ),
    Claim(
        "§4.4, Figure 5", "ROAR falls faster", "figure-5-roar", claims_of_fidelity.roar
    ),
    Claim(
        "§5, Figure 5",
        "Grouping moves a map from the pixel gradient as SmoothGrad's noise does",
        "figure-5-distance",
        claims_of_fidelity.moved,
    ),
    Claim(
        "§5",
        "Noise and grouping are complementary",
        "orthogonality",
        claims_of_stability.orthogonality,
    ),
    Claim(
        "§5",
        "Grad-CAM is more stable than the gradient: photos",
        "figure-2-regions-photos-differences",
        claims_of_stability.grad_cam,
    ),
    Claim(
        "§3.2",
        "A dynamic partition gives even more promising results: signed cosine's excess",
        "dynamic-partition",
        claims_of_theory.dynamic,
    ),
    Claim(
        "§3.2", "Propositions 1 and 2", "propositions", claims_of_theory.propositions
    ),
    Claim("§3.2", "Proposition 3", "definition-3", claims_of_theory.stability),
    Claim(
        "§3.2",
        "Corollary 1: the generalisation error falls",
        "definition-2",
        claims_of_theory.definition,
    ),
    Claim(
        "§3.3",
        "Noise is nearly independent inside a super-pixel, within a factor of 2",
        "independence",
        claims_of_theory.independence,
    ),
    Claim(
        "control",
        "With all weights drawn anew, no agreement with the trained maps remains",
        "sanity",
        claims_of_stability.sanity,
    ),
    Claim(
        "§1",
        "Super-pixels cost little: less than one gradient",
        "cost",
        claims_of_fidelity.cost,
    ),
)


_WORDS = (
    verdicts.HOLDS,
    verdicts.NOT_WORSE,
    claims_of_theory.NOT_CONTRADICTED,
    verdicts.DOES_NOT_HOLD,
    verdicts.CANNOT_BE_TOLD,
)


def run(setting: Setting) -> None:
    """Judge each claim by the tables that are in the output folder."""
    rows = []
    for claim in CLAIMS:
        names = [claim.table, f"{claim.table}-differences"]
        tables = [
            _rows(setting.output / f"{name}.json")
            for name in names[: 1 + claim.with_differences]
        ]
        judged = [("–", "not run", None, verdicts.CANNOT_BE_TOLD)]
        if all(found is not None for found in tables):
            judged = _judged(claim, tables)
        for case, figure, chance, word in judged:
            rows.append(
                {
                    "claim": claim.text,
                    "in the paper": claim.place,
                    "case": case,
                    "our figure": figure,
                    "by chance": chance,
                    "verdict": word,
                    "table": claim.table,
                }
            )
    notes = (
        "A claim about stability holds on excess only: what is observed less what the "
        "same segments give by chance. 'holds': the 95 % interval of the difference "
        "excludes 0, and where several methods are compared with the same, its p-value "
        "after Holm over them is below 0.05 (so 'holds' says better; where a claim is "
        "'not lower', 'not worse' is what it says); 'not worse': the interval lies "
        "above −2 points; 'cannot be told': it is too wide, or was not run. Rows of "
        "place 'control' are not the paper's: they ask what its claim rests on.",
        "By a threshold instead: the algorithm's effect (the interval within ±0.02), "
        "the independence of noise (within a factor of 2), the distance from the pixel "
        f"gradient (intervals within {claims_of_fidelity.SIMILAR}), what remains with "
        f"all weights drawn anew (below {claims_of_stability.LEFT_OVER}), the cost "
        "(below one gradient), Propositions 1 and 2 (to 1e-4) and 3 (ε' ≤ ε); and by "
        "two intervals that lie apart: Corollary 1. The threshold of the distance and "
        "that of weights drawn anew were not fixed before looking.",
        "Visual quality is not measured: no claim. Theorem 1 and Corollary 1 bound an "
        "error: that the bound falls can be 'not contradicted', never verified.",
    )
    setting.write_table(Table("claims", "The paper's claims", rows, notes))
    title = "The paper's claims in short: in how many cases each holds"
    setting.write_table(Table("claims-in-short", title, _in_short(rows), notes))


def _judged(claim, tables):
    try:
        return claim.judge(*tables)
    except KeyError as error:
        raise ValueError(
            f"The table {claim.table} has no {error} and was made by another version. "
            f"Run superpixel-saliency reproduce {claim.table.partition('-diff')[0]} "
            "again."
        ) from error


def _in_short(rows):
    """A row a claim: the number of its cases with each verdict."""
    short = {}
    for row in rows:
        names = {key: row[key] for key in ("claim", "in the paper", "table")}
        counts = short.setdefault(
            row["claim"], names | {"cases": 0} | dict.fromkeys(_WORDS, 0)
        )
        # A verdict may say after a comma what it is about.
        counts[row["verdict"].partition(",")[0]] += 1
        counts["cases"] += 1
    return list(short.values())


def _rows(path):
    """The rows of a table, or None; null, for want of values, as NaN again."""
    if not path.exists():
        return None
    return [
        {k: math.nan if value is None else value for k, value in row.items()}
        for row in json.loads(path.read_text("utf-8"))["rows"]
    ]

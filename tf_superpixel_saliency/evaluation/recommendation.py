"""Which partition and size to use: chosen on half of the images, told on the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_superpixel_saliency.evaluation.agreement import COSINE
from tf_superpixel_saliency.evaluation.partitions import PIXEL
from tf_superpixel_saliency.evaluation.study import MU, Study
from tf_superpixel_saliency.metrics.intervals import (
    Difference,
    Interval,
    bootstrap_interval,
    paired_difference,
)

# What μFidelity may lose against pixels: two points, fixed before looking.
MARGIN = 0.02


class Recommendation(NamedTuple):
    """A partition for a method.

    Attributes:
        method: its name.
        partition: the one to use.
        criterion: what it was chosen by.
        value: the criterion on the images that it was not chosen on.
        gain: the same less that of pixels.
        fidelity: μFidelity on those images, less that of pixels.
        text: all this in a sentence or two.
    """

    method: str
    partition: str
    criterion: str
    value: Interval
    gain: Difference
    fidelity: Difference
    text: str


def recommend(found: Study, candidates=None) -> list[Recommendation]:
    """The best partition for each method.

    With two networks: the one with the highest excess of the signed cosine, among
    those whose μFidelity is at most two points below that of pixels. With one network
    nothing is known of stability: the one with the smallest sampling error among
    those within two points of the best μFidelity; without noise, the best μFidelity.

    Every second image is used to choose, the others to report.

    Args:
        found: what `study` measured, with the partition "pixel" among others.
        candidates: names of partitions that may be recommended; None for all.
    """
    choose = np.arange(len(found.both)) % 2 == 0
    names = list(candidates or found.partitions)
    return [_recommend(found, method, names, choose) for method in found.methods]


def _recommend(found, method, names, choose):
    mu = {name: found.fidelity.of(method, name, MU) for name in found.partitions}
    if found.agreement is not None:
        criterion, sign = f"{COSINE}, excess", 1
        chosen_on = choose & found.both
        told_on = ~choose & found.both
        values = {
            name: found.agreement.of(method, name, COSINE, "excess")
            for name in found.partitions
        }
        floor = mu[PIXEL][choose].mean() - MARGIN
    else:
        chosen_on, told_on = choose, ~choose
        errors = found.sampling[found.methods.index(method)]
        noisy = bool(np.any(errors > 0))
        criterion, sign = ("sampling error", -1) if noisy else ("μFidelity", 1)
        values = dict(zip(found.partitions, errors)) if noisy else mu
        floor = max(mu[name][choose].mean() for name in names) - MARGIN
    allowed = [n for n in names if mu[n][choose].mean() >= floor] or [PIXEL]
    best = max(allowed, key=lambda name: _score(sign * values[name][chosen_on]))
    return _told(found, method, best, criterion, values, mu, told_on, ~choose)


def _score(values):
    known = values[~np.isnan(values)]
    return known.mean() if known.size else -np.inf


def _told(found, method, best, criterion, values, mu, told_on, rest):
    value = bootstrap_interval(values[best][told_on])
    gain = paired_difference(values[best][told_on], values[PIXEL][told_on])
    fidelity = paired_difference(mu[best][rest], mu[PIXEL][rest])
    groups = int(np.median(found.fidelity.groups[found.partitions.index(best)]))
    text = (
        f"{method}: {best} (some {groups} groups). {criterion} {value.mean:.3f} "
        f"[{value.low:.3f}, {value.high:.3f}] on {value.n} images it was not chosen "
        f"on, {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] against pixels"
        f"{_not_told_apart(gain)}; "
        f"μFidelity {fidelity.mean:+.3f} [{fidelity.low:+.3f}, {fidelity.high:+.3f}]."
    )
    if found.agreement is None:
        text += (
            " From one network: by fidelity and sampling error alone, which say "
            "nothing about another training. Give a second network for that."
        )
    return Recommendation(method, best, criterion, value, gain, fidelity, text)


def _not_told_apart(gain):
    """Words for a gain whose interval holds 0; none for pixels against themselves."""
    undecided = gain.low <= 0 <= gain.high and gain.low < gain.high
    return ", which these images don't tell from 0" if undecided else ""

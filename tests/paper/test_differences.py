"""Tables of differences of values that are known, read by the claims' own judges."""

import json

import numpy as np
import pytest

from tf_superpixel_saliency.evaluation import tables
from tf_superpixel_saliency.evaluation.agreement import COSINE, SSIM, Agreement
from tf_superpixel_saliency.metrics.intervals import paired_difference
from tf_superpixel_saliency.metrics.verdicts import DOES_NOT_HOLD, HOLDS
from tf_superpixel_saliency.paper import (
    claims_of_fidelity,
    claims_of_stability,
    differences,
    fidelity,
    generalizability,
    regions,
    tradeoff,
)

NUM_IMAGES = 12
BOTH = np.arange(NUM_IMAGES) < 10


def agreement(methods, partitions, observed, chance=0.2):
    """Every image has the observed value and a little of its own, the same in all."""
    shape = (len(methods), len(partitions), NUM_IMAGES, 2, 5)
    values = np.full(shape, np.nan)
    own = np.linspace(-0.01, 0.01, NUM_IMAGES)[:, None]
    for m, method in enumerate(methods):
        for p, partition in enumerate(partitions):
            values[m, p, :, :, 0] = observed[method, partition] + own
    values[..., 1] = values[..., 4] = chance
    values[..., 2] = (values[..., 0] - chance) / (1 - chance)
    # Not both networks predict the last two: they would turn every sign.
    values[:, :, ~BOTH] = -values[:, :, ~BOTH] * 9
    groups = np.full((len(partitions), NUM_IMAGES), 7.0)
    return Agreement(methods, partitions, (SSIM, COSINE), values, groups)


def written(rows, folder):
    """Rows as they are read again from a table's JSON."""
    tables.write(tables.Table("made", "Made", rows), folder)
    return json.loads((folder / "made.json").read_text("utf-8"))["rows"]


def test_methods_of_regions(tmp_path):
    methods, partitions = ("SmoothGrad", "SimpleGradient"), ("pixel", "super-pixel")
    observed = {(m, p): 0.4 for m in methods for p in partitions}
    observed["SmoothGrad", "super-pixel"] = 0.8
    gradient = agreement(methods, partitions, observed)
    own = agreement(("GradCAM",), ("regions",), {("GradCAM", "regions"): 0.6})
    rows = [regions._Row(m, p, gradient, 7.0) for m in methods for p in partitions]
    rows.append(regions._Row("GradCAM", "regions", own, 49.0))
    found = written(regions._differences(rows, BOTH), tmp_path)
    judged = {case: rest for case, *rest in claims_of_stability.regions(found)}
    figure, _, word = judged["SmoothGrad against GradCAM"]
    assert (figure, word) == ("+0.250 [+0.250, +0.250]", HOLDS)
    figure, _, word = judged["SimpleGradient against GradCAM"]
    assert (figure, word) == ("-0.250 [-0.250, -0.250]", DOES_NOT_HOLD)
    ((_, figure, _, word),) = claims_of_stability.grad_cam(found)
    assert (figure, word) == ("+0.250 [+0.250, +0.250]", HOLDS)


class Faithful:
    """Fidelity of every partition as it is given, with a little of each image's own."""

    def __init__(self, values):
        self.values = values

    def of(self, method, partition, measure):
        assert measure == fidelity.MU
        return self.values[partition] + np.linspace(-0.01, 0.01, NUM_IMAGES)


@pytest.mark.parametrize(
    "faithful, small, large",
    [
        ({"pixel": 0.3, "max_dist 3": 0.4, "max_dist 8": 0.2}, HOLDS, HOLDS),
        (
            {"pixel": 0.5, "max_dist 3": 0.4, "max_dist 8": 0.6},
            DOES_NOT_HOLD,
            DOES_NOT_HOLD,
        ),
    ],
)
def test_sizes_of_superpixels(faithful, small, large, tmp_path):
    names = tuple(faithful)
    observed = dict(zip([("SmoothGrad", name) for name in names], (0.3, 0.6, 0.5)))
    found = agreement(("SmoothGrad",), names, observed)
    rows = tradeoff._differences(found, BOTH, Faithful(faithful))
    rows = written(rows, tmp_path)
    ((_, figure, _, word),) = claims_of_fidelity.small_groups(rows)
    assert word == small and figure.startswith("SSIM excess +0.375")
    ((_, figure, _, word),) = claims_of_fidelity.large_groups(rows)
    assert word == large and figure.startswith("SSIM excess -0.125")


def test_distances_of_mege(tmp_path):
    images = np.repeat(np.arange(NUM_IMAGES), 4)
    own = np.linspace(0, 0.1, len(images))
    mean = {"pixel": 0.8, "super-pixel": 0.5, "random": 0.6, "regions": 0.3}
    records = [
        {
            "method": "LIME" if partition == "regions" else "SmoothGrad",
            "partition": partition,
            "distance": distance,
            "images": images,
            "same": value + own,
        }
        for partition, value in mean.items()
        for distance in generalizability._DISTANCES
    ]
    rows = written(generalizability._differences(records), tmp_path)
    words = {(row["less"], row["distance"]): row["better"] for row in rows}
    assert words["pixel", "L2"] == words["random", "normalised L2"] == HOLDS
    assert ("LIME", "L2") not in words
    ((case, figure, _, word),) = claims_of_stability.mege_of_regions(rows)
    assert case == "SmoothGrad against LIME, normalised L2"
    assert (figure, word) == ("distance +0.200 [+0.200, +0.200]", DOES_NOT_HOLD)


def test_a_family_is_judged_together():
    """Holm by hand: the smallest p times three, the next times two, never falling."""
    rng = np.random.default_rng(0)
    family = {
        name: (rng.normal(shift, 1, 40), np.zeros(40))
        for name, shift in (("large", 2), ("some", 0.25), ("none", 0))
    }
    alone = {name: paired_difference(*two) for name, two in family.items()}
    found = differences.compare(family)
    assert list(found) == ["large", "some", "none"]
    assert [one.difference for one in found.values()] == list(alone.values())
    large, some, none = (one.p_value for one in alone.values())
    assert large < some < none
    expected = [3 * large, max(3 * large, 2 * some), max(2 * some, none)]
    assert [one.p_value for one in found.values()] == pytest.approx(expected)
    row = found["some"].columns("gain")
    assert row["gain"][:5] == alone["some"][:5]
    assert row[differences.P_VALUE] == pytest.approx(max(3 * large, 2 * some))
    assert found["large"].better() == HOLDS


def test_a_p_value_after_holm_takes_a_verdict_back():
    values = np.r_[np.full(22, 1.0), np.full(8, -1.0)] * 0.03
    alone = differences.compare({"one": (values, 0 * values)})
    many = {str(n): (values, 0 * values) for n in range(30)}
    assert alone["one"].better() == HOLDS
    assert {one.better() for one in differences.compare(many).values()} == {"not worse"}

"""Certified overlaps: against every adversary by brute force, and against an attack."""

import itertools

import numpy as np
import pytest
from scipy import stats

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.metrics import certified_overlap


def brute_force(values, distance, slack, number):
    """The fewest of the first top in any top that the values' intervals allow."""
    low = stats.norm.cdf(stats.norm.ppf(np.clip(values - slack, 0, 1)) - distance)
    high = stats.norm.cdf(stats.norm.ppf(np.clip(values + slack, 0, 1)) + distance)
    first = set(np.argsort(-values, kind="stable")[:number].tolist())
    least = number
    for chosen in itertools.combinations(range(len(values)), number):
        rest = [i for i in range(len(values)) if i not in chosen]
        # All of them can be on top if the lowest of their highest values is not below
        # the highest of the others' lowest ones.
        if not rest or high[list(chosen)].min() >= low[rest].max():
            least = min(least, len(first & set(chosen)))
    return least


@pytest.mark.parametrize("seed", range(6))
def test_equals_brute_force(seed):
    random = np.random.default_rng(seed)
    values = random.permutation(random.beta(0.5, 0.5, 9))
    radii = np.array([0.0, 0.05, 0.2, 0.5, 1.0, 3.0])
    for number in (1, 3, 5, 8, 9):
        found = certified_overlap(
            values.reshape(1, 3, 3, 1), 1.0, radii, 20_000, top=number
        )
        for rho, overlap in zip(radii, found.overlap[0]):
            expected = brute_force(values, rho, found.slack[0], number)
            assert overlap == expected, (number, rho)


def test_groups_take_the_place_of_values():
    labels = np.array([[0, 0, 1], [2, 2, 1]])
    maps = np.array([0.9, 0.5, 0.1])[labels][None, ..., None]
    found = certified_overlap(maps, 2.0, [0.0, 1.0], 10**6, labels, top=1)
    assert (found.values[0], found.top[0]) == (3, 1)
    assert found.slack[0] == pytest.approx(np.sqrt(np.log(6 / 0.05) / 2e6))
    assert found.overlap.tolist() == [[1, 1]]
    pixels = certified_overlap(maps, 2.0, [0.0, 1.0], 10**6, top=1)
    # Both pixels of the group are on top: neither of them for certain.
    assert pixels.values[0] == 6 and pixels.overlap.tolist() == [[0, 0]]
    assert pixels.slack[0] > found.slack[0]
    share = certified_overlap(maps, 2.0, [0.0], 10**6, labels, top=0.7)
    assert share.top[0] == 2


def test_by_hand_where_the_certificate_ends():
    # Two values 0.9 and 0.5, no slack to speak of: Φ⁻¹(0.9) = 1.2816 apart, each moves
    # by ρ/σ, so that they may change places from ρ = σ·1.2816/2 on.
    maps = np.array([[[0.9, 0.5]]])
    radii = np.array([0.60, 0.63, 0.65, 0.7]) * 3
    found = certified_overlap(maps, 3.0, radii, 10**9, top=1)
    assert found.overlap.tolist() == [[1, 1, 0, 0]]
    assert (certified_overlap(maps, 3.0, radii, 10, top=1).overlap == 0).all()


def test_no_attack_on_a_smoothed_step_does_better():
    # h_i = 1 where a_i·x > b_i: w_i(x) = Φ((a_i·x − b_i)/σ|a_i|), whose Φ⁻¹ is linear
    # in x: an attack along the difference of two of them meets the bound.
    random = np.random.default_rng(0)
    a = random.normal(size=(12, 5))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b, sigma = random.normal(size=12), 0.7

    def smoothed(x):
        return stats.norm.cdf((a @ x - b) / sigma)

    values = smoothed(np.zeros(5))
    radii = np.array([0.1, 0.3])
    found = certified_overlap(
        values.reshape(1, 3, 4, 1), sigma, radii, 10**12, top=4
    ).overlap[0]
    first = set(np.argsort(-values)[:4].tolist())
    for rho, certified in zip(radii, found):
        least = 4
        for i, j in itertools.permutations(range(12), 2):
            direction = a[i] - a[j]
            moved = smoothed(rho * direction / np.linalg.norm(direction))
            least = min(least, len(first & set(np.argsort(-moved)[:4].tolist())))
        assert certified <= least
    assert found[0] >= 2 and found[1] <= found[0]


def test_on_a_sparsified_map_and_its_picture():
    from tests.explainers.networks import classifier, photos

    images = photos(2)
    explainer = tss.SparsifiedSmoothGrad(
        classifier(), tss.SquareGrid(size=4), num_samples=200, order="sparsify_last",
        top_fraction=0.3, noise_level=0.3,
    )  # fmt: skip
    out = explainer(images)
    sigma = 0.3 * np.ptp(images, axis=(1, 2, 3))
    radii = sigma.mean() * np.array([0.0, 0.2, 1.0])
    found = certified_overlap(out["maps"], sigma, radii, 200, out["segments"], top=0.3)
    assert found.values.tolist() == [27, 27] and found.top.tolist() == [8, 8]
    assert (np.diff(found.overlap, axis=1) <= 0).all() and found.overlap[:, 0].max() > 0
    shares = found.overlap / found.top[:, None]
    ax = tss.plots.plot_certificate(
        radii, {"groups": shares}, tss.plots.new_figure().subplots()
    )
    np.testing.assert_allclose(ax.lines[0].get_ydata(), shares.mean(axis=0))


@pytest.mark.parametrize(
    "changed, error",
    [
        ({"maps": 2 * np.ones((1, 2, 2, 1))}, r"lie in \[0, 1\]"),
        ({"sigma": 0.0}, "sigma must be above 0"),
        ({"radii": [-1.0]}, "at least 0"),
        ({"num_samples": 0}, "num_samples must be at least 1"),
        ({"top": 0}, "top must be at least 1"),
        ({"confidence": 1.0}, "confidence must be below 1"),
        ({"segments": [[0, 0], [0, 0]]}, "constant in each group"),
    ],
)
def test_errors(changed, error):
    maps = np.array([[[[0.1], [0.2]], [[0.3], [0.4]]]])
    settings = {"maps": maps, "sigma": 1.0, "radii": [0.0], "num_samples": 10}
    with pytest.raises(ValueError, match=error):
        certified_overlap(**{**settings, **changed})

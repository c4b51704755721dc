from __future__ import annotations

import numpy as np
import pytest

from tests.reference import resampling as twin
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.metrics.bootstrap import resampled_means

DRAWS = 40_000


def assert_distributed(means, outcomes):
    """Resampled means have the probabilities of all outcomes, within 4.5 errors."""
    outcomes = [(round(mean, 9), chance) for mean, chance in outcomes]
    expected = {}
    for mean, chance in outcomes:
        expected[mean] = expected.get(mean, 0.0) + chance
    assert sum(expected.values()) == pytest.approx(1)
    values, counts = np.unique(np.round(means, 9), return_counts=True)
    assert set(values) <= set(expected)
    found = dict(zip(values, counts / len(means)))
    for mean, chance in expected.items():
        error = (chance * (1 - chance) / len(means)) ** 0.5
        assert abs(found.get(mean, 0.0) - chance) <= 4.5 * error


def labelled(groups):
    values = np.concatenate([np.array(group, float) for group in groups])
    return values, np.repeat(np.arange(len(groups)), [len(group) for group in groups])


@pytest.mark.parametrize(
    "groups", [[[1, 2, 4, 8]], [[1, 2, 4], [9, 16]], [[1], [2], [4, 5]]]
)
def test_clusters_then_values_are_drawn_as_the_twin_counts_them(groups):
    values, clusters = labelled(groups)
    order = np.random.default_rng(0).permutation(values.size)
    means = resampled_means(values[order], clusters[order], None, DRAWS, 0)
    assert_distributed(means, twin.nested(groups))


@pytest.mark.parametrize(
    "table", [[[1, 2, 4], [8, 16, 33]], [[1, None, 4], [None, None, 9]], [[1, 2, 5, 9]]]
)
def test_shared_images_are_drawn_as_the_twin_counts_them(table):
    cells = [
        (value, row, column)
        for row, values in enumerate(table)
        for column, value in enumerate(values)
        if value is not None
    ]
    values, rows, columns = map(np.array, zip(*cells))
    columns = np.unique(columns, return_inverse=True)[1]
    kept = [
        [row[j] for j in range(len(row)) if any(r[j] is not None for r in table)]
        for row in table
    ]
    means = resampled_means(values.astype(float), rows, columns, DRAWS, 0)
    assert_distributed(means, twin.crossed(kept))


@pytest.mark.parametrize("chunk", [4_000_000, 1000])
def test_values_without_clusters_are_drawn_as_the_twin_counts_them(monkeypatch, chunk):
    monkeypatch.setattr("tf_superpixel_saliency.metrics.bootstrap.CHUNK", chunk)
    values = np.array([1.0, 2.0, 4.0, 8.0])
    means = resampled_means(values, None, None, DRAWS, 0)
    assert_distributed(means, twin.nested([list(values)]))


def test_draws_in_chunks_are_drawn_alike(monkeypatch):
    monkeypatch.setattr("tf_superpixel_saliency.metrics.bootstrap.CHUNK", 1000)
    values, clusters = labelled([[1, 2, 4], [9, 16]])
    means = resampled_means(values, clusters, None, DRAWS, 0)
    assert_distributed(means, twin.nested([[1, 2, 4], [9, 16]]))
    images = np.array([0, 1, 2, 0, 1])
    means = resampled_means(values, clusters, images, DRAWS, 0)
    assert_distributed(means, twin.crossed([[1, 2, 4], [9, 16, None]]))


@pytest.mark.thorough
def test_the_interval_of_many_values_is_the_normal_one():
    values = np.random.default_rng(1).standard_normal(2000) + 3
    found = metrics.bootstrap_interval(values)
    half = 1.96 * values.std() / 2000**0.5
    assert found.mean == values.mean() and found.n == 2000
    np.testing.assert_allclose(
        found[1:3], [found.mean - half, found.mean + half], atol=2e-3
    )
    narrow = metrics.bootstrap_interval(values, level=0.5)
    assert found.low < narrow.low < narrow.mean < narrow.high < found.high


def test_an_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(2)
    samples = random.exponential(size=(400, 50))
    intervals = [metrics.bootstrap_interval(s, num_resamples=500) for s in samples]
    covered = np.mean([found.low <= 1 <= found.high for found in intervals])
    assert 0.88 < covered < 0.97  # 0.95 but for the skewness of 50 values


def test_clusters_widen_an_interval_that_they_matter_to():
    random = np.random.default_rng(3)
    images, pairs = random.standard_normal(200), random.standard_normal((8, 1))
    noise = random.standard_normal((8, 200)) / 10

    def width(values, **settings):
        found = metrics.bootstrap_interval(values, num_resamples=2000, **settings)
        return found.high - found.low

    rows = np.repeat(np.arange(8), 200)
    of_pairs, of_images = pairs + noise, images + noise
    plain = width(of_pairs.ravel())
    assert width(of_pairs.ravel(), clusters=rows) > 5 * plain
    # Images that are the same in all clusters vary together, and so count once.
    apart = width(of_images.ravel(), clusters=rows)
    together = width(of_images)
    assert together > 2 * apart
    assert together == pytest.approx(2 * 1.96 * images.std() / 200**0.5, rel=0.1)


def test_a_table_is_clusters_of_shared_images():
    random = np.random.default_rng(4)
    table = random.standard_normal((3, 20))
    table[1, 4] = np.nan
    rows, columns = np.indices(table.shape)
    found = metrics.bootstrap_interval(table)
    flat = metrics.bootstrap_interval(
        table.ravel(),
        clusters=np.array(["a", "b", "c"])[rows.ravel()],
        images=columns.ravel() + 100,
    )
    assert found == flat and (found.n, found.undefined) == (59, 1)


def test_values_that_are_nan_are_left_out_and_counted():
    values = np.random.default_rng(5).standard_normal(30)
    with_nan = np.insert(values, [0, 7, 30], np.nan)
    found, expected = map(metrics.bootstrap_interval, (with_nan, values))
    assert found[:4] == expected[:4]
    assert (found.n, found.undefined, expected.undefined) == (30, 3, 0)
    clusters = np.r_[9, np.arange(30) // 10]
    found = metrics.bootstrap_interval(np.r_[np.nan, values], clusters)
    assert found[:4] == metrics.bootstrap_interval(values, clusters[1:])[:4]


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [0.5], [np.nan, 0.5]])
def test_fewer_than_two_values_have_no_interval(values):
    found = metrics.bootstrap_interval(values)
    assert np.isnan([found.low, found.high]).all()
    assert found.n == np.sum(~np.isnan(values))
    assert np.isnan(found.mean) if found.n == 0 else found.mean == 0.5
    assert np.isnan(metrics.paired_difference(values, values).p_value)


def test_the_seed_decides():
    values = np.random.default_rng(6).standard_normal(40)
    first = metrics.bootstrap_interval(values, num_resamples=200)
    assert first == metrics.bootstrap_interval(values, num_resamples=200)
    assert first != metrics.bootstrap_interval(values, num_resamples=200, seed=1)
    constant = metrics.bootstrap_interval(np.full(5, 0.25))
    assert constant[:3] == (0.25, 0.25, 0.25)


def test_a_difference_is_the_interval_of_what_it_pairs():
    random = np.random.default_rng(7)
    b = 10 * random.standard_normal(100)
    a = b + 0.1 + 0.1 * random.standard_normal(100)
    found = metrics.paired_difference(a, b)
    assert found[:5] == metrics.bootstrap_interval(a - b)
    assert found.low > 0 and found.p_value == 2 / 10_001
    turned = metrics.paired_difference(b, a)
    np.testing.assert_allclose(turned[:3], [-found.mean, -found.high, -found.low])
    assert turned.p_value == found.p_value
    a[3], b[4] = np.nan, np.nan
    found = metrics.paired_difference(a, b)
    assert (found.n, found.undefined) == (98, 2)


def test_a_p_value_by_hand():
    # Differences −1 and 3: means −1, 1, 1 and 3, a quarter of them at or below 0.
    found = metrics.paired_difference([0, 3], [1, 0], num_resamples=DRAWS)
    assert found.p_value == pytest.approx(0.5, abs=0.02)
    assert metrics.paired_difference([1, 2, 3], [1, 2, 3]).p_value == 1


def test_p_values_of_no_difference_are_uniform():
    random = np.random.default_rng(8)
    p_values = [
        metrics.paired_difference(*random.standard_normal((2, 40)), num_resamples=400)[
            -1
        ]
        for _ in range(400)
    ]
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09
    assert 0.42 < np.mean(p_values) < 0.58


def test_bad_input_is_refused():
    interval = metrics.bootstrap_interval
    with pytest.raises(ValueError, match="infinite"):
        interval([1.0, np.inf])
    with pytest.raises(ValueError, match=r"clusters must have the shape .*\(3,\)"):
        interval([1, 2, 3], clusters=[0, 1])
    with pytest.raises(ValueError, match="level must be below 1"):
        interval([1, 2, 3], level=95)
    with pytest.raises(ValueError, match="level must be a number above 0"):
        interval([1, 2, 3], level=0)
    with pytest.raises(ValueError, match="num_resamples must be at least 1"):
        interval([1, 2, 3], num_resamples=0)
    with pytest.raises(ValueError, match=r"one shape, but got \(2,\) and \(3,\)"):
        metrics.paired_difference([1, 2], [1, 2, 3])


def test_a_pooled_interval_of_one_condition_is_students():
    from scipy import stats

    values = np.random.default_rng(0).normal(size=(1, 5))
    found = metrics.pooled_interval(values, level=0.9)
    wanted = stats.ttest_1samp(values[0], 0).confidence_interval(0.9)
    np.testing.assert_allclose(found[1:3], wanted, rtol=1e-12)
    assert (found.mean, found.n) == (pytest.approx(values.mean()), 5)


def test_what_sets_conditions_apart_does_not_widen_a_pooled_interval():
    values = np.random.default_rng(1).normal(size=(5, 3))
    narrow = metrics.pooled_interval(values)
    far_apart = metrics.pooled_interval(values + 100 * np.arange(5)[:, None])
    assert far_apart.high - far_apart.low == pytest.approx(narrow.high - narrow.low)
    assert far_apart.mean == pytest.approx(narrow.mean + 200)


def test_a_pooled_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(2)
    means = np.arange(5.0)[:, None]
    found = [
        metrics.pooled_interval(means + rng.normal(size=(5, 3))) for _ in range(2000)
    ]
    covered = np.mean([one.low < 2 < one.high for one in found])
    assert abs(covered - 0.95) < 4 * (0.95 * 0.05 / 2000) ** 0.5


def test_a_pooled_interval_of_single_values_is_not_made_up():
    found = metrics.pooled_interval([[1.0], [3.0]])
    assert found.mean == 2 and np.isnan(found.low) and np.isnan(found.high)


@pytest.mark.parametrize(
    "values, message",
    [
        ([1.0, 2.0], "shape"),
        (np.zeros((0, 3)), "empty"),
        ([[1.0, np.nan]], "finite"),
    ],
)
def test_a_pooled_interval_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        metrics.pooled_interval(values)

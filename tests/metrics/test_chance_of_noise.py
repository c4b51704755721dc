from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.metrics.partitions import quadtree, squares
from tf_superpixel_saliency import metrics

MEASURES = {
    "ssim": metrics.structural_similarity,
    "gaussian": functools.partial(metrics.structural_similarity, window="gaussian"),
    "signed cosine": metrics.cosine_similarity,
    "cosine": functools.partial(metrics.cosine_similarity, signed=False),
    "rank": metrics.rank_correlation,
    "signed rank": functools.partial(metrics.rank_correlation, signed=True),
    "distance": metrics.l2_distance,
    "unit distance": functools.partial(metrics.l2_distance, normalized=True),
}
PARTITIONS = ["pixel", "square", "random", "quadtree"]
IMAGES, SIZE = 40, 32


def perfect(name):
    return 0.0 if "distance" in name else 1.0


def partition(name, random):
    """Segments of IMAGES images, some 64 groups each but for 'quadtree'."""
    if name == "pixel":
        return None
    if name == "square":
        return squares(SIZE, 4)
    if name == "random":
        return random.integers(0, 64, (IMAGES, SIZE, SIZE))
    return np.stack([quadtree(SIZE, random) for _ in range(IMAGES)])


def standard_errors(values):
    """The mean in units of its standard error."""
    return values.mean() / (values.std(ddof=1) / len(values) ** 0.5)


@pytest.mark.cases(2)
@pytest.mark.parametrize("groups", PARTITIONS)
@pytest.mark.parametrize("name", MEASURES)
def test_white_noise_has_an_excess_of_zero(name, groups):
    random = np.random.default_rng([3, PARTITIONS.index(groups), *name.encode()])
    a, b = random.standard_normal((2, IMAGES, SIZE, SIZE, 3)).astype(np.float32)
    segments = partition(groups, random)
    found = metrics.chance_corrected(
        MEASURES[name], a, b, segments, num_seeds=10, perfect=perfect(name)
    )
    assert abs(standard_errors(found.excess)) < 2.5
    if name == "ssim" and groups == "quadtree":
        assert 0.4 < found.observed.mean() < 0.5  # noise agrees by its groups alone
    # Neither way of finding chance is off by itself.
    for chance in (found.chance_shuffled, found.chance_other):
        assert abs(standard_errors(found.observed - chance)) < 2.5


@pytest.mark.cases(2)
@pytest.mark.parametrize("groups", PARTITIONS)
@pytest.mark.parametrize("name", MEASURES)
def test_what_two_maps_share_shows_as_an_excess(name, groups):
    random = np.random.default_rng([4, PARTITIONS.index(groups)])
    a, b, both = random.standard_normal((3, IMAGES, SIZE, SIZE, 3)).astype(np.float32)
    segments = partition(groups, random)
    found = metrics.chance_corrected(
        MEASURES[name],
        a + 2 * both,
        b + 2 * both,
        segments,
        num_seeds=4,
        perfect=perfect(name),
    )
    assert standard_errors(found.excess) > 5
    assert 0 < found.excess.mean() < 1


@pytest.mark.cases(2)
@pytest.mark.parametrize("groups", PARTITIONS)
@pytest.mark.parametrize("name", MEASURES)
def test_equal_maps_have_an_excess_of_one(name, groups):
    random = np.random.default_rng(6)
    maps = random.standard_normal((IMAGES, SIZE, SIZE, 2))
    segments = partition(groups, random)
    found = metrics.chance_corrected(
        MEASURES[name], maps, maps, segments, num_seeds=1, perfect=perfect(name)
    )
    np.testing.assert_allclose(found.observed, perfect(name), atol=1e-12)
    np.testing.assert_allclose(found.excess, 1, atol=1e-12)

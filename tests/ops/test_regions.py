import numpy as np
import pytest
import tensorflow as tf

from tests.reference import groups
from tests.reference import xrai as reference
from tf_superpixel_saliency.ops.regions import rank_regions

SIZE = (13, 10)


def rank(values, partitions, min_pixels=1, algorithm="full", dilation=0, xla=False):
    settings = {"min_pixels": min_pixels, "dilation": dilation, "algorithm": algorithm}
    function = tf.function(
        lambda v, p: rank_regions(v, p, **settings), jit_compile=xla, autograph=False
    )
    gains, pieces = function(
        tf.constant(values, tf.float32), tf.constant(partitions, tf.int32)
    )
    return gains.numpy(), pieces.numpy()


def partitions(count, seed=0):
    """Blocks of several sizes, some of their pixels swapped to others."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(SIZE)
    result = []
    for size in range(2, 2 + count):
        labels = rows // size * 5 + columns // (size + 1)
        wild = rng.random(SIZE) < 0.1
        result.append(np.where(wild, rng.permutation(labels.ravel())[labels], labels))
    return groups.number(np.stack(result))


VALUES = np.random.default_rng(5).standard_normal(SIZE).astype("float32")


@pytest.mark.cases(2)
@pytest.mark.parametrize("algorithm", ["full", "fast"])
@pytest.mark.parametrize("min_pixels", [1, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_it_equals_the_twin(count, min_pixels, algorithm, xla):
    regions = partitions(count)
    gains, pieces = rank(VALUES, regions, min_pixels, algorithm, xla=xla)
    expected, order = reference.rank(VALUES, regions, min_pixels, algorithm)
    np.testing.assert_allclose(gains, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(pieces, groups.number(order[None])[0])


@pytest.mark.cases(2)
@pytest.mark.parametrize("algorithm", ["full", "fast"])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("count", [1, 2])
def test_dilated_regions_equal_the_twins(count, dilation, algorithm, xla):
    # Rectangles of 4×5 pixels and more: a disk touches four at most.
    rows, columns = np.indices(SIZE)
    regions = [rows // (4 + i) * 5 + columns // (5 + 2 * i) for i in range(count)]
    regions = groups.number(np.stack(regions))
    gains, pieces = rank(VALUES, regions, 2, algorithm, dilation, xla)
    expected, order = reference.rank(VALUES, regions, 2, algorithm, dilation)
    np.testing.assert_allclose(gains, expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(pieces, groups.number(order[None])[0])


def test_of_many_regions_the_nearest_are_dilated_to_a_pixel():
    # Of 25 pixels of their own, within 2 pixels of the middle are 13; it belongs to
    # eight: itself, its four neighbours, and the first three at a distance of √2.
    values = np.arange(25.0).reshape(5, 5)
    gains, pieces = rank(values, np.arange(25).reshape(1, 5, 5), dilation=2)
    assert np.isfinite(gains).all()
    np.testing.assert_allclose(gains.sum(), values.sum())
    assert 1 < pieces.max() + 1 < 25


def test_a_case_solved_by_hand():
    # Halves, and the middle two of four: the left half has the mean 2, the middle 2.5.
    values = [[1.0, 3.0, 2.0, -2.0]]
    halves, middle = [[0, 0, 1, 1]], [[0, 1, 1, 0]]
    gains, pieces = rank(values, [halves, middle])
    # First the middle; then of the left half 1 is left, of the right −2, and of the
    # second partition's other region both, −0.5.
    np.testing.assert_array_equal(gains, [[1.0, 2.5, 2.5, -2.0]])
    np.testing.assert_array_equal(pieces, [[0, 1, 1, 2]])
    # Regions must add two pixels: the outer two do, the halves no longer.
    gains, pieces = rank(values, [halves, middle], min_pixels=2)
    np.testing.assert_array_equal(gains, [[-0.5, 2.5, 2.5, -0.5]])
    np.testing.assert_array_equal(pieces, [[0, 1, 1, 0]])
    # None adds three: all is left, with its mean.
    gains, pieces = rank(values, [halves, middle], min_pixels=3)
    np.testing.assert_array_equal(gains, np.ones((1, 4)))
    np.testing.assert_array_equal(pieces, np.zeros((1, 4)))


def test_full_and_fast_differ_where_what_is_left_of_a_region_is_better():
    values = [[21.0, -1.0, 6.0, 4.0, -30.0]]
    regions = [[[0, 0, 1, 1, 2]], [[0, 1, 1, 2, 0]]]
    # Means 10, 5, −30 and −4.5, 2.5, 4. Of the region {1, 2} of mean 2.5, after the
    # one of mean 10 the 6 is left, which goes before the 5 of {2, 3}, or doesn't.
    full, _ = rank(values, regions)
    fast, _ = rank(values, regions, algorithm="fast")
    np.testing.assert_array_equal(full, [[10.0, 10.0, 6.0, 4.0, -30.0]])
    np.testing.assert_array_equal(fast, [[10.0, 10.0, 5.0, 5.0, -30.0]])


@pytest.mark.parametrize("algorithm", ["full", "fast"])
def test_the_sum_is_kept(algorithm):
    gains, _ = rank(VALUES, partitions(3), 5, algorithm)
    np.testing.assert_allclose(gains.sum(), VALUES.sum(), rtol=1e-5, atol=1e-5)


def test_of_equal_regions_the_first_is_added_first():
    # All gains are 1: the whole image comes in one piece, the first partition's first.
    regions = [[[0, 0, 1, 1]], [[0, 1, 1, 1]]]
    gains, pieces = rank(np.ones((1, 4)), regions)
    np.testing.assert_array_equal(gains, np.ones((1, 4)))
    np.testing.assert_array_equal(pieces, [[0, 0, 1, 1]])


def test_one_pixel_regions_leave_the_values_and_one_region_the_mean():
    pixels = np.arange(VALUES.size).reshape(1, *SIZE)
    np.testing.assert_array_equal(rank(VALUES, pixels)[0], VALUES)
    whole = np.zeros((2, *SIZE), int)
    np.testing.assert_allclose(rank(VALUES, whole)[0], VALUES.mean(), rtol=1e-5)

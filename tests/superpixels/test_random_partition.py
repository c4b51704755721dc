"""RandomPartition against Philox in Python's integers, and what it promises."""

import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from tests.reference import groups
from tests.reference import random_partition as reference
from tf_superpixel_saliency.superpixels.felzenszwalb import Felzenszwalb
from tf_superpixel_saliency.superpixels.random_partition import RandomPartition
from tf_superpixel_saliency.superpixels.square_grid import SquareGrid

SEEDS = [0, 1, 2**40 + 5, -(2**63), 2**63 - 1]


def blank(height, width, batch=1):
    return np.zeros((batch, height, width, 1), np.float32)


def photos():
    return np.stack([data.astronaut()[90:130, 200:252], data.coffee()[100:140, :52]])


def sizes(labels):
    return sorted(np.unique(labels, return_counts=True)[1].tolist())


@pytest.fixture(params=[None, False, True], ids=["eager", "graph", "xla"])
def run(request):
    def call(layer, images):
        if request.param is None:
            return layer(images).numpy()
        images = tf.constant(images)
        spec = tf.TensorSpec([None, None, None, images.shape[-1]], images.dtype)
        function = tf.function(
            layer.__call__, jit_compile=request.param, input_signature=[spec]
        )
        return function(images).numpy()

    return call


@pytest.mark.cases(2)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("height, width, count", [(1, 1, 1), (5, 7, 9), (20, 31, 100)])
def test_independent_labels_equal_the_twins(run, seed, height, width, count):
    segments = run(RandomPartition(count, seed=seed), blank(height, width, 2))
    expected = reference.independent(seed, count, height, width)
    np.testing.assert_array_equal(segments, groups.number([expected, expected]))


@pytest.mark.cases(2)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("height, width, count", [(1, 1, 1), (5, 7, 9), (20, 31, 100)])
def test_shuffled_labels_equal_the_twins(run, seed, height, width, count):
    layer = RandomPartition(count, mode="permutation", seed=seed)
    segments = run(layer, blank(height, width, 2))
    equal = np.arange(height * width) * count // (height * width)
    expected = reference.shuffled(seed, equal.reshape(height, width))
    np.testing.assert_array_equal(segments, groups.number([expected, expected]))


def test_shuffled_labels_of_another_layer_equal_the_twins(run):
    like = SquareGrid(6)
    segments = run(RandomPartition(like=like, mode="permutation", seed=3), photos())
    expected = [reference.shuffled(3, labels) for labels in like(photos()).numpy()]
    np.testing.assert_array_equal(segments, groups.number(expected))


def test_independent_labels_take_the_number_of_each_image():
    like = Felzenszwalb()
    wanted = like(photos()).numpy().max(axis=(1, 2)) + 1
    assert wanted[0] != wanted[1]
    segments = RandomPartition(like=like, seed=4)(photos())
    expected = [reference.independent(4, int(p), 40, 52) for p in wanted]
    np.testing.assert_array_equal(segments, groups.number(expected))


def test_a_permutation_keeps_the_sizes():
    like = Felzenszwalb()
    segments = RandomPartition(like=like, mode="permutation")(photos()).numpy()
    for one, other in zip(segments, like(photos()).numpy()):
        assert sizes(one) == sizes(other)
        assert (one != other).any()


def test_a_permutation_without_like_has_equal_sizes():
    segments = RandomPartition(13, mode="permutation")(blank(20, 31)).numpy()
    assert sizes(segments) == [47] * 4 + [48] * 9


@pytest.mark.parametrize("mode", ["iid", "permutation"])
def test_degenerate_numbers_of_groups(mode):
    assert not RandomPartition(1, mode=mode)(blank(6, 7)).numpy().any()
    if mode == "permutation":
        each = RandomPartition(42, mode=mode)(blank(6, 7)).numpy()
        np.testing.assert_array_equal(each.ravel(), np.arange(42))


@pytest.mark.parametrize("mode", ["iid", "permutation"])
def test_neither_batch_nor_place_matters(mode):
    layer = RandomPartition(like=Felzenszwalb(), mode=mode, seed=9)
    again = RandomPartition(like=Felzenszwalb(), mode=mode, seed=9)
    alone = [layer(image[None]).numpy()[0] for image in photos()]
    order = [1, 0, 0, 1, 1]
    together = again(photos()[order]).numpy()
    np.testing.assert_array_equal(together, [alone[index] for index in order])


@pytest.mark.parametrize("mode", ["iid", "permutation"])
def test_another_seed_gives_another_partition(mode):
    one, other = (
        RandomPartition(50, mode=mode, seed=seed)(blank(40, 40)).numpy()
        for seed in (0, 1)
    )
    assert (one != other).mean() > 0.9


def test_independent_labels_are_uniform_and_independent():
    # Some 4096 words in 16 bins: χ² with 15 degrees of freedom, and the pairs of
    # neighbours with 255; both below their upper 0.1 % points. The seed is fixed.
    labels = RandomPartition(16, seed=7)(blank(64, 64)).numpy().ravel()
    counts = np.bincount(labels, minlength=16)
    assert ((counts - 256) ** 2 / 256).sum() < 37.7
    pairs = np.bincount(labels[::2] * 16 + labels[1::2], minlength=256)
    assert ((pairs - 8) ** 2 / 8).sum() < 330.5


def test_empty_groups_are_left_out():
    segments = RandomPartition(400, seed=0)(blank(20, 20)).numpy()
    p = segments.max() + 1
    # 400·(1 − 1/e) are expected, with a standard deviation of 6.2.
    assert abs(p - 252.8) < 4 * 6.2
    np.testing.assert_array_equal(np.unique(segments), np.arange(p))


@pytest.mark.parametrize("value", [0, -3, 2.5, "4", True])
def test_numbers_that_make_no_sense_are_errors(value):
    with pytest.raises(ValueError, match="n_segments must be a whole number"):
        RandomPartition(value)


@pytest.mark.parametrize("seed", [1.5, None, "0", 2**63, -(2**63) - 1])
def test_seeds_that_make_no_sense_are_errors(seed):
    with pytest.raises(ValueError, match="RandomPartition: seed must"):
        RandomPartition(5, seed=seed)


def test_an_unknown_mode_is_an_error():
    with pytest.raises(ValueError, match="one of 'iid', 'permutation', but got 'x'"):
        RandomPartition(5, mode="x")


def test_exactly_one_is_to_be_given():
    with pytest.raises(ValueError, match=r"exactly one of .*but got none"):
        RandomPartition()
    with pytest.raises(ValueError, match="but got n_segments and like"):
        RandomPartition(5, like=Felzenszwalb())


@pytest.mark.parametrize("mode", ["iid", "permutation"])
def test_more_segments_than_pixels_are_an_error(mode):
    layer = RandomPartition(21, mode=mode)
    with pytest.raises(ValueError, match="n_segments=21 is more than the image has"):
        layer(blank(4, 5))
    graph = tf.function(
        layer.__call__, input_signature=[tf.TensorSpec([None, None, None, 1])]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="n_segments=21 is more"):
        graph(blank(4, 5))

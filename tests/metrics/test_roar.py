"""ROAR on data whose answer is known, its masks and its controls against twins."""

import numpy as np
import pytest

from tests.reference import roar as reference
from tf_superpixel_saliency.metrics.ranking import random_arrangements
from tf_superpixel_saliency.metrics.roar import (
    random_order_maps,
    remove_top,
    roar,
    sobel_maps,
    top_masks,
)

SHAPE = (3, 5, 6, 2)
RNG = np.random.default_rng(0)
IMAGES = RNG.random(SHAPE).astype(np.float32)
TIED = RNG.integers(-2, 3, SHAPE).astype(np.float32)


@pytest.mark.parametrize("rank", ["absolute", "signed"])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.5, 1.0])
def test_removal_equals_the_twin(rank, fraction):
    fill = np.array([0.25, 9.0], np.float32)
    found = remove_top(IMAGES, TIED, fraction, fill=fill, rank=rank, seed=6)
    masks = top_masks(TIED, SHAPE, fraction, rank=rank, seed=6)
    (arrangement,) = random_arrangements(30, 1, 6)
    for number in range(3):
        pair = IMAGES[number], TIED[number]
        image, mask = reference.remove_top(*pair, fraction, fill, arrangement, rank)
        np.testing.assert_array_equal(found[number], image)
        np.testing.assert_array_equal(masks[number], mask)


def test_removal_by_hand():
    image = np.arange(4.0).reshape(1, 1, 4, 1) + 10
    maps = np.array([[[1.0, -9.0, 3.0, 2.0]]])
    found = remove_top(image, maps, 0.5, fill=[0.0])
    assert found.dtype == np.float32
    assert found.ravel().tolist() == [10, 0, 0, 13]
    found = remove_top(image, maps, 0.5, fill=[0.0], rank="signed")
    assert found.ravel().tolist() == [10, 11, 0, 0]
    labels = np.array([[0, 0, 1, 0]])  # 1·√3 and 3·√1: slivers no longer come first
    found = remove_top(image, [[[2.0] * 2 + [3.0, 2.0]]], 0.75, fill=[0.0],
                       rank="scaled", segments=labels)  # fmt: skip
    assert found.ravel().tolist() == [0, 0, 12, 0]


def nearest_mean(train_images, train_labels, test_images, test_labels, seed):
    """Test accuracy of the classifier by the nearest class mean."""
    classes = np.unique(train_labels)
    means = np.stack([train_images[train_labels == c].mean(axis=0) for c in classes])
    distances = ((test_images[:, None] - means) ** 2).sum(axis=(2, 3, 4))
    return np.mean(classes[distances.argmin(axis=1)] == test_labels)


def one_pixel_data(count, seed):
    """Two classes that differ in one pixel, and the map of that pixel."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.normal(100, 1, (count, 4, 5, 1))
    images[:, 1, 2, 0] += 100 * labels
    maps = np.zeros((count, 4, 5))
    maps[:, 1, 2] = 1
    return images, labels, maps


def run(train, test, maps=None, **arguments):
    (images, labels, truth), (others, other_labels, other_truth) = train, test
    pair = (truth, other_truth) if maps is None else maps
    return roar(
        nearest_mean,
        images,
        labels,
        pair[0],
        others,
        other_labels,
        pair[1],
        **arguments,
    )


def test_the_truth_falls_to_chance_at_once_and_its_negative_never_before_the_end():
    train, test = one_pixel_data(80, 0), one_pixel_data(60, 1)
    found = run(train, test, fractions=[0.0, 0.05, 0.5])
    assert found.fractions.tolist() == [0, 0.05, 0.5]
    assert found.accuracies.shape == (3, 3)
    assert (found.accuracies[0] == 1).all()
    assert (np.abs(found.accuracies[1:] - 0.5) < 0.25).all()
    maps = (1 - train[2], 1 - test[2])
    late = run(train, test, maps, fractions=[0.5, 0.95, 1.0]).accuracies
    assert (late[:2] == 1).all() and (late[2] == 0.5).all()


def test_random_orders_fall_in_between():
    train, test = one_pixel_data(80, 0), one_pixel_data(60, 1)
    maps = random_order_maps(train[0], 0), random_order_maps(test[0], 1)
    found = run(train, test, maps, fractions=[0.5]).accuracies
    # Half of the test images keep the pixel; the others are mid-way between classes.
    assert (found > 0.6).all() and (found < 0.95).all()


def test_masks_alone_tell_a_class_only_where_they_leak_it():
    train, test = one_pixel_data(80, 0), one_pixel_data(60, 1)
    same = run(train, test, fractions=[0.05], masks_only=True).accuracies
    assert (same == 0.5).all()  # the same mask for both classes
    leaking = []
    for _, labels, truth in (train, test):
        maps = truth.copy()
        maps[labels == 1] = maps[labels == 1, ::-1]
        leaking.append(maps)
    found = run(train, test, leaking, fractions=[0.05], masks_only=True).accuracies
    assert (found == 1).all()


def test_what_is_trained_on():
    seen = []

    def record(train_images, train_labels, test_images, test_labels, seed):
        seen.append((train_images, test_images, seed))
        assert train_labels is labels and test_labels is labels
        return 0.5

    labels = np.arange(3)
    arguments = (IMAGES, labels, TIED, IMAGES * 2, labels, -TIED)
    roar(record, *arguments, fractions=[0.4], num_seeds=2, seed=5)
    mean = IMAGES.mean(axis=(0, 1, 2), dtype=np.float64)  # of the training images
    for (train, test, seed), number in zip(seen, (5, 6)):
        assert seed == number
        np.testing.assert_array_equal(
            train, remove_top(IMAGES, TIED, 0.4, fill=mean, seed=number)
        )
        np.testing.assert_array_equal(
            test, remove_top(IMAGES * 2, -TIED, 0.4, fill=mean, seed=number)
        )
    roar(record, *arguments, fractions=[0.4], num_seeds=1, masks_only=True)
    masks = top_masks(TIED, SHAPE, 0.4)
    expected = np.repeat(255.0 * ~masks[..., None], 2, axis=-1)
    np.testing.assert_array_equal(seen[-1][0], expected)


def test_a_run_is_taken_up_where_it_was_stopped():
    train, test = one_pixel_data(10, 0), one_pixel_data(10, 1)
    calls = []

    def scored(*arguments):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(arguments[-1])
        return len(calls) / 10

    def again(cache):
        return roar(
            scored, *train, *test, fractions=[0.1, 0.3], num_seeds=3, cache=cache
        )

    cache = {}
    with pytest.raises(KeyboardInterrupt):
        again(cache)
    assert cache == {(0.1, 0): 0.1, (0.1, 1): 0.2, (0.1, 2): 0.3, (0.3, 0): 0.4}
    del calls[1:]
    found = again(cache)
    assert calls == [0, 1, 2]
    np.testing.assert_array_equal(found.accuracies, [[0.1, 0.2, 0.3], [0.4, 0.2, 0.3]])
    assert again(cache).accuracies.tolist() == found.accuracies.tolist()
    assert len(calls) == 3


def test_random_orders_have_no_ties_and_are_each_image_s_own():
    maps = random_order_maps(IMAGES, 3)
    assert maps.shape == SHAPE[:3]
    for image in maps:
        assert len(np.unique(image)) == 30
    assert (maps[0] != maps[1]).all()
    np.testing.assert_array_equal(random_order_maps(IMAGES[:1], 3), maps[:1])
    assert (random_order_maps(IMAGES, 4) != maps).all()


def test_sobel_equals_the_twin_and_cases_by_hand():
    expected = [reference.sobel(image.astype(float)) for image in IMAGES]
    np.testing.assert_allclose(sobel_maps(IMAGES), expected, rtol=1e-12)
    step = np.zeros((1, 4, 6, 1))
    step[:, :, 3:] = 2
    rows = sobel_maps(step)[0]
    np.testing.assert_allclose(rows, [[0, 0, 8, 8, 0, 0]] * 4)
    assert not sobel_maps(np.full((1, 3, 3, 2), 9.0)).any()


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"fractions": [1.1]}, "fraction must be a number in"),
        ({"num_seeds": 0}, "num_seeds must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"rank": "scaled"}, "rank must be one of"),
        ({"ties": "map"}, "ties must be one of"),
        ({"maps": (TIED, TIED[:1])}, "maps must have shape"),
    ],
)
def test_wrong_arguments_are_refused_before_any_training(arguments, text):
    data = one_pixel_data(4, 0)
    if "maps" in arguments:
        data = (IMAGES, np.arange(3), TIED)
    with pytest.raises(ValueError, match=text):
        run(data, data, **arguments)


@pytest.mark.parametrize("value", [float("nan"), 55.0, -0.1])
def test_an_accuracy_that_is_none_is_refused(value):
    data = one_pixel_data(4, 0)
    with pytest.raises(ValueError, match="accuracy must be a number in"):
        roar(lambda *_: value, *data, *data)

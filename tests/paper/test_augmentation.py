"""Crops and flips against a slow twin, and batches that come again alike."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import augmentation as reference
from tf_superpixel_saliency.paper import augmentation
from tf_superpixel_saliency.paper.plan import NetworkPlan

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(1, 256, (30, 7, 9, 3)).astype(np.uint8)
LABELS = np.arange(30, dtype=np.int32)
PLAN = NetworkPlan(np.arange(3, 26), 0, 5)


def batches(plan=PLAN, epoch=0, batch_size=10):
    data = augmentation.epoch_batches(
        tf.constant(IMAGES), tf.constant(LABELS), plan, epoch, batch_size
    )
    return [(x.numpy(), y.numpy()) for x, y in data]


def test_crops_and_flips_are_those_of_the_twin():
    corners = RNG.integers(0, 9, (30, 2)).astype(np.int32)
    corners[:4] = [[0, 0], [8, 8], [0, 8], [4, 4]]
    flips = RNG.integers(0, 2, 30).astype(bool)
    np.testing.assert_array_equal(
        augmentation.flip_and_crop(IMAGES, corners, flips),
        reference.flip_and_crop(IMAGES, corners, flips, augmentation.MARGIN),
    )


def test_the_middle_is_the_image_itself():
    corners = np.full((30, 2), augmentation.MARGIN, np.int32)
    plain = augmentation.flip_and_crop(IMAGES, corners, np.zeros(30, bool))
    np.testing.assert_array_equal(plain, IMAGES)
    mirrored = augmentation.flip_and_crop(IMAGES, corners, np.ones(30, bool))
    np.testing.assert_array_equal(mirrored, IMAGES[:, :, ::-1])


def test_an_epoch_shows_every_image_of_the_plan_once():
    found = batches()
    assert [len(y) for _, y in found] == [10, 10, 3]
    labels = np.concatenate([y for _, y in found])
    assert sorted(labels) == list(range(3, 26))
    assert found[0][0].dtype == np.float32
    for images, labels in found:  # each image is one of the cuts of its own
        for image, label in zip(images, labels):
            seen = set(np.unique(image)) - {0}
            assert seen <= set(np.unique(IMAGES[label]))


@pytest.mark.parametrize(
    "other", [{}, {"epoch": 1}, {"plan": PLAN._replace(order_seed=6)}]
)
def test_the_order_follows_from_seed_and_epoch(other):
    one, two = batches(), batches(**other)
    same = all(
        np.array_equal(x, v) and np.array_equal(y, w)
        for (x, y), (v, w) in zip(one, two)
    )
    assert same == (not other)


def test_flips_and_corners_are_all_drawn():
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 4] = 1  # the middle is in every cut
    image[4, 3] = 2
    images = tf.constant(np.stack([image] * 2000))
    plan = NetworkPlan(np.arange(2000), 0, 1)
    data = augmentation.epoch_batches(images, tf.zeros(2000, tf.int32), plan, 0, 2000)
    cuts = next(iter(data))[0].numpy()[..., 0]
    places, counts = np.unique(np.argwhere(cuts == 1)[:, 1:], axis=0, return_counts=1)
    assert len(places) == 81
    assert counts.sum() == 2000
    assert counts.max() < 60  # 25 on average
    inside = (cuts[..., 1:-1] == 1).any(axis=(1, 2))
    plain = ((cuts[..., 1:] == 1) & (cuts[..., :-1] == 2)).any(axis=(1, 2))
    assert 0.45 < plain[inside].mean() < 0.55

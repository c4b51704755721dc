"""Partitions and controls, and pixel maps blurred as much."""

import numpy as np
import pytest

from tests.evaluation.networks import photos
from tf_superpixel_saliency.evaluation import blur
from tf_superpixel_saliency.evaluation import partitions as parts
from tf_superpixel_saliency.evaluation.agreement import grouped_maps
from tf_superpixel_saliency.superpixels import SLIC


@pytest.mark.thorough
def test_controls_have_as_many_groups_as_the_super_pixels():
    images = photos(2)
    layer = SLIC(n_segments=16)
    own = parts.superpixel_partition(layer).segments(images)
    wanted = parts.group_counts(own, images)
    found = parts.controls(layer, num_seeds=2)
    names = [partition.name for partition in found]
    assert names == [
        "pixel",
        "square",
        "random",
        "random",
        "permutation",
        "permutation",
        "one group",
    ]
    assert [p.seed for p in found] == [0, 0, 0, 1, 0, 1, 0]
    for partition in found:
        labels = partition.segments(images)
        counts = parts.group_counts(labels, images)
        if partition.name == "pixel":
            assert labels is None and counts.tolist() == [576, 576]
        elif partition.name == "one group":
            assert counts.tolist() == [1, 1]
        elif partition.name == "permutation":
            for one, other in zip(labels, own):
                sizes = np.sort(np.bincount(one.ravel()))
                np.testing.assert_array_equal(
                    sizes, np.sort(np.bincount(other.ravel()))
                )
        else:
            np.testing.assert_allclose(counts, wanted, rtol=0.15)


def test_unknown_controls_are_named():
    with pytest.raises(ValueError, match=r"'circles'.*square"):
        parts.controls(SLIC(n_segments=4), ("circles",))


@pytest.mark.thorough
def test_blurring_leaves_as_much_energy_as_grouping():
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((3, 24, 24, 2)).astype(np.float32)
    segments = parts.superpixel_partition(SLIC(n_segments=30)).segments(photos(3))
    grouped = grouped_maps(maps, segments)
    sigmas = blur.matched_sigmas(maps, grouped)
    blurred = blur.gaussian_blur(maps, sigmas)
    energy = (blurred**2).sum((1, 2, 3)) / (grouped**2).sum((1, 2, 3))
    np.testing.assert_allclose(energy, 1, atol=0.05)
    assert (sigmas > 0.3).all()


def test_nothing_is_blurred_where_grouping_takes_nothing():
    maps = np.random.default_rng(1).standard_normal((1, 12, 12, 1))
    assert blur.matched_sigmas(maps, maps)[0] == 0
    np.testing.assert_array_equal(blur.gaussian_blur(maps, [0.0]), maps)


def test_grouped_maps_are_means():
    maps = np.arange(8.0).reshape(1, 2, 2, 2)
    labels = np.array([[[0, 0], [1, 1]]], np.int32)
    wanted = [[[1, 2], [1, 2]], [[5, 6], [5, 6]]]
    np.testing.assert_array_equal(grouped_maps(maps, labels)[0], wanted)
    assert grouped_maps(maps, None) is maps


def test_partitions_of_one_name_are_several_draws_of_one_control():
    found = parts.by_name(parts.with_controls(SLIC(n_segments=4), num_seeds=2))
    assert list(found) == ["pixel", "super-pixel", *parts.CONTROLS[1:]]
    assert [one.seed for one in found["random"]] == [0, 1]
    assert len(found["square"]) == 1


def test_what_stands_for_partitions_goes_by_their_names():
    which = parts.with_controls(SLIC(n_segments=4), (parts.RANDOM,), num_seeds=2)
    numbers = parts.by_name(which, range(4))
    assert numbers == {"pixel": [0], "super-pixel": [1], "random": [2, 3]}


def test_segments_chunk_by_chunk_are_those_of_all_images():
    images = photos(5)
    pixel, own = parts.with_controls(SLIC(n_segments=4), ())
    chunks = [np.arange(2), np.arange(2, 5)]
    assert pixel.segments_of(images, chunks) is None
    found = own.segments_of(images, chunks)
    np.testing.assert_array_equal(found, own.segments(images))

"""Maps of noisy copies of an image, with partitions kept and made anew."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.metrics.partitions import squares
from tests.reference import theory as twin
from tf_superpixel_saliency import metrics
from tf_superpixel_saliency.metrics.robustness import robustness

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 200, (3, 8, 8, 2)).astype(np.float32)
IMAGES[2] *= 0.1
COSINE = metrics.cosine_similarity
SQUARES = squares(8, 4)


def image_itself(images):
    return images


def constant(images):
    return np.broadcast_to(np.arange(64.0).reshape(8, 8, 1), images.shape)


def recorded(images, seen):
    seen.append(np.array(images))
    return images


def test_noise_is_relative_to_each_image():
    seen = []
    explain = functools.partial(recorded, seen=seen)
    robustness(explain, IMAGES, COSINE, noise_level=0.05, num_samples=40)
    np.testing.assert_array_equal(seen[0], IMAGES)
    noise = np.array(seen[1:]) - IMAGES
    span = np.ptp(IMAGES, axis=(1, 2, 3))
    deviation = noise.std(axis=(0, 2, 3, 4))
    np.testing.assert_allclose(deviation, 0.05 * span, rtol=0.03)
    np.testing.assert_allclose(noise.mean(axis=(0, 2, 3, 4)) / span, 0, atol=0.003)
    # Independent between samples.
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.15


@pytest.mark.parametrize("segments", [None, SQUARES])
def test_no_noise_and_constant_maps_agree(segments):
    found = robustness(image_itself, IMAGES, COSINE, 0.0, 3, segments)
    np.testing.assert_allclose(found.similarity, 1)
    found = robustness(constant, IMAGES, COSINE, 0.5, 3, segments)
    np.testing.assert_allclose(found.similarity, 1)
    np.testing.assert_allclose(found.excess, 1)


def test_more_noise_gives_less_agreement():
    levels = [0.01, 0.1, 1.0]
    found = [robustness(image_itself, IMAGES, COSINE, s).similarity for s in levels]
    assert (np.diff(found, axis=0) < 0).all()


def test_a_map_of_noise_agrees_by_chance_alone():
    rng = np.random.default_rng(3)
    images = rng.uniform(0, 1, (20, 8, 8, 1))
    measure = functools.partial(COSINE, signed=False)
    segments = np.where(SQUARES == 0, np.arange(64).reshape(8, 8), 99)
    found = robustness(
        lambda images: rng.normal(size=images.shape),
        images,
        measure,
        0.01,
        20,
        segments,
    )
    assert found.similarity.mean() > 0.3
    assert abs(found.excess.mean()) < 0.05


def test_samples_equal_a_twin():
    """Grouped by loops; the measure is the distance."""
    seen = []
    explain = functools.partial(recorded, seen=seen)
    found = robustness(
        explain, IMAGES, metrics.l2_distance, 0.1, 4, SQUARES, perfect=0.0
    )
    assert found.samples.shape == (4, 3)
    for sample in range(4):
        for i in range(3):
            pair = (twin.grouped(x[i], SQUARES) for x in (seen[0], seen[sample + 1]))
            one, two = pair
            assert found.samples[sample, i] == pytest.approx(twin.loss(one, [two]))
    np.testing.assert_allclose(found.similarity, found.samples.mean(axis=0))
    np.testing.assert_allclose(
        found.excess, (found.similarity - found.chance) / (0 - found.chance)
    )


def rows_by_brightness(images):
    """A segmentation that changes with the image: two groups by the first channel."""
    return (images[..., 0] > images[..., 0].mean(axis=(1, 2), keepdims=True)) * 1


def test_a_partition_fixed_or_recomputed():
    calls = []

    def segment(images):
        calls.append(np.array(images))
        return rows_by_brightness(images)

    fixed = robustness(image_itself, IMAGES, COSINE, 0.3, 2, segment)
    assert len(calls) == 1
    labels = rows_by_brightness(IMAGES)
    same = robustness(image_itself, IMAGES, COSINE, 0.3, 2, labels)
    np.testing.assert_array_equal(fixed.samples, same.samples)
    anew = robustness(image_itself, IMAGES, COSINE, 0.3, 2, segment, "recomputed")
    assert len(calls) == 4
    assert not np.array_equal(anew.samples, fixed.samples)
    for noisy, row in zip(calls[2:], anew.samples):
        a = metrics.cosine_similarity(
            np.stack([twin.grouped(x, s) for x, s in zip(IMAGES, labels)]),
            np.stack(
                [twin.grouped(x, s) for x, s in zip(noisy, rows_by_brightness(noisy))]
            ),
        )
        np.testing.assert_allclose(row, a)


def test_groups_are_counted():
    def segment(images):
        return np.where(images[..., 0] > 100, 0, SQUARES + 1)

    found = robustness(image_itself, IMAGES, COSINE, 0.2, 2, segment, "recomputed")
    assert found.num_groups.shape == (3, 3)
    assert found.num_groups[0].tolist() == [
        len(np.unique(labels)) for labels in segment(IMAGES)
    ]
    none = robustness(image_itself, IMAGES, COSINE, num_samples=2)
    assert (none.num_groups == 0).all()


def test_an_image_does_not_depend_on_its_neighbours():
    whole = robustness(image_itself, IMAGES, COSINE, 0.2, 3, SQUARES)
    alone = robustness(image_itself, IMAGES[1:2], COSINE, 0.2, 3, SQUARES)
    np.testing.assert_allclose(whole.samples[:, 1], alone.samples[:, 0], rtol=1e-12)
    np.testing.assert_allclose(whole.chance[1], alone.chance[0], rtol=1e-12)


def test_seeds():
    run = functools.partial(robustness, image_itself, IMAGES, COSINE, 0.2, 3)
    np.testing.assert_array_equal(run(seed=1).samples, run(seed=1).samples)
    assert not np.array_equal(run(seed=1).samples, run(seed=2).samples)


def test_noisy_copies_are_clipped_on_request():
    seen = []
    explain = functools.partial(recorded, seen=seen)
    robustness(explain, IMAGES, COSINE, 1.0, 2, value_range=(0, 200))
    noisy = np.array(seen[1:])
    assert (noisy.min(), noisy.max()) == (0, 200)


def test_heatmaps_are_maps_too():
    found = robustness(lambda x: x[..., 0], IMAGES, COSINE, 0.1, 2, SQUARES)
    four = robustness(lambda x: x[..., :1], IMAGES, COSINE, 0.1, 2, SQUARES)
    np.testing.assert_array_equal(found.samples, four.samples)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"noise_level": -0.1}, "noise_level"),
        ({"num_samples": 0}, "num_samples"),
        ({"partition": "new"}, "partition must be one of"),
        ({"partition": "recomputed", "segments": SQUARES}, "as a function"),
        ({"segments": SQUARES[:4]}, "segments must have shape"),
        ({"explain": lambda x: x[:, :4]}, "of the images' size"),
        ({"explain": lambda x: x[0, 0]}, "what explain returns"),
        ({"images": IMAGES[0]}, "batch of shape"),
    ],
)
def test_bad_arguments(arguments, text):
    arguments = {
        "explain": image_itself,
        "images": IMAGES,
        "measure": COSINE,
        **arguments,
    }
    with pytest.raises(ValueError, match=text):
        robustness(**arguments)

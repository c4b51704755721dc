"""Imputation against a dense system and images whose answer is known."""

import numpy as np
import pytest

from tests.reference import imputation as reference
from tf_superpixel_saliency.metrics import imputation
from tf_superpixel_saliency.metrics.imputation import impute


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_masks(rng, share, *shape):
    masks = rng.random(shape) < share
    masks[:, -1, -1] = False
    return masks


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", [(1, 2), (1, 9), (5, 6), (17, 8), (9, 18)])
def test_equals_the_twin(rng, size, share):
    images = rng.normal(size=(2, *size, 2)) * 100
    masks = random_masks(rng, share, 2, *size)
    found = impute(images, masks, tolerance=1e-6)
    for ours, image, mask in zip(found, images, masks):
        np.testing.assert_allclose(ours, reference.impute(image, mask), atol=1e-3)


@pytest.mark.parametrize("radius", [2, 8, 20])
def test_the_tolerance_is_kept_over_wide_holes(radius):
    # Where plain iterations crawl: one hole, and a gradient across it.
    rows, columns = np.mgrid[:30, :32]
    image = (np.hypot(rows - 3, columns) * 5)[..., None]
    mask = (np.hypot(rows - 15, columns - 13) < radius)[None]
    exact = reference.impute(image, mask[0])
    for tolerance in (1e-2, 1e-4, 1e-6):
        found = impute(image[None], mask, tolerance)[0]
        assert np.abs(found - exact).max() < 3 * tolerance * np.ptp(image)


def test_a_plane_is_filled_in_exactly(rng):
    rows, columns = np.mgrid[:40, :30]
    plane = np.stack([2.0 * rows - columns, 7.0 + 0.0 * rows, 0.5 * columns], axis=-1)
    mask = rng.random((40, 30)) < 0.8
    mask[[0, -1]] = mask[:, [0, -1]] = False  # the border has neighbours on one side
    found = impute(plane[None], mask[None], tolerance=1e-6)[0]
    np.testing.assert_allclose(found, plane, rtol=0, atol=3e-6 * np.ptp(plane))


def test_one_pixel_by_hand():
    image = np.arange(9.0).reshape(1, 3, 3, 1) ** 2
    mask = np.zeros((1, 3, 3), bool)
    mask[0, 1, 1] = True
    direct, diagonal = 1 + 9 + 25 + 49, 0 + 4 + 36 + 64
    found = impute(image, mask, 1e-6)[0, 1, 1, 0]
    np.testing.assert_allclose(found, direct / 6 + diagonal / 12, rtol=1e-5)
    # In a corner: two beside it and one on the diagonal, weights of 2/5 and 1/5.
    corner = np.zeros((1, 3, 3), bool)
    corner[0, 0, 0] = True
    found = impute(image, corner, 1e-6)[0, 0, 0, 0]
    np.testing.assert_allclose(found, 0.4 * (1 + 9) + 0.2 * 16, rtol=1e-5)


def test_one_pixel_left_gives_its_colour_to_all(rng):
    image = rng.random((1, 9, 14, 3))
    mask = np.ones((1, 9, 14), bool)
    mask[0, 2, 3] = False
    expected = np.broadcast_to(image[:, 2:3, 3:4], image.shape)
    np.testing.assert_allclose(impute(image, mask), expected, rtol=1e-6)


def test_any_start_leads_to_the_same_end(rng):
    images, masks = rng.random((3, 24, 20, 3)), random_masks(rng, 0.6, 3, 24, 20)
    expected = impute(images, masks, 1e-6)
    starts = [expected, 5 * rng.random(images.shape), np.zeros(images.shape)]
    for start in starts:
        found = impute(images, masks, 1e-6, start)
        np.testing.assert_allclose(found, expected, atol=5e-6)
        np.testing.assert_array_equal(found[~masks], images[~masks])


def test_a_start_near_the_end_saves_iterations(rng, monkeypatch):
    cycles = []
    cycle = imputation._cycle

    def counted(grids, residual):
        cycles.append(residual.shape)
        return cycle(grids, residual)

    monkeypatch.setattr(imputation, "_cycle", counted)
    images, masks = rng.random((1, 48, 48, 1)), random_masks(rng, 0.6, 1, 48, 48)
    solved = impute(images, masks)
    cold, _ = len(cycles), cycles.clear()
    masks[:, 20, 20] ^= True
    impute(images, masks, starts=solved)
    assert len(cycles) < 0.7 * cold


def test_what_is_known_stays_and_bounds_what_is_not(rng):
    images = rng.random((4, 21, 18, 3))
    masks = random_masks(rng, 0.7, 4, 21, 18)
    found = impute(images, masks)
    np.testing.assert_array_equal(found[~masks], images[~masks])
    for ours, image, mask in zip(found, images, masks):
        known = image[~mask]
        low, high = known.min(axis=0), known.max(axis=0)
        assert (ours >= low - 1e-4).all() and (ours <= high + 1e-4).all()


def test_an_image_does_not_depend_on_those_beside_it(rng, monkeypatch):
    images = rng.random((6, 16, 16, 3)) * 10.0 ** np.arange(6).reshape(-1, 1, 1, 1)
    masks = np.concatenate([random_masks(rng, i / 6, 1, 16, 16) for i in range(6)])
    together = impute(images, masks)
    for number in range(6):
        alone = impute(images[number : number + 1], masks[number : number + 1])
        scale = np.abs(alone).max()
        np.testing.assert_allclose(
            together[number] / scale, alone[0] / scale, atol=1e-6
        )
    monkeypatch.setattr(imputation, "_VALUES_AT_ONCE", 1)
    np.testing.assert_allclose(impute(images, masks), together, rtol=1e-6)


def test_wrong_arguments(rng, monkeypatch):
    images, masks = np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4), bool)
    with pytest.raises(ValueError, match="impute takes images"):
        impute(images, masks[:1])
    masks[1] = True
    with pytest.raises(ValueError, match="mask number 1 leaves none"):
        impute(images, masks)
    noisy, half = rng.random((1, 12, 12, 1)), np.tile([[True, False]], (1, 12, 6))
    with pytest.raises(RuntimeError, match="do not reach a tolerance of 1e-40"):
        monkeypatch.setattr(imputation, "_limit", lambda *_: 0.0)
        impute(noisy, half, 1e-40)
    with pytest.raises(ValueError, match="starts must have the images' shape"):
        impute(noisy, half, starts=noisy[0])

import numpy as np
import pytest
import tensorflow as tf

from tests.explainers.networks import (
    SIZE,
    classifier,
    linear_model,
    photos,
    relative_error,
    twin,
)
from tests.reference import cams as reference
from tf_superpixel_saliency.explainers import RISE

TARGETS = [4, 0, 2]


@pytest.fixture(scope="module")
def model():
    return classifier()


def twin_masks(count, size, grid, probability, seed):
    """The masks of a seed, from Philox' bits as TensorFlow gives them."""
    masks = []
    for number in range(count):
        bits = tf.random.stateless_uniform(
            [grid * grid + 2], [seed, number], None, None, tf.uint32, alg="philox"
        )
        masks.append(reference.smooth_mask(bits.numpy(), size, grid, probability))
    return np.stack(masks)


@pytest.mark.parametrize("normalization", ["observed", "expected"])
@pytest.mark.parametrize(
    ("grid", "probability", "fill"),
    [(3, 0.5, 0.0), (4, 0.3, (10.0, 100.0, 200.0))],
)
def test_equals_the_twin(model, grid, probability, fill, normalization):
    settings = {"grid": grid, "probability": probability, "seed": 3}
    rise = RISE(model, num_masks=13, fill=fill, normalization=normalization, **settings)
    out = rise(photos(), TARGETS)
    masks = twin_masks(13, SIZE[:2], **settings)
    network = twin(model)

    def score_of(target):
        return lambda shown: network.score(shown[None], [target])[0]

    expected_sum = probability if normalization == "expected" else None
    expected = [
        reference.rise(image, masks, score_of(target), fill, expected_sum)
        for image, target in zip(photos(), TARGETS)
    ]
    assert out["maps"].shape == (3, *SIZE[:2], 1) and out["maps"].dtype == tf.float32
    assert relative_error(out["maps"][..., 0], expected).max() < 1e-5
    np.testing.assert_array_equal(out["heatmaps"], np.abs(out["maps"][..., 0]))


def exact_linear_map(contribution, grid, probability):
    """Σ_μ contribution_μ E[M_μ M_λ] / p: masks of all shifts, cells independent."""
    size = contribution.shape
    cell = [-(-length // grid) for length in size]
    pixels = size[0] * size[1]
    total = np.zeros((pixels, pixels))
    for top in range(cell[0]):
        for left in range(cell[1]):
            # The mask as a linear function of its cells.
            basis = []
            for hot in np.eye(grid * grid):
                large = reference.resized(
                    hot.reshape(grid, grid), (grid + 1) * cell[0], (grid + 1) * cell[1]
                )
                cut = large[top : top + size[0], left : left + size[1]]
                basis.append(cut.ravel())
            basis = np.array(basis)
            total += basis.T @ basis * probability * (1 - probability)
    second = total / (cell[0] * cell[1]) + probability**2
    return (second @ contribution.ravel() / probability).reshape(size)


@pytest.mark.cases(1)
@pytest.mark.parametrize("normalization", ["observed", "expected"])
def test_of_a_linear_model_it_is_the_weights_seen_through_the_masks(normalization):
    weights = np.random.default_rng(0).standard_normal((6, 5, 1, 2))
    images = np.random.default_rng(1).standard_normal((1, 6, 5, 1)).astype("float32")
    contribution = (weights[..., 1] * images[0])[..., 0]
    expected = exact_linear_map(contribution, 3, 0.5)
    maps = [
        RISE(
            linear_model(weights), num_masks=20000, grid=3, score="logit",
            model_output="logit", chunk_size=2000, seed=seed,
            normalization=normalization,
        )(images, targets=1)["maps"][0, ..., 0].numpy()
        for seed in (0, 1, 2)
    ]  # fmt: skip
    # The three differ by their Monte Carlo error, and their mean from the truth by
    # less than it.
    error = np.std(maps, axis=0, ddof=1).mean() / np.sqrt(3)
    assert error < 0.05 * np.ptp(expected)
    assert np.abs(np.mean(maps, axis=0) - expected).mean() < 3 * error
    assert np.corrcoef(np.mean(maps, axis=0).ravel(), expected.ravel())[0, 1] > 0.995


def test_masks_far_apart_show_the_weight_itself():
    # Two pixels that no cell covers both: the difference is (1 − p) of the effect.
    weights = np.zeros((1, 32, 1, 2))
    weights[0, 2, 0, 1] = 4.0
    out = RISE(
        linear_model(weights), num_masks=4000, grid=8, score="logit",
        model_output="logit", chunk_size=2000,
    )(np.ones((1, 1, 32, 1)), targets=1)  # fmt: skip
    line = out["maps"][0, 0, :, 0].numpy()
    # Far away E[M_μ M_λ] / p = p, hence 4·p; near, more.
    np.testing.assert_allclose(line[12:], 2.0, atol=0.2)
    assert line.argmax() in (1, 2, 3) and line.max() > 2.8


def test_keeping_all_gives_the_score_everywhere(model):
    out = RISE(model, num_masks=3, probability=1.0)(photos(), TARGETS)
    expected = np.broadcast_to(
        out["scores"].numpy()[:, None, None, None], out["maps"].shape
    )
    np.testing.assert_allclose(out["maps"], expected, rtol=1e-5)


def test_a_constant_score_gives_a_constant_map_or_the_mean_mask():
    def constant(images):
        return tf.ones_like(images[:, 0, 0])

    settings = {"num_masks": 11, "grid": 3, "score": "logit", "model_output": "logit"}
    out = RISE(constant, **settings)(photos(1), targets=0)
    np.testing.assert_allclose(out["maps"], np.ones_like(out["maps"]), rtol=1e-6)
    out = RISE(constant, normalization="expected", **settings)(photos(1), targets=0)
    masks = twin_masks(11, SIZE[:2], 3, 0.5, 0)
    found = out["maps"][0, ..., 0]
    np.testing.assert_allclose(found, masks.mean(axis=0) / 0.5, rtol=1e-4)


def test_a_pixel_that_no_mask_shows_is_0(model):
    # One mask, most cells hidden.
    out = RISE(model, num_masks=1, grid=4, probability=0.2)(photos(1), targets=0)
    (mask,) = twin_masks(1, SIZE[:2], 4, 0.2, 0)
    assert (mask == 0).any() and (mask > 0).any()
    found = out["maps"][0, ..., 0].numpy()
    np.testing.assert_array_equal(found > 0, mask > 0)
    np.testing.assert_allclose(found[mask > 0], found.max(), rtol=1e-4)


def test_more_masks_go_on_and_another_seed_is_other_masks(model):
    maps = {
        (seed, count): RISE(
            model, num_masks=count, grid=3, seed=seed, normalization="expected"
        )(photos(1), 0)["maps"][0, ..., 0].numpy()
        for seed, count in [(3, 5), (4, 5), (3, 6)]
    }
    assert relative_error(maps[4, 5][None], maps[3, 5][None])[0] > 0.05
    network, image = twin(model), photos(1)[0]
    sixth = twin_masks(6, SIZE[:2], 3, 0.5, 3)[5]
    score = network.score((sixth[..., None] * image)[None], [0])[0]
    expected = (5 * maps[3, 5] + score * sixth / 0.5) / 6
    assert relative_error(maps[3, 6][None], expected[None])[0] < 1e-5


def test_every_image_of_a_batch_sees_the_same_masks(model):
    images = np.stack([photos(1)[0]] * 3)
    maps = RISE(model, num_masks=5)(images, 0)["maps"].numpy()
    assert relative_error(maps[1:], maps[:1]).max() < 1e-6


def test_masks_that_fill_a_chunk_are_left_out():
    # The model is NaN under the mask that would come next, 6.
    sums = [m.sum() for m in twin_masks(7, (6, 5), 3, 0.5, 0)]
    forbidden = np.float32(sums[6])

    def model(images):
        total = tf.reduce_sum(images, [1, 2, 3])
        value = tf.where(tf.abs(total - forbidden) < 1e-3, np.nan, total)
        return tf.stack([value, -value], axis=1)

    image = np.ones((1, 6, 5, 1), "float32")
    settings = {"grid": 3, "score": "logit", "model_output": "logit", "chunk_size": 4}
    out = RISE(model, num_masks=6, **settings)(image, targets=0)
    assert np.isfinite(out["maps"]).all()
    with pytest.warns(UserWarning, match="NaN"):
        assert np.isnan(RISE(model, num_masks=7, **settings)(image, 0)["maps"]).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_masks", 0),
        ("grid", 0),
        ("grid", 2.5),
        ("probability", 0.0),
        ("probability", 1.1),
        ("normalization", "none"),
        ("fill", "blur"),
        ("seed", -1),
        ("seed", 2**31),
        ("chunk_size", 0),
    ],
)
def test_arguments_out_of_range_are_named(model, name, value):
    with pytest.raises(ValueError, match=name):
        RISE(model, **{name: value})

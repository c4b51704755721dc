"""superpixels="auto": the partition of the least risk by two halves of the noise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier, photos, relative_error
from tf_superpixel_saliency.metrics import partition_risk
from tf_superpixel_saliency.ops.noise import standard_normal
from tf_superpixel_saliency.superpixels.choice import (
    SuperpixelChoice,
    usual_candidates,
)

LAYERS = [tss.SquareGrid(size=size) for size in (2, 4, 12)]


@pytest.fixture(scope="module")
def model():
    return classifier()


def halves_of(model, images, targets, number, level):
    """Mean gradients over the pairs of even and of odd number, by SimpleGradient."""
    explainer = tss.SimpleGradient(model)
    spread = np.ptp(images, axis=(1, 2, 3), keepdims=True)
    maps = [[], []]
    for sample in range(number):
        pair, sign = sample // 2, (-1) ** sample
        normal = standard_normal(tf.constant(images.shape[1:]), 0, tf.constant(pair))
        noisy = images + sign * level * spread * normal.numpy()
        maps[pair % 2].append(explainer(noisy, targets)["maps"].numpy())
    return np.mean(maps[0], axis=0), np.mean(maps[1], axis=0)


@pytest.mark.cases(1)
@pytest.mark.parametrize("number, evens", [(4, 2), (5, 3)])
def test_smooth_grad_takes_the_partition_of_the_least_risk(model, number, evens):
    images = photos(3)
    explainer = tss.SmoothGrad(
        model, SuperpixelChoice(LAYERS), num_samples=number, noise_level=0.3,
        chunk_size=6,
    )  # fmt: skip
    out = explainer(images)
    even, odd = halves_of(model, images, out["targets"], number, 0.3)
    segments = [layer(images).numpy() for layer in LAYERS]
    segments.append(np.arange(132).reshape(1, 12, 11).repeat(3, axis=0))
    share = evens * (number - evens) / number**2
    risks = []
    for labels in segments:
        found = partition_risk(even, odd, labels)
        signal = np.sum(even.astype(float) * odd, axis=(1, 2, 3))
        kept, variance = signal - found.bias, 2 * share * found.variance
        risks.append(
            signal - np.maximum(kept, 0) ** 2 / (np.maximum(kept, 0) + variance)
        )
    chosen = np.argmin(risks, axis=0)
    np.testing.assert_array_equal(out["chosen"], chosen)
    mean = (even * evens + odd * (number - evens)) / number
    for i, number_of_layer in enumerate(chosen):
        labels = segments[number_of_layer][i]
        np.testing.assert_array_equal(out["segments"][i], labels)
        expected = tss.group_map(mean[i : i + 1], labels)
        assert relative_error(out["maps"][i : i + 1], expected).max() < 2e-5


def test_one_image_is_explained_as_in_a_batch_and_own_segments_count(model):
    images = photos(3)
    explainer = tss.SmoothGrad(model, SuperpixelChoice(LAYERS), num_samples=4)
    out = explainer(images)
    alone = explainer(images[1:2])
    np.testing.assert_array_equal(alone["segments"][0], out["segments"][1])
    assert relative_error(alone["maps"], out["maps"][1:2]).max() < 1e-5
    own = explainer(images, segments=np.zeros((12, 11), int))
    assert "chosen" not in own and not own["segments"].numpy().any()


@pytest.mark.thorough
def test_saved_exported_and_by_name(model, tmp_path):
    images = photos(2)
    explainer = tss.SparsifiedSmoothGrad(
        model, SuperpixelChoice(LAYERS[:2]), num_samples=4, top_fraction=0.3
    )
    out = explainer(images)
    explainer.save(tmp_path / "explainer.keras")
    loaded = keras.saving.load_model(tmp_path / "explainer.keras")
    assert [layer.size for layer in loaded.superpixels.layers] == [2, 4]
    explainer.export(tmp_path / "saved")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["explain_maps"]
    found = served(images=tf.constant(images), targets=tf.constant([-1, -1]))
    for key in ("maps", "segments", "chosen"):
        np.testing.assert_allclose(found[key], out[key], rtol=1e-5, atol=1e-7)


def test_the_usual_candidates(model):
    for side, counts in ((40, [25, 50, 100, 200, 400]), (12, [25]), (3, [2])):
        assert [one.n_segments for one in usual_candidates(side)] == counts
    explainer = tss.SmoothGrad(model, "auto")
    assert [layer.n_segments for layer in explainer.superpixels.layers] == [25]
    large = tss.SmoothGrad(lambda images: images[:, :3, 0, 0], "auto")
    names = [type(layer).__name__ for layer in large.superpixels.layers]
    assert names == 2 * ["Quickshift"] + 4 * ["SLIC"]


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda m: tss.SimpleGradient(m, "auto"), "SimpleGradient doesn't draw"),
        (lambda m: tss.IntegratedGradients(m, "auto"), "Gradients doesn't draw"),
        (lambda m: tss.LIME(m, "auto"), "LIME doesn't draw"),
        (lambda m: tss.SmoothGrad(m, "auto", partition="dynamic"), "clean image"),
        (lambda m: tss.SmoothGrad(m, "auto", num_samples=2), "at least 3 .* got 2"),
        (lambda m: tss.SmoothGrad(m, "auto", tolerance=0.1), "no tolerance"),
        (lambda m: tss.SmoothGrad(m, "auto", noise_level=0), "above 0"),
        (
            lambda m: tss.SparsifiedSmoothGrad(m, "auto", order="sparsify_last"),
            "group_last",
        ),
    ],
)
def test_where_it_has_not_what_it_needs(make, error, model):
    with pytest.raises(ValueError, match=error):
        make(model)


@pytest.mark.thorough
def test_with_a_name_in_explain(model):
    images = photos(2)
    explanation = tss.explainable(model).explain(
        images, superpixels="auto", num_samples=4
    )
    assert explanation.chosen.shape == (2,)

"""The gradient in feature maps, on functions whose gradients are known."""

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops import gradients, scores

IMAGES = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)


def score_of(value, factor=None):
    factor = tf.ones_like(value, tf.float32) if factor is None else factor
    return scores.Score(value, value, factor, value[:, None], tf.zeros_like(value))


def total(values):
    return score_of(tf.reduce_sum(values, [1, 2, 3]))


def test_of_a_cube_by_hand(xla):
    @tf.function(jit_compile=xla)
    def run(images):
        return gradients.feature_gradient(lambda mark: total(mark(2 * images) ** 3))

    features, gradient, score = run(IMAGES)
    np.testing.assert_allclose(features, 2 * IMAGES)
    np.testing.assert_allclose(gradient, 12 * IMAGES**2, rtol=1e-6)
    np.testing.assert_allclose(score.value, (8 * IMAGES**3).sum((1, 2, 3)), rtol=1e-5)


def test_paths_around_the_feature_maps_do_not_count():
    def evaluate(mark):
        images = tf.constant(IMAGES)
        return total(mark(images) * 3 + images * 100)

    _, gradient, _ = gradients.feature_gradient(evaluate)
    np.testing.assert_array_equal(gradient, np.full_like(IMAGES, 3))


def test_the_way_to_the_feature_maps_needs_no_gradient():
    def evaluate(mark):
        return total(mark(tf.round(tf.stop_gradient(IMAGES))) * 2)

    features, gradient, _ = gradients.feature_gradient(evaluate)
    np.testing.assert_array_equal(features, np.round(IMAGES))
    np.testing.assert_array_equal(gradient, np.full_like(IMAGES, 2))


def test_factor_multiplies_each_image():
    factor = np.float32([0.0, -2.0, 1e-30])

    def evaluate(mark):
        return score_of(
            tf.reduce_sum(mark(tf.constant(IMAGES)), [1, 2, 3]), tf.constant(factor)
        )

    _, gradient, _ = gradients.feature_gradient(evaluate)
    expected = factor[:, None, None, None] * np.ones_like(IMAGES)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=0)


def test_half_precision_signals_survive():
    def evaluate(mark):
        small = mark(tf.cast(IMAGES, tf.float16)) * tf.constant(2.0**-14, tf.float16)
        small = small * tf.constant(2.0**-12, tf.float16)
        return total(tf.cast(small, tf.float32))

    _, plain, _ = gradients.feature_gradient(evaluate)
    features, scaled, _ = gradients.feature_gradient(evaluate, half=True)
    assert features.dtype == scaled.dtype == tf.float32
    assert not np.asarray(plain).any()
    np.testing.assert_allclose(scaled, np.full(IMAGES.shape, 2.0**-26), rtol=1e-6)


def test_what_is_marked_last_counts():
    def evaluate(mark):
        return total(mark(mark(tf.constant(IMAGES)) * 5) * 7)

    features, gradient, _ = gradients.feature_gradient(evaluate)
    np.testing.assert_allclose(features, 5 * IMAGES)
    np.testing.assert_array_equal(gradient, np.full_like(IMAGES, 7))


def test_without_marks_or_a_way_there_is_an_error():
    with pytest.raises(ValueError, match="not made on the way"):
        gradients.feature_gradient(lambda mark: total(tf.constant(IMAGES)))
    with pytest.raises(ValueError, match=r"no gradient to the feature maps.*Choose"):
        gradients.feature_gradient(
            lambda mark: total(tf.round(mark(tf.constant(IMAGES))))
        )

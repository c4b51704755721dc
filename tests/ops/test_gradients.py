"""The gradient gateway on functions whose gradients are known."""

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops import gradients, scores

IMAGES = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
WEIGHTS = np.random.default_rng(1).normal(size=(4, 5, 2)).astype(np.float32)


def score_of(value, factor=None):
    value = tf.reshape(value, [-1])
    factor = tf.ones_like(value, tf.float32) if factor is None else factor
    return scores.Score(value, value, factor, value[:, None], tf.zeros_like(value))


def gradient(evaluate, images=IMAGES, half=False):
    return gradients.input_gradient(evaluate, tf.convert_to_tensor(images), half)


def linear(images):
    return score_of(tf.reduce_sum(images * WEIGHTS, [1, 2, 3]))


def test_of_a_linear_score_is_its_weights(xla):
    found, score = tf.function(lambda x: gradient(linear, x), jit_compile=xla)(IMAGES)
    np.testing.assert_array_equal(found, np.broadcast_to(WEIGHTS, IMAGES.shape))
    np.testing.assert_allclose(score.value, (IMAGES * WEIGHTS).sum((1, 2, 3)), 1e-5)


def test_of_a_square_is_by_hand():
    found, _ = gradient(lambda x: score_of(tf.reduce_sum(x**2, [1, 2, 3]) / 2))
    np.testing.assert_array_equal(found, IMAGES)


def test_factor_multiplies_each_image():
    factor = np.array([0.0, -2.0, 1e-30], np.float32)
    found, _ = gradient(
        lambda x: score_of(tf.reduce_sum(x * WEIGHTS, [1, 2, 3]), tf.constant(factor))
    )
    expected = factor[:, None, None, None] * WEIGHTS
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=0)


def test_half_precision_signals_survive():
    # 2⁻²⁰ on the way back is below half of float16's step, 2⁻²⁵, beside 2⁻⁵.
    def evaluate(images):
        small = tf.cast(images, tf.float16) * tf.constant(2.0**-14, tf.float16)
        small = small * tf.constant(2.0**-12, tf.float16)
        return score_of(tf.reduce_sum(tf.cast(small, tf.float32), [1, 2, 3]))

    plain, _ = gradient(evaluate)
    scaled, _ = gradient(evaluate, half=True)
    assert not np.asarray(plain).any()
    np.testing.assert_allclose(scaled, np.full(IMAGES.shape, 2.0**-26), rtol=1e-6)


def test_half_does_not_change_a_float32_gradient():
    plain, _ = gradient(linear)
    scaled, _ = gradient(linear, half=True)
    np.testing.assert_array_equal(plain, scaled)


def test_sparse_gradients_become_dense():
    def evaluate(images):
        return score_of(tf.reduce_sum(tf.gather(images, [2, 0, 1]) * 2.0, [1, 2, 3]))

    found, _ = tf.function(lambda x: gradient(evaluate, x))(IMAGES)
    np.testing.assert_array_equal(found, np.full(IMAGES.shape, 2.0))


def test_host_code_keeps_the_shape():
    def evaluate(images):
        value = tf.py_function(lambda x: tf.reduce_sum(x, [1, 2, 3]), [images], "float")
        return score_of(tf.ensure_shape(value, images.shape[:1]))

    traced = tf.function(lambda x: gradient(evaluate, x)[0])
    assert traced.get_concrete_function(IMAGES).output_shapes == IMAGES.shape
    np.testing.assert_array_equal(traced(IMAGES), np.ones(IMAGES.shape))


@pytest.mark.parametrize(
    "cut",
    [
        tf.stop_gradient,
        tf.round,
        lambda x: tf.cast(tf.cast(x, tf.int32), tf.float32),
        lambda x: tf.numpy_function(lambda v: v, [x], tf.float32),
        tf.zeros_like,
    ],
    ids=["stop_gradient", "round", "integers", "numpy", "no use of the images"],
)
def test_without_a_way_back_there_is_an_error(cut):
    def evaluate(images):
        return score_of(tf.reduce_sum(cut(images), [1, 2, 3]))

    with pytest.raises(ValueError, match=r"no gradient to its input.*Expected.*Pass"):
        gradient(evaluate)

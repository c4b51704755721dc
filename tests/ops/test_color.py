"""Colour conversion against scikit-image and by hand, with and without XLA."""

import numpy as np
import pytest
import tensorflow as tf
from skimage import color, data

from tf_superpixel_saliency.ops.color import rgb_to_lab

# L*, a* and b* of colours in [0, 1] are of the order of 100, and a few roundings of
# that are allowed. scikit-image's own float32 is off by up to 0.96e-4 on the photos.
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}


def converted(images, jit_compile, **kwargs):
    def function(images):
        return rgb_to_lab(images, **kwargs)

    if jit_compile is not None:
        signature = [tf.TensorSpec([None] * images.ndim, images.dtype)]
        function = tf.function(
            function, input_signature=signature, jit_compile=jit_compile
        )
    return function(tf.constant(images)).numpy()


def photos():
    shots = [data.astronaut()[:96, 150:280], data.chelsea()[60:156, 100:230]]
    return np.stack(shots) / 255


def random_colours():
    return np.random.default_rng(0).random((64, 64, 3))


def cube_corners():
    return np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T * 1.0


def tiny_values():
    return (
        np.random.default_rng(1).random((50, 50, 3)) * 10.0 ** -np.arange(50)[:, None]
    )


def both_sides_of_the_bends():
    """Around 0.04045 of the gamma and 0.008856 of the cube root, as grays."""
    bend = ((0.008856 + np.linspace(-1e-5, 1e-5, 201)) * 12.92).tolist()
    gamma = (0.04045 + np.linspace(-1e-5, 1e-5, 201)).tolist()
    cube = (1.055 * np.linspace(0.0088, 0.0089, 201) ** (1 / 2.4) - 0.055).tolist()
    return np.repeat(np.array(bend + gamma + cube)[:, None], 3, axis=1)


def out_of_range():
    return np.random.default_rng(2).uniform(-3, 4, (64, 64, 3))


@pytest.mark.parametrize(
    "jit_compile", [None, False, True], ids=["eager", "graph", "xla"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make",
    [
        photos,
        random_colours,
        cube_corners,
        tiny_values,
        both_sides_of_the_bends,
        out_of_range,
    ],
)
def test_rgb_to_lab_equals_scikit_image(make, dtype, jit_compile):
    images = make().astype(dtype)
    expected = color.rgb2lab(images.astype(np.float64))
    result = converted(images, jit_compile)
    assert result.dtype == dtype
    tolerance = TOLERANCE[dtype] * max(1, np.abs(images).max())
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)


def test_a_float32_image_can_be_converted_in_float64():
    images = photos().astype(np.float32)
    expected = color.rgb2lab(images.astype(np.float64))
    result = converted(images, None, dtype=tf.float64)
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE["float64"])


def test_black_white_and_dark_gray_by_hand():
    dark = 1e-3
    images = np.array([[0, 0, 0], [1, 1, 1], [dark] * 3])
    black, white, gray = rgb_to_lab(tf.constant(images)).numpy()
    np.testing.assert_allclose(black, 0, atol=1e-13)
    # The published matrix sums to the white point within 1.5e-5.
    np.testing.assert_allclose(white, [100, 0, 0], atol=5e-3)
    # Below both bends everything is linear: L* = 116·7.787·Y, Y = dark / 12.92.
    assert gray[0] == pytest.approx(116 * 7.787 * dark / 12.92, rel=1e-5)


def test_dark_and_negative_colours_have_a_finite_gradient():
    images = tf.constant([[0.0, 0.0, 0.0], [1e-9, 1.0, 0.5], [-0.1, 0.2, -2.0]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.reduce_sum(rgb_to_lab(images))
    assert np.isfinite(tape.gradient(value, images)).all()

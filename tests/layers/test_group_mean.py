"""GroupMean: by hand, against a loop, and the identities that define it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.networks import random_images, random_segments
from tests.reference import groups as reference
from tf_superpixel_saliency import GroupMean

MAPS = random_images()
SEGMENTS = random_segments()


@pytest.fixture
def mean(xla):
    """The layer in a graph of unknown sizes, or compiled."""
    layer = GroupMean()
    signature = [
        tf.TensorSpec([None] * 4, tf.float32),
        tf.TensorSpec([None] * 3, tf.int32),
    ]
    function = tf.function(layer, input_signature=signature, jit_compile=xla)
    return lambda maps, segments: function(
        tf.constant(maps, tf.float32), tf.constant(segments, tf.int32)
    ).numpy()


def close(found, expected, tolerance=1e-6):
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=tolerance * np.abs(expected).max()
    )


def test_by_hand(mean):
    maps = [[[[1, 10], [2, 20]], [[3, -30], [6, 40]]]]
    segments = [[[0, 1], [0, 0]]]
    expected = [[[[10 / 3, 20 / 3], [2, 20]], [[10 / 3, 20 / 3], [10 / 3, 20 / 3]]]]
    np.testing.assert_allclose(mean(maps, segments), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "count, size", [(1, (1, 1, 1)), (3, (9, 7, 3)), (2, (4, 9, 5))]
)
def test_equals_the_twin(mean, count, size):
    maps = random_images(count, size)
    segments = random_segments(count, size[:2])
    close(mean(maps, segments), reference.mean(maps, segments))


def test_one_pixel_a_group_is_the_identity(mean):
    pixels = np.arange(63).reshape(1, 9, 7).repeat(3, axis=0)
    np.testing.assert_array_equal(mean(MAPS, pixels), MAPS)


def test_one_group_is_the_mean_of_each_channel(mean):
    expected = MAPS.mean((1, 2), np.float64, keepdims=True)
    close(mean(MAPS, np.zeros_like(SEGMENTS)), expected + np.zeros_like(MAPS))


def test_the_numbering_does_not_matter(mean):
    permutation = np.random.default_rng(1).permutation(63)
    np.testing.assert_array_equal(
        mean(MAPS, permutation[SEGMENTS]), mean(MAPS, SEGMENTS)
    )


def test_twice_is_once(mean):
    once = mean(MAPS, SEGMENTS)
    close(mean(once, SEGMENTS), once)


def test_linear(mean):
    other = random_images(seed=1)
    together = mean(2 * MAPS - 3 * other, SEGMENTS)
    close(together, 2 * mean(MAPS, SEGMENTS) - 3 * mean(other, SEGMENTS))


def test_the_sum_is_kept(mean):
    sums = mean(MAPS, SEGMENTS).sum((1, 2), np.float64)
    close(sums, MAPS.sum((1, 2), np.float64))


def test_symmetric(mean):
    # κ is a symmetric matrix: ⟨κa, b⟩ = ⟨a, κb⟩.
    other = random_images(seed=1)
    left = np.sum(mean(MAPS, SEGMENTS) * other, dtype=np.float64)
    right = np.sum(MAPS * mean(other, SEGMENTS), dtype=np.float64)
    np.testing.assert_allclose(left, right, rtol=1e-5)


def test_images_and_channels_are_apart(mean):
    together = mean(MAPS, SEGMENTS)
    for image in range(3):
        for channel in range(3):
            alone = mean(
                MAPS[image : image + 1, ..., channel : channel + 1],
                SEGMENTS[image : image + 1],
            )
            np.testing.assert_array_equal(
                alone[0, ..., 0], together[image, ..., channel]
            )


def test_an_image_sized_group_keeps_its_digits(mean):
    maps = np.full((1, 256, 256, 1), 0.1, np.float32)
    found = mean(maps, np.zeros((1, 256, 256), np.int32))
    np.testing.assert_allclose(found, maps, rtol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8"])
def test_any_number_type_is_averaged_in_float32(dtype):
    maps = np.array([[[[1], [2], [4]]]], dtype)
    for labels in ("int64", "uint8", "int32"):
        found = GroupMean()(maps, np.array([[[0, 0, 1]]], labels))
        assert found.dtype == "float32"
        assert found.numpy().ravel().tolist() == [1.5, 1.5, 4]


def test_a_mixed_policy_does_not_round():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        layer = GroupMean()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    maps = np.array([[[[1.0001], [1.0003]]]], "float32")
    found = layer(maps, np.zeros((1, 1, 2), "int32"))
    np.testing.assert_allclose(found, 1.0002, rtol=1e-6)


def test_in_a_functional_that_is_saved(tmp_path):
    maps = keras.Input((None, None, 3))
    segments = keras.Input((None, None), dtype="int32")
    means = GroupMean(name="means")(maps, segments)
    assert means.shape == (None, None, None, 3)
    model = keras.Model([maps, segments], means)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.predict([MAPS, SEGMENTS], verbose=0)
    close(found, reference.mean(MAPS, SEGMENTS))


def test_serialises():
    layer = GroupMean(name="means")
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, GroupMean)
    assert again.get_config() == layer.get_config()
    assert layer.compute_output_shape((2, 3, 4, 5), (2, 3, 4)) == (2, 3, 4, 5)


@pytest.mark.parametrize(
    "maps, segments",
    [((2, 3, 4), (2, 3, 4)), ((2, 3, 4, 1), (2, 4, 3)), ((2, 3, 4, 1), (3, 4))],
)
def test_shapes_that_do_not_fit(maps, segments):
    with pytest.raises(ValueError, match=r"takes maps \(N, H, W, C\).*got") as caught:
        GroupMean()(np.zeros(maps, "float32"), np.zeros(segments, "int32"))
    assert str(maps) in str(caught.value) and str(segments) in str(caught.value)

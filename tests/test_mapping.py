"""group_map: grouping a map that came from anywhere."""

import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.reference import groups as reference

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(2, 6, 5, 3)).astype("float32")
LABELS = RNG.integers(0, 7, (2, 6, 5)) * 1000 + 3


def test_signed_maps_are_averaged_channel_by_channel():
    found = tss.group_map(MAPS, LABELS)
    np.testing.assert_allclose(found, reference.mean(MAPS, LABELS), rtol=0, atol=1e-6)
    assert found.dtype == np.float32


def test_heatmaps():
    heatmaps = np.abs(MAPS).sum(axis=-1)
    found = tss.group_map(heatmaps, LABELS)
    expected = reference.mean(heatmaps[..., None], LABELS)[..., 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_one_partition_for_all_maps():
    both = np.stack([LABELS[1]] * 2)
    np.testing.assert_array_equal(
        tss.group_map(MAPS, LABELS[1]), tss.group_map(MAPS, both)
    )


def test_equals_the_layer():
    segments = reference.number(LABELS)
    np.testing.assert_array_equal(
        tss.group_map(MAPS, LABELS), tss.GroupMean()(MAPS, segments)
    )


def test_equals_the_explainer():
    # Grouping a pixel map afterwards is what superpixels= does.
    weights = tf.constant(RNG.normal(size=(90, 4)), tf.float32)

    def model(images):
        return tf.nn.softmax(tf.reshape(tf.sin(images), [-1, 90]) @ weights)

    grid = tss.SquareGrid(size=2, value_range=(-10, 10))
    whole = tss.SimpleGradient(model, superpixels=grid)(MAPS)
    pixels = tss.SimpleGradient(model)(MAPS)
    found = tss.group_map(pixels["maps"], whole["segments"])
    largest = np.abs(found).max()
    np.testing.assert_allclose(found, whole["maps"], rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64"])
def test_any_real_numbers(dtype):
    maps = np.array([[[0, 1, 1]], [[1, 1, 1]]]).astype(dtype)
    for given in (maps, maps.tolist(), tf.constant(maps)):
        found = tss.group_map(given, [[5, 5, 9]])
        np.testing.assert_array_equal(found, [[[0.5, 0.5, 1]], [[1, 1, 1]]])


def test_by_hand_and_the_input_stays_as_it_is():
    maps = np.array([[[1.0, 3.0], [5.0, -9.0]]])
    kept = maps.copy()
    found = tss.group_map(maps, [[0, 1], [0, 0]])
    np.testing.assert_allclose(found, [[[-1, 3], [-1, -1]]], rtol=1e-6)
    np.testing.assert_array_equal(maps, kept)


@pytest.mark.parametrize(
    "maps, segments, error, parts",
    [
        (MAPS[0, ..., 0], LABELS[0], ValueError, ["(N, H, W)", "(6, 5)"]),
        (MAPS[None], LABELS, ValueError, ["(N, H, W, C)", "(1, 2, 6, 5, 3)"]),
        (MAPS + 1j, LABELS, ValueError, ["real numbers", "complex"]),
        ("maps", LABELS, ValueError, ["real numbers", "<U4"]),
        ([[[1.0], [2.0, 3.0]]], LABELS, ValueError, ["real numbers"]),
        (MAPS, LABELS.swapaxes(1, 2), ValueError, ["(6, 5)", "(2, 5, 6)", "Resize"]),
        (MAPS, np.stack([LABELS[0]] * 3), ValueError, ["(2, 6, 5)", "(3, 6, 5)"]),
        (MAPS, -LABELS, ValueError, ["0 and above"]),
        (MAPS, LABELS / 2, TypeError, ["integer labels", "astype"]),
    ],
)
def test_errors(maps, segments, error, parts):
    with pytest.raises(error) as caught:
        tss.group_map(maps, segments)
    for part in parts:
        assert part in str(caught.value)

"""Every error names what was expected, what came and what to try; good input passes."""

import numpy as np
import pytest
import tensorflow as tf

from tf_superpixel_saliency.ops import checks

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))


def raises(error, function, *args, parts, **kwargs):
    """The error's text must hold all parts."""
    with pytest.raises(error) as caught:
        function(*args, **kwargs)
    for part in parts:
        assert part in str(caught.value)


# -- images --------------------------------------------------------------------------

GOOD_IMAGES = {
    **{
        name: IMAGES.astype(name)
        for name in ("uint8", "int64", "uint16", "float16", "float32", "float64")
    },
    "bool": IMAGES > 100,
    "list": IMAGES.tolist(),
    "tuple of arrays": tuple(IMAGES),
    "tensor": tf.constant(IMAGES),
    "bfloat16 tensor": tf.cast(IMAGES, tf.bfloat16),
    "uint8 tensor": tf.cast(IMAGES, tf.uint8),
    "variable": tf.Variable(IMAGES),
    "reversed view": IMAGES[::-1],
}


@pytest.mark.parametrize("name", GOOD_IMAGES)
def test_images_of_any_number_type_become_float32(name):
    images = GOOD_IMAGES[name]
    found = checks.checked_images(images, (4, None, 3))
    assert found.dtype == tf.float32
    expected = np.asarray(tf.cast(images, tf.float32))
    np.testing.assert_array_equal(found, expected)


BAD_IMAGES = {
    "one image": (IMAGES[0], ValueError, ["(N, H, W, C)", "(4, 5, 3)", "images[None]"]),
    "gray": (
        np.zeros((2, 40, 50)),
        ValueError,
        ["(N, H, W, C)", "(2, 40, 50)", "images[None]", "images[..., None]"],
    ),
    "number": (3.0, ValueError, ["(N, H, W, C)", "shape ()"]),
    "video": (IMAGES[None], ValueError, ["(N, H, W, C)", "(1, 2, 4, 5, 3)"]),
    "empty batch": (IMAGES[:0], ValueError, ["at least one image", "(0, 4, 5, 3)"]),
    "no pixels": (IMAGES[:, :0], ValueError, ["one pixel", "(2, 0, 5, 3)"]),
    "text": ("cat.jpg", TypeError, ["real numbers", "<U7", "(N, H, W, C)"]),
    "nothing": (None, TypeError, ["real numbers", "object", "np.asarray"]),
    "complex": (IMAGES + 1j, TypeError, ["real numbers", "complex128"]),
    "complex tensor": (tf.constant(IMAGES + 1j), TypeError, ["complex128"]),
    "string tensor": (tf.constant([[[["a"]]]]), TypeError, ["real numbers", "string"]),
    "objects": (IMAGES.astype(object), TypeError, ["object", "np.asarray"]),
    "sizes": (
        [np.zeros((4, 5, 3)), np.zeros((6, 5, 3))],
        TypeError,
        ["one array", "several sizes are resized", "one by one"],
    ),
    "ragged": (
        tf.ragged.constant([[[[1.0]], [[1.0], [2.0]]]]),
        TypeError,
        ["RaggedTensor", "resized"],
    ),
    "sparse": (tf.sparse.from_dense(IMAGES), TypeError, ["a SparseTensor"]),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images(name):
    images, error, parts = BAD_IMAGES[name]
    raises(error, checks.checked_images, images, parts=parts)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_images_that_are_not_finite_are_named(value):
    images = np.zeros((9, 4, 5, 3))
    images[[1, 7], 2, 3] = value
    parts = ["finite numbers", "images number 1, 7 of the batch of 9", "fill"]
    raises(ValueError, checks.checked_images, images, parts=parts)
    raises(ValueError, checks.checked_images, np.full((9, 1, 1, 1), value), parts=["…"])


@pytest.mark.parametrize("expected", [(4, 4, 3), (None, None, 1), (5, 4, None)])
def test_images_of_another_size_than_the_model_takes(expected):
    text = ", ".join("any" if size is None else str(size) for size in expected)
    parts = [f"(N, {text})", "(2, 4, 5, 3)", "Resize"]
    raises(ValueError, checks.checked_images, IMAGES, expected, parts=parts)


def test_a_missing_channel_axis_does_not_slip_in():
    # (N, 32, 32) would broadcast into a model of (32, 32, 1).
    images = np.zeros((2, 32, 32))
    parts = ["(N, H, W, C)", "images[..., None]"]
    raises(ValueError, checks.checked_images, images, (32, 32, 1), parts=parts)


def test_all_finite(xla):
    values = np.zeros((4, 3, 2, 2), np.float32)
    values[1, 2, 1, 0], values[2, 0, 0, 1], values[3] = np.nan, -np.inf, 3e38
    found = tf.function(checks.all_finite, jit_compile=xla)(values)
    assert found.numpy().tolist() == [True, False, False, True]


# -- targets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets, expected",
    [
        (None, [-1, -1, -1]),
        (4, [4, 4, 4]),
        (-1, [-1, -1, -1]),
        ([0, -1, 9], [0, -1, 9]),
        ((1, 2, 3), [1, 2, 3]),
        (np.array([1, 2, 3], np.uint64), [1, 2, 3]),
        (np.array([1, 2, 3], np.int8), [1, 2, 3]),
        (tf.constant([1, 2, 3], tf.int64), [1, 2, 3]),
        (np.int64(7), [7, 7, 7]),
    ],
)
def test_targets(targets, expected):
    found = checks.checked_targets(targets, 3, 10)
    assert found.dtype == np.int32
    assert found.tolist() == expected


@pytest.mark.parametrize(
    "targets, error, parts",
    [
        ([0, 1, 10], ValueError, ["from 0 to 9", "−1", "got 10"]),
        ([0, 1, -2], ValueError, ["from 0 to 9", "−1", "got -2"]),
        (np.array([2**63, 0, 0], np.uint64), ValueError, [f"got {2**63}"]),
        ([1, 2], ValueError, ["(3,)", "one class an image", "(2,)"]),
        ([[1], [2], [3]], ValueError, ["(3,)", "(3, 1)"]),
        ([1.0, 2.0, 3.0], TypeError, ["integers", "float64", "np.argmax"]),
        ([True, False, True], TypeError, ["integers", "bool"]),
        (np.eye(3, dtype=np.float32), TypeError, ["float32", "np.argmax"]),
        ("cat", TypeError, ["integers", "<U3"]),
        ([[1, 2], [3]], TypeError, ["integers", "object"]),
        ([None, 1, 2], TypeError, ["integers", "object"]),
    ],
)
def test_bad_targets(targets, error, parts):
    raises(error, checks.checked_targets, targets, 3, 10, parts=parts)


def test_targets_where_the_classes_are_not_known():
    highest = np.iinfo(np.int32).max
    assert checks.checked_targets([highest - 1], 1).tolist() == [highest - 1]
    raises(ValueError, checks.checked_targets, 2**40, 1, parts=["from 0,", str(2**40)])


# -- segments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "int32", "int64", "uint64"]
)
def test_segments_of_any_integers_keep_their_partition(dtype):
    labels = np.random.default_rng(1).integers(0, 2, (2, 4, 5)).astype(dtype)
    if dtype != "bool":
        labels = labels * (np.iinfo(dtype).max - 1) + 1
    found = checks.checked_segments(labels, (2, 4, 5, 3))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, labels == labels.max())


def test_one_map_of_segments_serves_the_batch():
    labels = [[9, 9, 4], [700, 4, 9]]
    for given in (labels, np.array(labels), tf.constant(labels, tf.int64)):
        found = checks.checked_segments(given, (5, 2, 3, 1))
        assert found.tolist() == [[[1, 1, 0], [2, 0, 1]]] * 5


def test_images_have_groups_of_their_own():
    labels = np.array([[[3, 5]], [[5, 5]]])
    found = checks.checked_segments(labels, (2, 1, 2, 3))
    assert found.tolist() == [[[0, 1]], [[0, 0]]]


@pytest.mark.parametrize(
    "labels, error, parts",
    [
        (
            np.zeros((5, 4), int),
            ValueError,
            ["(4, 5)", "(2, 4, 5)", "(5, 4)", "Resize"],
        ),
        (np.zeros((3, 4, 5), int), ValueError, ["(2, 4, 5)", "(3, 4, 5)"]),
        (np.zeros((2, 4, 5, 1), int), ValueError, ["(2, 4, 5, 1)"]),
        (np.zeros((4, 5)), TypeError, ["integer labels", "float64", "astype"]),
        (np.full((4, 5), -3), ValueError, ["0 and above", "-3", "label of their own"]),
        ("grid", TypeError, ["integer labels", "<U4"]),
        ([[1, 2], [3]], TypeError, ["integer labels", "object"]),
    ],
)
def test_bad_segments(labels, error, parts):
    raises(error, checks.checked_segments, labels, (2, 4, 5, 3), parts=parts)


# -- settings ------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1e-9, 0.5, 1, np.float32(0.25), np.int64(1)])
def test_fractions(value):
    found = checks.checked_fraction("share", value)
    assert isinstance(found, float)
    assert found == value


@pytest.mark.parametrize("value", [0, -0.1, 1.01, np.nan, True, "a", None, 1j])
def test_bad_fractions(value):
    parts = ["share must be a number in (0.0, 1.0]", repr(value)]
    raises(ValueError, checks.checked_fraction, "share", value, parts=parts)


def test_fractions_within_other_bounds():
    assert checks.checked_fraction("share", 0, open_low=False) == 0
    assert checks.checked_fraction("share", 0.25, 0.1, 0.25) == 0.25
    raises(
        ValueError,
        checks.checked_fraction,
        "share",
        -1,
        open_low=False,
        parts=["[0.0, 1.0]", "-1"],
    )
    raises(ValueError, checks.checked_fraction, "share", 0.3, 0.1, 0.25, parts=["0.25"])


def test_counts():
    assert checks.checked_count("steps", np.int32(4)) == 4
    assert checks.checked_count("steps", 0, low=0) == 0
    for value, part in ((0, "at least 1, but got 0"), (-3, "but got -3")):
        raises(ValueError, checks.checked_count, "steps", value, parts=["steps", part])
    for value in (2.0, True, "2", None, np.nan):
        parts = ["steps must be an integer", repr(value)]
        raises(ValueError, checks.checked_count, "steps", value, parts=parts)


def test_numbers():
    assert checks.checked_number("sigma", 0, 0) == 0
    assert checks.checked_number("sigma", np.float32(2.5), 0, strict=True) == 2.5
    raises(
        ValueError,
        checks.checked_number,
        "sigma",
        0,
        0,
        strict=True,
        parts=["sigma", "above 0", "got 0"],
    )
    for value in (-1, np.nan, np.inf, True, "1", None, 1j):
        parts = ["sigma", "at least 0", repr(value)]
        raises(ValueError, checks.checked_number, "sigma", value, 0, parts=parts)


def test_choices():
    assert checks.checked_choice("order", "a", ("a", "b")) == "a"
    for value in ("c", None, 1, "A"):
        parts = ["order must be one of ('a', 'b')", repr(value)]
        raises(
            ValueError, checks.checked_choice, "order", value, ("a", "b"), parts=parts
        )


# -- status --------------------------------------------------------------------------


def test_flags_are_powers_of_two_with_a_text_each():
    flags = sorted(checks.STATUS_TEXTS)
    assert flags == [1, 2, 4, 8, 16, 32]


def test_status_in_words():
    assert checks.describe_status(0) == "ok"
    assert "NaN or infinite pixels" in checks.describe_status(np.int32(1))
    both = checks.describe_status(2 + 8)
    assert both.count(";") == 1
    assert "out of the model's range" in both and "gradient holds NaN" in both

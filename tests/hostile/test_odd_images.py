"""Images of any numbers and shapes: a right map, a status, or an error in words."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, relative_error

SIZE = (6, 5, 3)
REAL = ("bool", "int8", "uint8", "int16", "uint16", "int32", "int64", "float16",
        "float32", "float64")  # fmt: skip
OTHER = ("complex64", "S3", "U2", "datetime64[s]", "O")


@functools.cache
def weights():
    return np.random.default_rng(3).normal(size=(90, CLASSES)).astype("float32")


@functools.cache
def explainer():
    """Of a linear model: its map is its weights, whatever the image."""

    def model(images):
        return tf.matmul(tf.reshape(images, [-1, 90]), weights())

    return tss.SimpleGradient(model, score="logit", model_output="logit")


def expected(targets):
    return weights().T[targets].reshape(-1, *SIZE)


finite = st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False)


@given(data=st.data())
def test_numbers_of_any_type_have_their_map(data):
    dtype = data.draw(st.sampled_from(REAL))
    shape = (data.draw(st.integers(1, 3)), *SIZE)
    kind = finite if dtype in ("float32", "float64") else None
    images = data.draw(arrays.arrays(dtype, shape, elements=kind))
    targets = data.draw(st.lists(st.integers(0, 4), min_size=len(images),
                                 max_size=len(images)))  # fmt: skip
    if not np.isfinite(np.float32(images)).all():
        with pytest.raises(ValueError, match="NaN or infinite pixels"):
            explainer()(images, targets)
        return
    out = explainer()(images, targets)
    assert out["status"].numpy().tolist() == [0] * len(images)
    np.testing.assert_allclose(out["maps"], expected(targets), rtol=1e-6)


@given(data=st.data())
def test_bad_pixels_are_refused_or_flagged_and_spare_their_neighbours(data):
    count = data.draw(st.integers(1, 4))
    images = np.full((count, *SIZE), 100.0, np.float32)
    bad = data.draw(st.sets(st.integers(0, count - 1)))
    for number in bad:
        place = tuple(data.draw(st.integers(0, side - 1)) for side in SIZE)
        images[(number, *place)] = data.draw(st.sampled_from((np.nan, np.inf, -np.inf)))
    if bad:
        with pytest.raises(ValueError, match="NaN or infinite pixels"):
            explainer()(images, 1)
    (out,) = explainer().explain_batches(iter([images]))  # a source says so in `status`
    status = [1 if number in bad else 0 for number in range(count)]
    assert out["status"].tolist() == status
    for number, one in enumerate(out["maps"]):
        if number in bad:
            assert np.isnan(one).all() and np.isnan(out["scores"][number])
        else:
            label = out["targets"][number : number + 1]
            np.testing.assert_allclose(one[None], expected(label), rtol=1e-6)


shapes = st.lists(st.integers(0, 7), max_size=6).map(tuple)


@given(shape=shapes, dtype=st.sampled_from(REAL))
def test_other_shapes_are_refused_in_words(shape, dtype):
    if len(shape) == 4 and shape[1:] == SIZE and shape[0]:
        return
    model = explainer().model
    known = tss.SimpleGradient(model, score="logit", model_output="logit")
    known._image_shape = lambda inputs=(): SIZE
    with pytest.raises(ValueError, match=r"images must .*got shape"):
        known(np.zeros(shape, dtype))


@given(dtype=st.sampled_from(OTHER), shape=shapes)
def test_what_is_no_number_is_refused_in_words(dtype, shape):
    with pytest.raises(TypeError, match="array of real numbers"):
        explainer()(np.zeros(shape, dtype))


anything = st.recursive(
    st.none() | st.booleans() | st.text() | st.binary() | st.complex_numbers(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=5,
)


@given(images=anything)
def test_objects_are_refused_in_words(images):
    with pytest.raises((TypeError, ValueError), match=r"\w"):
        explainer()(images)


@given(targets=st.lists(st.integers(-(2**65), 2**65), max_size=3) | anything)
def test_labels_are_classes_or_refused(targets):
    images = np.zeros((2, *SIZE), np.float32)
    usable = targets is None or (
        isinstance(targets, list)
        and len(targets) == 2
        and all(type(one) is int and -1 <= one < 2**31 - 1 for one in targets)
    )
    if usable:
        out = explainer()(images, targets)
        for label, status in zip(targets or (-1, -1), out["status"].numpy()):
            assert status == (0 if label < CLASSES else 2)
        return
    with pytest.raises((TypeError, ValueError), match="targets must"):
        explainer()(images, targets)


SUPERPIXELS = (
    tss.Quickshift(),
    tss.SquareGrid(size=8),
    tss.RandomPartition(n_segments=1),
    tss.Felzenszwalb(),
    tss.CompactWatershed(),
)
METHODS = (
    functools.partial(tss.SmoothGrad, num_samples=2),
    functools.partial(tss.SparsifiedSmoothGrad, num_samples=2),
    functools.partial(tss.IntegratedGradients, num_steps=2),
)


@pytest.mark.parametrize("layer", SUPERPIXELS, ids=lambda layer: type(layer).__name__)
def test_one_pixel_is_one_superpixel(layer):
    images = np.float32([[[[9, 8, 7]]], [[[255, 0, 0]]], [[[0, 0, 0]]]])
    assert (layer(images).numpy() == 0).all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.func.__name__)
def test_one_pixel_has_a_map(method):
    def model(images):
        return tf.reshape(images, [-1, 3]) * [[1.0, 2.0, 4.0]]

    images = np.float32([[[[9, 8, 7]]], [[[255, 0, 0]]], [[[0, 0, 0]]]])
    layer = tss.SquareGrid(size=8)
    explained = method(model, layer, score="logit", model_output="logit")
    out = explained(images, [0, 1, 2])
    assert out["maps"].shape == (3, 1, 1, 3) and (out["segments"].numpy() == 0).all()
    assert np.isfinite(out["maps"]).all()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_huge_and_tiny_values_keep_their_map(scale):
    # A smooth model of the image over its own scale: the map is that of 1 over scale.
    keras.utils.set_random_seed(2)
    inner = keras.Sequential(
        [keras.Input(SIZE), keras.layers.Flatten(), keras.layers.Dense(4, "tanh"),
         keras.layers.Dense(3, activation="softmax")]
    )  # fmt: skip
    images = np.random.default_rng(0).uniform(0, 1, (2, *SIZE)).astype("float32")

    def maps(scale):
        power = np.float32(2.0 ** np.round(np.log2(scale)))
        explained = tss.SmoothGrad(
            lambda x: inner(x / power), num_samples=3, model_output="probability"
        )
        out = explained(images * power, [0, 2])
        return out["maps"].numpy().astype("float64") * float(power), out["status"]

    (reference, _), (found, status) = maps(1.0), maps(scale)
    assert status.numpy().tolist() == [0, 0]
    assert relative_error(found, reference).max() < 1e-4

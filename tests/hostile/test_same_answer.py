"""One seed, one answer: over batches, orders, ways to call, threads, exports."""

import concurrent.futures
import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, photos, relative_error
from tests.explainers.partitions import Brightness

COUNT = 6
SIZE = (12, 11, 3)
METHODS = {
    "simple": tss.SimpleGradient,
    "smooth": functools.partial(tss.SmoothGrad, num_samples=5, seed=7),
    "integrated": functools.partial(tss.IntegratedGradients, num_steps=5),
}
# Few, as each is traced: a rectified network, whose answers are the same bits one by
# one, and smooth ones.
KINDS = st.sampled_from(
    (("simple", "relu"), ("smooth", "swish"), ("integrated", "swish"))
)


@functools.cache
def network(activation):
    keras.utils.set_random_seed(5)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Rescaling(1 / 255),
            layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Activation(activation),
            layers.DepthwiseConv2D(3, 2),
            layers.Activation(activation),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )


@functools.cache
def explainer(name, activation):
    return METHODS[name](network(activation), Brightness())


@functools.cache
def images():
    return photos(COUNT, SIZE, seed=2)


@functools.cache
def alone(name, activation):
    """The answers for each image by itself."""
    explain = explainer(name, activation)
    outs = [as_arrays(explain(images()[n : n + 1])) for n in range(COUNT)]
    return {key: np.concatenate([out[key] for out in outs]) for key in outs[0]}


orders = st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=9)


def batches_of(order, cuts):
    edges = [0, *sorted({cut % len(order) for cut in cuts} - {0}), len(order)]
    return [order[start:stop] for start, stop in itertools.pairwise(edges)]


def check(out, name, activation, rows):
    expected = {key: value[rows] for key, value in alone(name, activation).items()}
    # A smooth model's; a rectified one may meet a kink, see below.
    tolerance = 1e-5 if activation == "swish" else 1e-2
    assert relative_error(out["maps"], expected["maps"]).max() <= tolerance
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(out[key], expected[key])
    np.testing.assert_allclose(out["scores"], expected["scores"], rtol=1e-5)


@pytest.mark.thorough
@given(KINDS, orders, st.lists(st.integers(0, 8)))
def test_any_batches_in_any_order(kind, order, cuts):
    name, activation = kind
    for rows in batches_of(order, cuts):
        out = explainer(name, activation)(images()[rows])
        check(as_arrays(out), name, activation, rows)


@given(KINDS, orders)
def test_one_by_one_the_bits_are_the_same(kind, order):
    explain, expected = explainer(*kind), alone(*kind)
    ways = {
        "call": [as_arrays(explain(images()[[row]])) for row in order],
        "batches": list(explain.explain_batches(images()[order], batch_size=1)),
    }
    for outs in ways.values():
        for row, out in zip(order, outs):
            for key, value in out.items():
                np.testing.assert_array_equal(value[0], expected[key][row])


@given(KINDS, orders)
def test_reruns_have_the_same_bits(kind, order):
    first, again = (explainer(*kind)(images()[order]) for _ in range(2))
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])


@pytest.mark.thorough
def test_predict_and_datasets():
    explain = explainer("smooth", "swish")
    dataset = tf.data.Dataset.from_tensor_slices(images()).batch(1)
    outs = [
        explain.predict(images(), batch_size=1, verbose=0),
        explain.predict(dataset, verbose=0),
    ]
    for out in outs:
        check(out, "smooth", "swish", list(range(COUNT)))
        np.testing.assert_array_equal(out["maps"], alone("smooth", "swish")["maps"])


def test_an_export_answers_alike(tmp_path):
    explainer("smooth", "swish").export(tmp_path / "saved")
    serve = tf.saved_model.load(tmp_path / "saved").signatures["explain_maps"]

    @given(orders)
    def compare(order):
        targets = tf.fill([len(order)], -1)
        out = serve(images=tf.constant(images()[order]), targets=targets)
        check(as_arrays(out), "smooth", "swish", order)

    compare()


@pytest.mark.thorough
def test_many_threads_share_an_explainer():
    """Its first calls, which trace its graphs, among them."""
    explain = METHODS["smooth"](network("swish"), Brightness())
    expected = alone("smooth", "swish")["maps"]
    small = images()[:, :7, :8]
    free = tss.SmoothGrad(lambda x: keras.ops.softmax(tf.reduce_mean(x, [1, 2])),
                          num_samples=2, model_output="probability")  # fmt: skip

    def work(number):
        row = number % COUNT
        out = explain(images()[[row]])["maps"].numpy()[0]
        other = free((images(), small)[number % 2][[row]])["maps"].numpy()[0]
        return row, number % 2, out, other

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, range(64)))
    assert len(done) == 64
    for row, kind, out, other in done:
        np.testing.assert_array_equal(out, expected[row])
        again = free((images(), small)[kind][[row]])["maps"].numpy()[0]
        np.testing.assert_array_equal(other, again)


def test_a_kink_is_met_by_rounding_alone():
    """Why maps of rectified networks are promised one by one only.

    The input of the rectifier is 0 but for rounding: whichever way the sum is added
    up, the map is 0 or 1. No tolerance between 0 and the map itself would hold.
    """
    values = np.float32([1.0, 2.0**-30, -1.0])  # 0 or 2⁻³⁰, as they are added up

    def model(images, order):
        taken = tf.gather(tf.reshape(images, [-1, 3]), order, axis=1)
        total = tf.zeros_like(taken[:, 0])
        for column in range(3):
            total += taken[:, column]
        return tf.stack([tf.nn.relu(total), 0 * total], axis=1)

    maps = {
        order: tss.SimpleGradient(
            functools.partial(model, order=order), score="logit", model_output="logit"
        )(values.reshape(1, 1, 1, 3), 0)["maps"].numpy()
        for order in ((0, 1, 2), (0, 2, 1))
    }
    assert {float(one.max()) for one in maps.values()} == {0.0, 1.0}

"""Models that misbehave: told in words or by a status, and left as they were."""

import functools
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import relative_error

SIZE = (8, 8, 3)
LAYERS = keras.layers


def images():
    return np.random.default_rng(0).uniform(0, 255, (3, *SIZE)).astype("float32")


def smooth(model, **settings):
    return tss.SmoothGrad(model, tss.SquareGrid(size=4), num_samples=2, **settings)


def built(*layers, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input(SIZE), LAYERS.Rescaling(1 / 255), *layers, LAYERS.Flatten(),
         LAYERS.Dense(4, activation="softmax")]
    )  # fmt: skip


def quiet(explainer, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return explainer(*arguments)


GRADIENTS = (
    tss.SimpleGradient,
    functools.partial(tss.SmoothGrad, num_samples=2),
    functools.partial(tss.SparsifiedSmoothGrad, num_samples=2),
    functools.partial(tss.IntegratedGradients, num_steps=2),
)


@pytest.mark.cases(1)
@pytest.mark.parametrize("method", GRADIENTS)
def test_a_constant_answer_is_a_zero_map_and_a_warning(method):
    model = built()
    model.set_weights([0 * weight for weight in model.get_weights()])
    with pytest.warns(UserWarning, match="3 of 3 images: the map is 0 everywhere"):
        out = method(model, tss.SquareGrid(size=4))(images())
    assert not out["maps"].numpy().any() and out["status"].numpy().tolist() == [4] * 3


@pytest.mark.parametrize("method", GRADIENTS[:3])
def test_a_gradient_that_is_no_number_is_told_of_its_image_alone(method):
    def model(pictures):
        root = tf.sqrt(tf.reduce_mean(pictures, [1, 2, 3]) - 50.0)  # NaN in the dark
        return tf.stack([0.0 * root, root + pictures[:, 0, 0, 0]], axis=1)

    pictures = images()
    pictures[1] = 1.0
    explainer = method(model, score="logit", model_output="logit")
    with pytest.warns(UserWarning, match="1 of 3 images: the gradient holds NaN"):
        out = explainer(pictures, 1)
    assert out["status"].numpy().tolist() == [0, 8, 0]
    assert np.isfinite(out["maps"].numpy()[[0, 2]]).all()


class Counting(LAYERS.Layer):
    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs * (1.0 + self.calls)


class WrongMode(keras.Model):
    """Trains its batch norm and drops at random, whatever it is told."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = LAYERS.BatchNormalization(), LAYERS.Dropout(0.5, seed=1)
        self.flat, self.dense = LAYERS.Flatten(), LAYERS.Dense(4, activation="softmax")

    def call(self, pictures):
        x = self.norm(pictures / 255.0, training=True)
        return self.dense(self.flat(self.drop(x, training=True)))


def wrong_mode(is_built):
    keras.utils.set_random_seed(1)
    model = WrongMode()
    if is_built:
        model(images())
    return model


WRITERS = {
    "counts its calls": lambda: built(Counting()),
    "counts, frozen": lambda: built(
        LAYERS.Conv2D(4, 3), LAYERS.BatchNormalization(), Counting()
    ),
    "wrong mode": lambda: wrong_mode(True),
    "wrong mode, never called": lambda: wrong_mode(False),
}


@pytest.mark.cases(1)
@pytest.mark.parametrize("kind", WRITERS)
def test_what_a_model_writes_is_dropped_and_told(kind):
    model = WRITERS[kind]()
    explainer = smooth(model)
    before = [value.numpy() for value in model.variables]
    with pytest.warns(UserWarning, match="writes to its own variables"):
        first = explainer(images())
    if "never called" in kind:  # made by the first call
        before = [value.numpy() for value in model.variables]
    assert np.abs(first["maps"]).max() > 0
    again = quiet(explainer, images())
    np.testing.assert_array_equal(first["maps"], again["maps"])
    for old, value in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, value.numpy())


def test_a_counter_at_rest_has_its_map():
    # Dropped writes are seen by nobody: the map is that of the model as it stands.
    model = built(Counting())
    with pytest.warns(UserWarning):
        found = smooth(model)(images())["maps"].numpy()
    weights = model.get_weights()
    plain = built()
    plain.set_weights(weights[-2:])
    doubled = keras.Sequential([LAYERS.Rescaling(2.0), plain])  # 1 + its own call
    expected = smooth(doubled)(images())["maps"].numpy()
    assert relative_error(found, expected).max() < 1e-5


def test_what_is_out_of_reach_is_told():
    count = tf.Variable(0.0)

    def model(pictures):
        count.assign_add(1.0)
        return tf.nn.softmax(tf.reduce_mean(pictures, [1, 2]) / 255.0 + count)

    @tf.function
    def inside(pictures):
        return tf.nn.softmax(tf.nn.dropout(tf.reduce_mean(pictures, [1, 2]), 0.5))

    for one in (model, inside):
        with pytest.warns(UserWarning, match="may have another map the next time"):
            smooth(one, model_output="probability")(images())


def test_models_in_order_are_not_warned_of():
    model = built(
        LAYERS.Conv2D(4, 3, use_bias=False), LAYERS.BatchNormalization(),
        LAYERS.Dropout(0.5), LAYERS.GaussianNoise(1.0),
    )  # fmt: skip
    quiet(smooth(model), images())
    quiet(smooth(model, fold_batch_norms=False), images())


def test_recurrent_layers_with_a_state_are_refused():
    shape = keras.Input(SIZE, batch_size=3)
    rows = LAYERS.LSTM(2, stateful=True, name="memory")(LAYERS.Reshape((8, 24))(shape))
    model = keras.Model(shape, LAYERS.Dense(4, activation="softmax")(rows))
    with pytest.raises(ValueError, match=r"memory are stateful.*stateful=False"):
        tss.SmoothGrad(model)


# Of the map's maximum: eps of each type, some two hundred times for half the bits.
POLICIES = {
    "float64": 1e-5, "float16": 0.02, "mixed_bfloat16": 0.1,
}  # fmt: skip


@pytest.mark.cases(1)
@pytest.mark.parametrize("policy", POLICIES)
def test_models_in_other_types(policy):
    def network():
        keras.utils.set_random_seed(3)
        return built(LAYERS.Conv2D(4, 3, activation="tanh"), seed=3)

    plain = network()
    expected = quiet(smooth(plain), images(), 1)
    keras.config.set_dtype_policy(policy)
    try:
        model = network()
        model.set_weights(plain.get_weights())
        found = quiet(smooth(model), images(), 1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert found["maps"].dtype == tf.float32
    np.testing.assert_array_equal(found["segments"], expected["segments"])
    error = relative_error(found["maps"], expected["maps"]).max()
    assert error < POLICIES[policy] and (policy == "float64" or error > 1e-6)

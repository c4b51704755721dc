"""Which layer's feature maps are taken, in models of every kind."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.explainers.networks import SIZE, classifier, photos, relative_error
from tf_superpixel_saliency.explainers import GradCAM
from tf_superpixel_saliency.explainers.feature_maps import FeatureMaps

layers = keras.layers
TARGETS = [1, 0, 2]


@pytest.fixture(autouse=True)
def same_weights():
    keras.utils.set_random_seed(0)


def trunk(name="trunk", size=SIZE):
    inputs = keras.Input(size)
    x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs / 255)
    x = layers.Conv2D(5, 3, activation="relu", name="second")(x)
    return keras.Model(inputs, x, name=name)


def head():
    steps = [layers.Flatten(), layers.Dense(3, "softmax")]
    return keras.Sequential(steps, name="head")


def chained(*steps):
    return functools.partial(functools.reduce, lambda x, step: step(x), steps)


# Each gives a model, the names on the way to its last feature maps, and the model as
# two functions, put together of the same layers by hand.


def sequential():
    model = classifier()
    return model, ["conv2d"], chained(*model.layers[:3]), chained(*model.layers[3:])


def functional():
    steps = [trunk(), layers.SpatialDropout2D(0.5, name="last"), head()]
    inputs = keras.Input(SIZE)
    model = keras.Model(inputs, chained(*steps)(inputs))
    return model, ["last"], steps[0], steps[2]


def bare_operation():
    steps = [trunk(), lambda x: 2.0 * x, head()]
    inputs = keras.Input(SIZE)
    model = keras.Model(inputs, chained(*steps)(inputs))
    return model, ["multiply"], chained(*steps[:2]), steps[2]


def model_inside():
    first, last = trunk(), head()
    inputs = keras.Input(SIZE)
    model = keras.Model(inputs, last(first(layers.Rescaling(0.5)(inputs))))
    return model, ["trunk"], lambda x: first(x / 2), last


def classifier_inside():
    inner, _, features, rest = sequential()
    model = keras.Sequential([keras.Input(SIZE), layers.Rescaling(0.5), inner])
    return model, ["sequential", "conv2d"], lambda x: features(x / 2), rest


def twice_inside():
    first, last = trunk(), head()
    middle = keras.Sequential(
        [keras.Input(SIZE), first, layers.Flatten()], name="middle"
    )
    inputs = keras.Input(SIZE)
    model = keras.Model(inputs, last(middle(inputs)))
    return model, ["middle", "trunk"], first, chained(layers.Flatten(), last)


def shared_activation():
    relu = layers.ReLU(name="shared")
    convolutions = [layers.Conv2D(4, 3), layers.Conv2D(5, 3)]
    rest = [layers.Flatten(), layers.Dense(7), relu, layers.Dense(3, "softmax")]
    inputs = keras.Input(SIZE)
    features = [layers.Rescaling(0.01), convolutions[0], relu, convolutions[1], relu]
    model = keras.Model(inputs, chained(*features, *rest)(inputs))
    return model, ["shared"], chained(*features), chained(*rest)


def axes_kept_by_the_pooling():
    first = trunk()
    rest = [
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.Conv2D(3, 1, name="as_dense"),
        layers.Flatten(),
        layers.Softmax(),
    ]
    model = keras.Model(first.input, chained(*rest)(first.output))
    return model, ["second"], first, chained(*rest)


KINDS = [
    sequential,
    functional,
    bare_operation,
    model_inside,
    classifier_inside,
    twice_inside,
    shared_activation,
    axes_kept_by_the_pooling,
]


def by_hand(features, rest, target):
    """(N, H, W, 1): GradCAM of one class, before the ReLU."""
    with tf.GradientTape() as tape:
        maps = tf.identity(features(photos()))
        tape.watch(maps)
        score = rest(maps)[:, target]
    weights = tf.reduce_mean(tape.gradient(score, maps), [1, 2], keepdims=True)
    return tf.image.resize(tf.reduce_sum(weights * maps, -1, keepdims=True), SIZE[:2])


@pytest.mark.cases(2)
@pytest.mark.parametrize("build", KINDS)
def test_the_last_feature_maps_are_those_of_the_model_cut_in_two(build):
    model, names, features, rest = build()
    explainer = GradCAM(model, relu=False)
    for target in (0, 2):
        found = explainer(photos(), target)["maps"]
        expected = by_hand(features, rest, target)
        assert relative_error(found, expected).max() < 1e-5
    path = explainer._feature_maps._path
    assert len(path) == len(names)
    for layer, name in zip(path, names):
        assert layer.name.startswith(name)
    plain = model(photos(), training=False)
    outputs = explainer._feature_maps.outputs(tf.constant(photos()), lambda maps: maps)
    np.testing.assert_allclose(outputs, plain, rtol=1e-6)


@pytest.mark.parametrize("layer", ["trunk", "trunk/first", "first"])
def test_a_layer_is_named_alone_or_by_its_path(layer):
    model, _, _, _ = model_inside()
    inner = model.get_layer("trunk")
    if layer != "trunk":
        inner = keras.Model(inner.input, inner.get_layer("first").output)
    maps = FeatureMaps(model, layer).features(tf.constant(photos()))
    np.testing.assert_allclose(maps, inner(photos() / 2), rtol=1e-5, atol=1e-6)


def test_several_of_a_name_are_told_apart_by_their_path():
    inputs = keras.Input(SIZE)
    x = layers.Add()([trunk("left")(inputs), trunk("right")(inputs)])
    model = keras.Model(inputs, head()(x))
    with pytest.raises(ValueError, match=r"2 layers .* '(left|right)/first' or '"):
        GradCAM(model, layer="first")
    path = FeatureMaps(model, "left/first")._path
    assert [layer.name for layer in path] == ["left", "first"]


def test_a_path_around_the_layer_does_not_count():
    low = layers.Conv2D(4, 3, padding="same", activation="relu")
    # In inference a dropout hands on the very tensor that also goes around it.
    high, last = layers.Dropout(0.5, name="high"), head()
    inputs = keras.Input(SIZE)
    x = low(inputs / 255)
    model = keras.Model(inputs, last(layers.Add(name="sum")([3 * x, high(x)])))
    around = 3 * low(photos() / 255)
    found = GradCAM(model, layer="high", relu=False)(photos(), 1)["maps"]
    expected = by_hand(lambda x: low(x / 255), lambda x: last(around + x), 1)
    assert relative_error(found, expected).max() < 1e-5


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.trunk = trunk()
        self.head = head()

    def call(self, images):
        return self.head(self.trunk(images))


@pytest.mark.parametrize("kind", ["subclassed", "function"])
def test_other_models_take_a_pair_of_functions(kind):
    model = Subclassed()
    model(photos())
    given = model if kind == "subclassed" else lambda x: model(x, training=False)
    explainer = GradCAM(given, layer=(model.trunk, model.head), relu=False)
    found = explainer(photos(), 2)["maps"]
    assert relative_error(found, by_hand(model.trunk, model.head, 2)).max() < 1e-5
    assert len(explainer.weights) == (len(model.weights) if given is model else 0)


def test_a_model_that_was_never_called():
    convolution, rest = layers.Conv2D(4, 3, activation="relu"), head()
    model = keras.Sequential([layers.Rescaling(1 / 255), convolution, *rest.layers])
    found = GradCAM(model, relu=False)(photos(), 1)["maps"]
    expected = by_hand(lambda x: convolution(x / 255), chained(*rest.layers), 1)
    assert relative_error(found, expected).max() < 1e-5


def test_the_model_is_left_as_it_is():
    model, _, features, rest = model_inside()
    before = [len(layer._inbound_nodes) for layer in model.layers]
    explainer = GradCAM(model, relu=False)
    first = explainer(photos(), 0)["maps"].numpy()
    assert [len(layer._inbound_nodes) for layer in model.layers] == before
    assert len(explainer.weights) == len(model.weights)
    # Its weights are read anew at every call.
    model.set_weights([weight * 1.5 for weight in model.get_weights()])
    second = explainer(photos(), 0)["maps"].numpy()
    assert relative_error(second, by_hand(features, rest, 0)).max() < 1e-5
    assert relative_error(second, first).min() > 0.1


def test_dropout_is_off_whatever_the_graph_says():
    first, last = trunk(), head()
    inputs = keras.Input(SIZE)
    x = layers.Dropout(0.5, name="drop")(first(inputs), training=True)
    model = keras.Model(inputs, last(x))
    for layer in (None, "trunk"):
        found = GradCAM(model, layer=layer, relu=False)(photos(), 1)["maps"]
        assert relative_error(found, by_hand(first, last, 1)).max() < 1e-5


def test_half_precision_layers():
    plain = model_inside()[0]
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = model_inside()[0]
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    mixed.set_weights(plain.get_weights())
    expected = GradCAM(plain, relu=False)(photos(), TARGETS)["maps"]
    out = GradCAM(mixed, relu=False)(photos(), TARGETS)
    assert out["maps"].dtype == tf.float32
    # bfloat16 has 8 bits.
    assert 0 < relative_error(out["maps"], expected).max() < 0.05


def opaque_inside():
    return keras.Sequential([keras.Input(SIZE), layers.Conv2D(3, 1), Subclassed()])


def no_maps():
    inputs = keras.Input(SIZE)
    return keras.Model(inputs, head()(layers.Rescaling(1 / 255)(inputs)))


def inside():
    return model_inside()[0]


@pytest.mark.parametrize(
    ("build", "layer", "error", "text"),
    [
        (Subclassed, None, ValueError, r"does not show its layers.*layer=\(features"),
        (Subclassed, "trunk", ValueError, "does not show its layers"),
        (lambda: lambda x: x[:, 0, 0], None, ValueError, "does not show its layers"),
        (opaque_inside, None, ValueError, "may be inside of Subclassed"),
        (no_maps, None, ValueError, "no layer with an output of shape"),
        (inside, "third", ValueError, "no layer 'third'.*trunk/first.*trunk/second"),
        (inside, "head", ValueError, r"'head' must give feature maps.*\(None, 3\)"),
        (inside, 3, TypeError, "layer must be the name"),
        (inside, ("first", "second"), TypeError, "layer must be the name"),
        (inside, (len,), TypeError, "layer must be the name"),
    ],
)
def test_what_can_not_be_found_is_named_at_once(build, layer, error, text):
    model = build()
    with pytest.raises(error, match=text):
        GradCAM(model, layer=layer)


def test_a_function_that_gives_no_maps_is_named():
    model = Subclassed()
    explainer = GradCAM(model, layer=(layers.Flatten(), model.head))
    with pytest.raises(ValueError, match="must give feature maps of shape"):
        explainer(photos())

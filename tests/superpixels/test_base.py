"""What all super-pixel layers promise, on the layers that take any image."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from tests.reference import groups as reference
from tf_superpixel_saliency.superpixels.base import SuperpixelLayer
from tf_superpixel_saliency.superpixels.compact_watershed import CompactWatershed
from tf_superpixel_saliency.superpixels.felzenszwalb import Felzenszwalb
from tf_superpixel_saliency.superpixels.random_partition import RandomPartition
from tf_superpixel_saliency.superpixels.square_grid import SquareGrid

HOST = {
    "felzenszwalb": lambda **kwargs: Felzenszwalb(2, 0.6, 5, **kwargs),
    "compact_watershed": lambda **kwargs: CompactWatershed(60, 0.01, 2, **kwargs),
    "grid like host": lambda **kwargs: SquareGrid(like=CompactWatershed(30, **kwargs)),
    "permutation like host": lambda **kwargs: RandomPartition(
        like=Felzenszwalb(**kwargs), mode="permutation", seed=5
    ),
}
GRAPH = {
    "squares": lambda **kwargs: SquareGrid(7, **kwargs),
    "grid": lambda **kwargs: SquareGrid(n_segments=23, **kwargs),
    "grid like iid": lambda **kwargs: SquareGrid(
        like=RandomPartition(40, seed=3, **kwargs)
    ),
    "iid": lambda **kwargs: RandomPartition(31, **kwargs),
    "permutation": lambda **kwargs: RandomPartition(
        37, mode="permutation", seed=2, **kwargs
    ),
    "permutation like grid": lambda **kwargs: RandomPartition(
        like=SquareGrid(5, **kwargs), mode="permutation"
    ),
}
ALL = {**HOST, **GRAPH}


def pytest_generate_tests(metafunc):
    for name, layers in (("make", ALL), ("make_graph", GRAPH), ("make_host", HOST)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, layers.values(), ids=layers.keys())


def photos(channels=3):
    """Two photos, 40×52, uint8, with any number of channels."""
    pair = [data.astronaut()[90:130, 200:252], data.coffee()[100:140, 180:232]]
    return np.concatenate([np.stack(pair)] * 2, axis=-1)[..., :channels]


class Recorder(SuperpixelLayer):
    """One group; keeps what it was given to segment."""

    def segment(self, images):
        self.given = images
        return tf.zeros(tf.shape(images)[:3], tf.int32)

    def scaled(self, images):
        self(images)
        return self.given


class Levels(SuperpixelLayer):
    """Each pixel's own level as its label, so that numbers have gaps."""

    def segment(self, images):
        return tf.cast(images[..., 0], tf.int32)


def test_labels_are_numbered_in_raster_order(make):
    segments = make()(photos()).numpy()
    assert segments.dtype == np.int32 and segments.shape == (2, 40, 52)
    np.testing.assert_array_equal(segments, reference.number(segments))


def test_the_base_numbers_what_a_subclass_returns():
    images = np.array([[[9, 4], [4, 1]], [[0, 0], [3, 0]]], np.float32)[..., None]
    segments = Levels(value_range=(0, 1))(np.minimum(images, 3))
    np.testing.assert_array_equal(segments, [[[0, 0], [0, 1]], [[0, 0], [1, 0]]])


def test_uint8_equals_float(make):
    layer = make()
    expected = layer(photos()).numpy()
    for dtype in ("float32", "float64", "int32", "uint16"):
        np.testing.assert_array_equal(layer(photos().astype(dtype)), expected)


@pytest.mark.cases(2)
def test_a_batch_equals_its_images_alone(make):
    layer = make()
    images = np.concatenate([photos(), photos()[::-1], photos()])
    segments = layer(images).numpy()
    for image, alone in zip(images, segments):
        np.testing.assert_array_equal(layer(image[None])[0], alone)


def test_an_empty_batch_has_no_segments(make):
    assert make()(photos()[:0]).shape == (0, 40, 52)


@pytest.mark.cases(2)
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_any_number_of_channels(make, channels):
    layer = make()
    images = photos(channels)
    segments = layer(images).numpy()
    np.testing.assert_array_equal(segments, reference.number(segments))
    assert segments.max() > 0
    graph = tf.function(
        layer.__call__,
        input_signature=[tf.TensorSpec([None, None, None, channels], tf.uint8)],
    )
    np.testing.assert_array_equal(graph(images), segments)


def test_one_pixel(make_host):
    np.testing.assert_array_equal(
        make_host()(np.ones((2, 1, 1, 3))), np.zeros((2, 1, 1))
    )


@pytest.mark.parametrize("layer", [SquareGrid(3), SquareGrid(n_segments=1)])
def test_one_pixel_of_a_grid(layer):
    np.testing.assert_array_equal(layer(np.ones((2, 1, 1, 3))), np.zeros((2, 1, 1)))


@pytest.mark.parametrize("mode", ["iid", "permutation"])
def test_one_pixel_at_random(mode):
    layer = RandomPartition(1, mode=mode)
    np.testing.assert_array_equal(layer(np.ones((2, 1, 1, 3))), np.zeros((2, 1, 1)))


@pytest.mark.cases(1)
def test_sizes_are_unknown_or_known_alike(make):
    layer = make()
    eager = layer(photos()).numpy()
    for spec in (
        [None, None, None, 3],
        [None, 40, 52, 3],
        [2, 40, 52, 3],
        [2, None, 52, 3],
    ):
        graph = tf.function(
            layer.__call__, input_signature=[tf.TensorSpec(spec, tf.uint8)]
        )
        np.testing.assert_array_equal(graph(photos()), eager)
        out_shape = graph.get_concrete_function().structured_outputs.shape
        assert out_shape.as_list() == spec[:3]


def test_xla_gives_equal_labels(make_graph):
    layer = make_graph()
    assert layer.supports_jit and not layer.on_host
    compiled = tf.function(
        layer.__call__,
        jit_compile=True,
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)],
    )
    for images in (photos(), photos()[:1, :19, :33]):
        np.testing.assert_array_equal(compiled(images), layer(images))


def test_host_layers_say_that_they_are(make_host):
    layer = make_host()
    assert layer.on_host and not layer.supports_jit


def test_xla_names_the_host_layer_that_it_refuses(make_host):
    compiled = tf.function(make_host().__call__, jit_compile=True)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="runs_on_the_host_without"
    ):
        compiled(tf.constant(photos()))


@pytest.mark.cases(2)
def test_predict_and_tf_data(make):
    layer = make()
    expected = layer(photos()).numpy()
    model = keras.Sequential([keras.Input((None, None, 3), dtype="uint8"), layer])
    np.testing.assert_array_equal(
        model.predict(photos(), batch_size=1, verbose=0), expected
    )
    dataset = tf.data.Dataset.from_tensor_slices(photos()).batch(1)
    mapped = dataset.map(layer, num_parallel_calls=2).unbatch().batch(2)
    np.testing.assert_array_equal(next(iter(mapped)), expected)


@pytest.mark.cases(2)
@pytest.mark.filterwarnings("ignore:Model doesn't support `jit_compile=True`")
def test_keras_compiles_what_can_be_compiled(make):
    layer = make()
    model = keras.Sequential([keras.Input((None, None, 3), dtype="uint8"), layer])
    model.compile(jit_compile=True)
    assert model.jit_compile is not layer.on_host
    np.testing.assert_array_equal(model.predict(photos(), verbose=0), layer(photos()))


def test_configuration_round_trip(make):
    layer = make(value_range=(-1, 3), name="mine") if make in PLAIN else make()
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(stored)
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(photos() / 128), layer(photos() / 128))


# The controls with `like` pass their arguments on to that layer.
PLAIN = [maker for name, maker in ALL.items() if "like" not in name]


@pytest.mark.cases(1)
def test_saved_in_a_functional_model(make, tmp_path):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, make()(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = photos().astype(np.float32)
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


def test_a_mixed_policy_does_not_round_the_images(make):
    images = photos().astype(np.float32) + 0.0625
    expected = make()(images).numpy()
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        segments = make()(images)
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(segments, expected)


def test_no_gradient_passes(make):
    images = tf.constant(photos(), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        value = tf.reduce_sum(tf.cast(make()(images), tf.float32))
    assert tape.gradient(value, images) is None


def all_levels():
    return np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1)


def test_images_are_scaled_as_numpy_divides():
    for dtype in ("uint8", "float32"):
        np.testing.assert_array_equal(
            Recorder().scaled(all_levels().astype(dtype)),
            all_levels() / np.float32(255),
        )


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_images_are_scaled_alike_in_a_graph(jit_compile):
    # Compilers turn a division by a constant into a product, which rounds anew.
    scaled = tf.function(
        Recorder().scaled,
        jit_compile=jit_compile,
        input_signature=[tf.TensorSpec([None, None, None, 1])],
    )
    np.testing.assert_array_equal(scaled(all_levels()), all_levels() / np.float32(255))


def test_other_ranges_are_scaled_to_zero_and_one():
    images = np.array([-1, -0.5, 0, 1], np.float32).reshape(1, 2, 2, 1)
    scaled = Recorder(value_range=(-1, 1)).scaled(images)
    np.testing.assert_array_equal(np.ravel(scaled), [0, 0.25, 0.5, 1])
    scaled = Recorder(value_range=(0, 1)).scaled(images)
    np.testing.assert_array_equal(scaled, images)


@pytest.mark.parametrize("shape", [(40, 52, 3), (40, 52), (1, 2, 40, 52, 3)])
def test_a_wrong_rank_is_an_error(make, shape):
    with pytest.raises(ValueError, match=r"\(N, H, W, C\), but got shape"):
        make()(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "value_range",
    [(1, 0), (0, 0), (0,), (0, np.inf), (np.nan, 1), 255, "ab", (None, 1), (0, 1, 2)],
)
def test_a_range_that_makes_no_sense_is_an_error(value_range):
    for layer in (Felzenszwalb, CompactWatershed, Recorder):
        with pytest.raises(ValueError, match="value_range must be two finite"):
            layer(value_range=value_range)


def test_all_layers_can_be_imported_from_the_package():
    from tf_superpixel_saliency import superpixels

    for name in superpixels.__all__:
        assert issubclass(getattr(superpixels, name), SuperpixelLayer)
    assert len(superpixels.__all__) == 6

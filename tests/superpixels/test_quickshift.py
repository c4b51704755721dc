"""Quickshift against scikit-image, a slow twin, and cases solved by hand."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import color, data
from skimage.metrics import adapted_rand_error
from skimage.segmentation import quickshift
from skimage.transform import resize

from tests.reference import quickshift as reference
from tf_superpixel_saliency.ops.compilation import portable_graph
from tf_superpixel_saliency.ops.powers import exp2, inverse_root, round_to_float32
from tf_superpixel_saliency.superpixels import _quickshift_tree
from tf_superpixel_saliency.superpixels.quickshift import Quickshift

SETTINGS = [
    {"ratio": 0.2, "kernel_size": 1, "max_dist": 3},
    {"ratio": 0.2, "kernel_size": 3, "max_dist": 3},
    {"ratio": 0.5, "kernel_size": 3, "max_dist": 6},
    {"ratio": 1.0, "kernel_size": 5, "max_dist": 10},
]
PHOTOS = {
    "astronaut": data.astronaut()[100:170, 150:250],
    "chelsea": data.chelsea()[60:130, 110:210],
    "coffee": data.coffee()[150:220, 250:350],
}


def raster_order(labels):
    """Numbered 0…p−1 in raster order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].reshape(labels.shape)


def scikit_image(image, **kwargs):
    return raster_order(quickshift(np.asarray(image) / 255.0, **kwargs))


def jit_nodes(function, *specs):
    """Names of the functions that a graph wants compiled."""
    graph = function.get_concrete_function(*specs).graph.as_graph_def()
    wanted = [item for item in graph.library.function if _compiles(item)]
    nodes = list(graph.node) + [n for f in graph.library.function for n in f.node_def]
    return [item for item in wanted + nodes if _compiles(item)]


def _compiles(item):
    return "_XlaMustCompile" in item.attr and item.attr["_XlaMustCompile"].b


@pytest.fixture(scope="module")
def batch():
    return np.stack([photo[:60, :80] for photo in PHOTOS.values()])


@pytest.mark.cases(1)
@pytest.mark.parametrize("settings", SETTINGS)
def test_same_groups_as_scikit_image(settings):
    photos = np.stack(list(PHOTOS.values()))
    for segments, photo in zip(Quickshift(**settings)(photos).numpy(), photos):
        expected = scikit_image(photo, **settings)
        assert segments.max() == expected.max()
        assert adapted_rand_error(expected + 1, segments + 1)[0] <= 1e-3


@pytest.mark.cases(1)
@pytest.mark.parametrize("settings", SETTINGS[:2])
def test_same_groups_as_scikit_image_in_float32(settings):
    photos = np.float32(np.stack(list(PHOTOS.values()))) / np.float32(255)
    layer = Quickshift(**settings, precision="float32", value_range=(0, 1))
    for segments, photo in zip(layer(photos).numpy(), photos):
        expected = quickshift(photo, **settings)
        assert segments.max() == expected.max()
        assert adapted_rand_error(expected + 1, segments + 1)[0] <= 1e-3


def test_same_groups_as_scikit_image_on_whole_photos():
    settings = SETTINGS[0]
    photos = [
        np.uint8(255 * resize(photo, (224, 224), anti_aliasing=True))
        for photo in (data.chelsea(), data.coffee())
    ]
    for segments, photo in zip(Quickshift(**settings)(np.stack(photos)), photos):
        expected = scikit_image(photo, **settings)
        assert segments.numpy().max() == expected.max()
        assert adapted_rand_error(expected + 1, segments.numpy() + 1)[0] <= 1e-3


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "settings, shape",
    [
        ({"sigma": 1.5}, (32, 32)),
        ({"kernel_size": 2.5, "max_dist": 4.5, "ratio": 0.7}, (19, 46)),
        ({"kernel_size": 6, "max_dist": 40, "ratio": 0.3}, (40, 21)),
        ({"rng": 7}, (1, 37)),
        ({"ratio": 0}, (37, 1)),
        ({"sigma": 2}, (1, 1)),
    ],
)
def test_every_argument_and_odd_sizes(settings, shape):
    image = PHOTOS["chelsea"][: shape[0], : shape[1]]
    everything = {"ratio": 0.2, "kernel_size": 1, "max_dist": 3, **settings}
    segments = Quickshift(**settings)(image[None])[0].numpy()
    np.testing.assert_array_equal(segments, scikit_image(image, **everything))


@pytest.mark.cases(1)
@pytest.mark.parametrize("value", [0, 77, 255])
def test_flat_images_are_grouped_by_the_noise_alone(value):
    image = np.full((23, 31, 3), value, np.uint8)
    for settings in SETTINGS[:2]:
        segments = Quickshift(**settings)(image[None])[0].numpy()
        np.testing.assert_array_equal(segments, scikit_image(image, **settings))


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "channels, kernel_size, max_dist", [(1, 1, 3), (2, 2, 9), (3, 1, 3), (5, 1.4, 2.2)]
)
def test_slow_twin(channels, kernel_size, max_dist):
    images = np.random.default_rng(channels).random((2, 13, 17, channels))
    layer = Quickshift(
        2.5, kernel_size, max_dist, convert2lab=False, rng=3, value_range=(0, 1)
    )
    for segments, image in zip(layer(images).numpy(), images):
        expected = reference.quickshift(2.5 * image, kernel_size, max_dist, seed=3)
        np.testing.assert_array_equal(segments, expected)


def test_slow_twin_in_lab():
    image = PHOTOS["coffee"][20:36, 10:32]
    expected = reference.quickshift(0.2 * color.rgb2lab(image / 255.0), 1, 3)
    np.testing.assert_array_equal(Quickshift()(image[None])[0], expected)


def test_a_flat_row_solved_by_hand():
    # Densities 1 + e^-½ + e^-2, 1 + 2e^-½, 1 + e^-½ + e^-2: all link to the middle.
    assert Quickshift()(np.zeros((1, 1, 3, 1)))[0].numpy().tolist() == [[0, 0, 0]]


@pytest.mark.thorough
def test_colours_out_of_reach_solved_by_hand():
    # The step of 10 is beyond max_dist, so that no link crosses it.
    row = np.array([0, 0, 0, 1, 1, 1.0]).reshape(1, 1, 6, 1)
    far = Quickshift(ratio=10, max_dist=3, value_range=(0, 1))(row)
    assert far[0].numpy().tolist() == [[0, 0, 0, 1, 1, 1]]
    # The middle of three colours 2 apart is densest, and √(2² + 1²) within reach.
    row = np.array([0, 0.5, 1.0]).reshape(1, 1, 3, 1)
    near = Quickshift(ratio=4, max_dist=2.3, value_range=(0, 1))(row)
    assert near[0].numpy().tolist() == [[0, 0, 0]]
    cut = Quickshift(ratio=4, max_dist=2.2, value_range=(0, 1))(row)
    assert cut[0].numpy().tolist() == [[0, 1, 2]]


@pytest.mark.thorough
def test_lab_is_for_three_channels(batch):
    plain = Quickshift(convert2lab=False)(batch)
    assert not np.array_equal(Quickshift()(batch), plain)
    np.testing.assert_array_equal(
        Quickshift()(batch), Quickshift(convert2lab=True)(batch)
    )
    two = Quickshift()(batch[..., :2])
    np.testing.assert_array_equal(two, Quickshift(convert2lab=False)(batch[..., :2]))
    with pytest.raises(ValueError, match="3 channels, but got 2"):
        Quickshift(convert2lab=True)(batch[..., :2])


def test_value_range_and_types_do_not_matter(batch):
    expected = Quickshift()(batch)
    unit = Quickshift(value_range=(0, 1))(batch / 255.0)
    np.testing.assert_array_equal(expected, unit)
    floats = Quickshift()(batch.astype("float32"))
    np.testing.assert_array_equal(expected, floats)
    symmetric = Quickshift(value_range=(-1, 1))(batch / 127.5 - 1.0)
    for one, other in zip(expected.numpy(), symmetric.numpy()):
        assert adapted_rand_error(one + 1, other + 1)[0] <= 1e-3


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "settings", [{}, {"kernel_size": 1.5, "max_dist": 2, "sigma": 0.8}]
)
def test_same_groups_however_it_is_compiled(batch, settings):
    layer = Quickshift(**settings)
    expected = layer(batch).numpy()
    np.testing.assert_array_equal(tf.function(layer)(batch), expected)
    np.testing.assert_array_equal(tf.function(layer, jit_compile=True)(batch), expected)
    unknown = tf.TensorSpec([None, None, None, 3], tf.uint8)
    dynamic = tf.function(lambda images: layer(images), input_signature=[unknown])
    np.testing.assert_array_equal(dynamic(batch), expected)
    with portable_graph():
        plain = tf.function(lambda images: layer(images))
        np.testing.assert_array_equal(plain(batch), expected)
        np.testing.assert_array_equal(layer(batch), expected)


@pytest.mark.thorough
def test_a_portable_graph_asks_for_no_compilation():
    layer = Quickshift()
    spec = tf.TensorSpec([None, None, None, 3], tf.float32)
    assert jit_nodes(tf.function(lambda images: layer(images)), spec)
    with portable_graph():
        assert not jit_nodes(tf.function(lambda images: layer(images)), spec)
    assert jit_nodes(tf.function(lambda images: layer(images)), spec)


@pytest.mark.thorough
def test_batches_and_sizes(batch):
    layer = Quickshift()
    together = layer(batch).numpy()
    for index in range(len(batch)):
        np.testing.assert_array_equal(
            layer(batch[index : index + 1])[0], together[index]
        )
    assert layer(batch[:0]).shape == (0, 60, 80)
    smaller = layer(batch[:, :33, :47])
    for segments, photo in zip(smaller.numpy(), batch):
        expected = scikit_image(photo[:33, :47], **SETTINGS[0])
        np.testing.assert_array_equal(segments, expected)


@pytest.mark.thorough
def test_predict_datasets_and_threads(batch):
    layer = Quickshift()
    expected = layer(batch).numpy()
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, layer(inputs))
    predicted = model.predict(batch.astype("float32"), batch_size=2, verbose=0)
    np.testing.assert_array_equal(predicted, expected)
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(1)
    mapped = dataset.map(layer, num_parallel_calls=2).unbatch()
    np.testing.assert_array_equal(list(mapped.as_numpy_iterator()), expected)
    found = [None] * 6

    def work(place):
        found[place] = layer(batch).numpy()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for segments in found:
        np.testing.assert_array_equal(segments, expected)


@pytest.mark.thorough
def test_unknown_sizes_have_a_limit(batch):
    layer = Quickshift(max_pixels=60 * 80)
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    dynamic = tf.function(lambda images: layer(images), input_signature=[spec])
    np.testing.assert_array_equal(dynamic(batch), Quickshift()(batch))
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_pixels=4800"):
        dynamic(np.zeros((1, 61, 80, 3), np.uint8))
    assert layer(np.zeros((1, 61, 80, 3), np.uint8)).shape == (1, 61, 80)


def test_unknown_channels_are_refused():
    spec = tf.TensorSpec([None, 8, 8, None], tf.float32)
    with pytest.raises(ValueError, match="number of channels"):
        tf.function(Quickshift().call).get_concrete_function(spec)


@pytest.mark.parametrize(
    "name, value",
    [
        ("kernel_size", 0),
        ("kernel_size", 0.9),
        ("kernel_size", np.nan),
        ("kernel_size", np.inf),
        ("max_dist", 0.5),
        ("max_dist", np.nan),
        ("ratio", np.nan),
        ("ratio", -0.1),
        ("sigma", -1),
        ("sigma", np.nan),
        ("rng", -1),
        ("rng", 1.5),
        ("rng", None),
        ("max_pixels", 0),
        ("precision", "half"),
        ("convert2lab", "yes"),
        ("kernel_size", "3"),
    ],
)
def test_arguments_that_make_no_sense(name, value):
    with pytest.raises(ValueError, match=f"Quickshift: {name} must be"):
        Quickshift(**{name: value})


@pytest.mark.thorough
def test_serialises(batch):
    layer = Quickshift(
        0.5, 1.5, 4, 0.7, False, 9, "float32", 10**5, (0, 300), name="groups"
    )
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(batch), layer(batch))


def test_rounding_to_float32():
    x = np.random.default_rng(0).normal(size=10001) * 100
    x[:3] = 1 + 2.0**-24, 1 + 3 * 2.0**-24, 0.0
    np.testing.assert_array_equal(round_to_float32(tf.constant(x)), np.float32(x))


def test_vectorised_powers():
    x = np.concatenate([np.linspace(-900, 60, 10001), np.linspace(-2, 2, 999)])
    np.testing.assert_allclose(exp2(tf.constant(x)), np.exp2(x), rtol=1e-14)
    np.testing.assert_allclose(exp2(tf.constant(x), 8), np.exp2(x), rtol=2e-12)
    assert exp2(tf.constant(-1e300, tf.float64)) < 1e-300
    assert np.isnan(exp2(tf.constant(np.nan, tf.float64)))
    y = np.exp(np.linspace(-80, 80, 20001))
    for degree in (1, 2, 3, 5):
        found = inverse_root(tf.constant(y), degree)
        np.testing.assert_allclose(found, y ** (-1 / degree), rtol=2e-14)
    assert np.isnan(inverse_root(tf.constant(np.nan, tf.float64), 3))


@pytest.mark.thorough
def test_densities_of_a_window_wider_than_a_block():
    # Flat colours: a sum over rows times a sum over columns, ±17 of them.
    columns = np.arange(60)
    near = columns[:, None] - columns
    row = np.where(abs(near) <= 17, np.exp(-(near**2) / (2 * 5.5**2)), 0).sum(axis=1)
    found = _quickshift_tree.densities(
        tf.zeros([1, 60, 60], tf.float64), tf.zeros([60, 60], tf.float64), 5.5, 17
    )
    # Each term to 3e-9, a thousandth of the tie-breaking noise.
    np.testing.assert_allclose(found, row[:, None] * row, rtol=3e-9)


@pytest.mark.cases(1)
@pytest.mark.parametrize("settings", SETTINGS[:3])
def test_one_image_in_two_bands(settings):
    # Large enough to be split if it comes alone, and an odd number of rows.
    photos = np.stack([data.chelsea()[60:175, 110:190], data.coffee()[:115, 250:330]])
    layer = Quickshift(**settings)
    together = layer(photos).numpy()
    unknown = tf.TensorSpec([None, 115, 80, 3], tf.uint8)
    batches = tf.function(lambda images: layer(images), input_signature=[unknown])
    for photo, expected in zip(photos, together):
        np.testing.assert_array_equal(layer(photo[None])[0], expected)
        np.testing.assert_array_equal(batches(photo[None])[0], expected)
    np.testing.assert_array_equal(batches(photos), together)


@pytest.mark.cases(1)
@pytest.mark.parametrize("shape", [(64, 64), (112, 64), (128, 128)], ids=str)
def test_widths_of_a_power_of_two(xla, shape):
    # One image of a known size, which XLA has compiled wrongly at such widths alone.
    photo = data.astronaut()[100 : 100 + shape[0], 100 : 100 + shape[1]]
    layer = Quickshift()
    segments = tf.function(lambda images: layer(images), jit_compile=xla)(photo[None])
    expected = scikit_image(photo, **SETTINGS[0])
    np.testing.assert_array_equal(segments[0], expected)

"""SLIC against scikit-image, a slow twin, and cases solved by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import color, data
from skimage.metrics import adapted_rand_error
from skimage.segmentation import slic

from tests.reference import slic as reference
from tf_superpixel_saliency.ops.compilation import portable_graph
from tf_superpixel_saliency.superpixels import _slic_grid
from tf_superpixel_saliency.superpixels.slic import SLIC

PHOTO = data.chelsea()[60:124, 110:201]
MASK = np.zeros(PHOTO.shape[:2], bool)
MASK[8:50, 20:80] = True
MASK[:4, :5] = MASK[60, 3] = True


def segment(image, **settings):
    # Compiling by XLA is tested by itself: it takes seconds for every setting.
    with portable_graph():
        return SLIC(**settings)(image[None]).numpy()[0]


def expected(image, **settings):
    # In float64: scikit-image's own labels for float32 can differ from these.
    return reference.in_raster_order(slic(image / 255.0, **settings))


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "settings",
    [
        {"n_segments": 40},
        {"n_segments": 40, "enforce_connectivity": False},
        {"n_segments": 300, "enforce_connectivity": False},
        {"n_segments": 30, "sigma": 1.5, "spacing": (1, 2)},
        {"n_segments": 30, "slic_zero": True, "max_size_factor": 1.2},
        {"n_segments": 30, "convert2lab": False, "compactness": 0.1},
        {"n_segments": 30, "mask": MASK},
        {"n_segments": 20, "mask": MASK, "enforce_connectivity": False},
    ],
    ids=str,
)
def test_equals_scikit_image(settings):
    np.testing.assert_array_equal(
        segment(PHOTO, **settings), expected(PHOTO, **settings)
    )


@pytest.mark.cases(1)
@pytest.mark.parametrize("channels", [1, 5])
def test_any_number_of_channels(channels):
    image = np.concatenate([PHOTO, PHOTO[::-1]], axis=-1)[..., :channels]
    settings = {"n_segments": 30, "compactness": 0.1}
    np.testing.assert_array_equal(
        segment(image, **settings), expected(image, **settings)
    )


@pytest.mark.cases(1)
@pytest.mark.parametrize("photo", ["astronaut", "coffee"])
def test_agrees_on_whole_photos(photo):
    image = getattr(data, photo)()[::2, ::2][:150, :150]
    for connected in (False, True):
        settings = {"n_segments": 100, "enforce_connectivity": connected}
        found = segment(image, **settings)
        error = adapted_rand_error(expected(image, **settings), found)[0]
        assert error <= 0.001


@pytest.mark.cases(1)
@pytest.mark.parametrize("adaptive", [False, True])
def test_equals_the_slow_twin(adaptive):
    image = PHOTO[:30, :42] / np.float32(255)
    image = (image - image.min()) / (image.max() - image.min())
    seeds = _slic_grid.grid_seeds(30, 42, 12)
    labels = reference.cluster(
        color.rgb2lab(image.astype(float)) / 5,
        np.stack([seeds.rows, seeds.columns], axis=1),
        window=(20, 20),
        step=10,
        rounds=10,
        adaptive=adaptive,
    )
    settings = {"n_segments": 12, "compactness": 5, "slic_zero": adaptive}
    found = segment(PHOTO[:30, :42], enforce_connectivity=False, **settings)
    np.testing.assert_array_equal(found, reference.in_raster_order(labels))
    count = len(seeds.rows)
    connected = reference.connect(labels, int(630 / count), int(3780 / count))
    np.testing.assert_array_equal(
        segment(PHOTO[:30, :42], **settings), reference.in_raster_order(connected)
    )


def test_groups_are_connected_and_large_enough():
    segments = segment(PHOTO, n_segments=40)
    names = reference.components(segments)
    assert len(np.unique(names)) == segments.max() + 1
    centres = len(_slic_grid.grid_seeds(64, 91, 40).rows)
    assert np.bincount(segments.ravel()).min() >= int(0.5 * 64 * 91 / centres)


@pytest.mark.thorough
def test_centres_that_wander_far_are_still_seen():
    # The two colours of a finely mixed image pull centres together; with next to no
    # weight on space they leave their places on the grid far behind.
    ys, xs = np.mgrid[:70, :150]
    image = np.stack([xs, 255 - xs, (ys + xs) // 2], axis=-1).astype(np.uint8)
    settings = {
        "n_segments": 320,
        "compactness": 0.05,
        "max_num_iter": 25,
        "enforce_connectivity": False,
    }
    found = segment(image, **settings)
    assert adapted_rand_error(expected(image, **settings), found)[0] < 0.005


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "settings",
    [{"n_segments": 300, "enforce_connectivity": False}, {"mask": MASK}],
    ids=str,
)
def test_same_labels_compiled_by_xla(settings):
    layer = SLIC(**{"n_segments": 30, **settings})
    np.testing.assert_array_equal(
        layer(PHOTO[None])[0], segment(PHOTO, **{"n_segments": 30, **settings})
    )


@pytest.mark.thorough
def test_same_labels_in_every_kind_of_graph():
    batch = np.stack([PHOTO, PHOTO[::-1], PHOTO[:, ::-1]]).astype(np.float32)
    layer = SLIC(30)
    alone = np.stack([layer(image[None])[0] for image in batch])
    np.testing.assert_array_equal(layer(batch), alone)
    np.testing.assert_array_equal(alone[0], segment(PHOTO, n_segments=30))
    unknown = tf.TensorSpec([None, None, None, 3], tf.float32)
    graph = tf.function(layer, input_signature=[unknown], autograph=False)
    np.testing.assert_array_equal(graph(batch), alone)
    graph = tf.function(layer, jit_compile=True, autograph=False)
    np.testing.assert_array_equal(graph(batch), alone)
    with portable_graph():
        graph = tf.function(layer, input_signature=[unknown], autograph=False)
        np.testing.assert_array_equal(graph(batch), alone)
    functions = graph.get_concrete_function().graph.as_graph_def().library.function
    assert not any(f.attr["_XlaMustCompile"].b for f in functions)


def test_half_and_half():
    image = np.zeros((20, 40, 3), np.uint8)
    image[:, 23:] = 255
    segments = segment(image, n_segments=2, compactness=0.1)
    assert (segments[:, :23] == 0).all()
    assert (segments[:, 23:] == 1).all()


@pytest.mark.thorough
def test_constant_image_is_cut_like_the_grid():
    segments = segment(np.full((40, 40, 3), 77, np.uint8), n_segments=4)
    ys, xs = np.mgrid[:40, :40]
    np.testing.assert_array_equal(segments, 2 * (ys > 20) + (xs > 20))


@pytest.mark.cases(1)
@pytest.mark.parametrize("shape, n_segments", [((1, 1), 1), ((3, 60), 5), ((6, 7), 42)])
def test_odd_shapes(shape, n_segments):
    image = PHOTO[: shape[0], : shape[1]]
    np.testing.assert_array_equal(
        segment(image, n_segments=n_segments), expected(image, n_segments=n_segments)
    )


@pytest.mark.thorough
def test_more_segments_than_pixels():
    with pytest.raises(ValueError, match="n_segments=100 is more than the 42 pixels"):
        segment(PHOTO[:6, :7])
    # Where the size isn't known beforehand: every pixel by itself, as scikit-image.
    layer = SLIC(n_segments=100)
    spec = tf.TensorSpec([None, None, None, 3], tf.float32)
    image = PHOTO[:6, :7].astype(np.float32)
    with portable_graph():
        graph = tf.function(layer, input_signature=[spec], autograph=False)
        found = graph(image[None])[0]
    np.testing.assert_array_equal(found, expected(image, n_segments=100))


@pytest.mark.parametrize(
    "height, width, points",
    [
        (224, 224, 100),
        (300, 451, 96),
        (9, 60, 40),
        (60, 9, 4),
        (1, 30, 7),
        (5, 5, 25),
        (5, 5, 99),
        (17, 17, 1),
    ],
)
def test_grid_is_the_same_for_known_and_unknown_sizes(height, width, points):
    known = _slic_grid.grid_steps(height, width, points)
    unknown = _slic_grid.grid_steps(*map(tf.constant, (height, width, points)))
    assert [[int(v) for v in pair] for pair in unknown] == [list(p) for p in known]


@pytest.mark.thorough
def test_round_trips_through_its_config():
    layer = SLIC(30, sigma=(0, 1), spacing=(1, 2), mask=MASK, slic_zero=True)
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert copy.get_config() == layer.get_config()
    np.testing.assert_array_equal(copy.mask, MASK)
    with portable_graph():
        np.testing.assert_array_equal(copy(PHOTO[None]), layer(PHOTO[None]))


@pytest.mark.parametrize(
    "settings",
    [
        {"n_segments": 0},
        {"n_segments": 2.5},
        {"compactness": 0},
        {"compactness": float("nan")},
        {"max_num_iter": 0},
        {"sigma": -1},
        {"sigma": float("nan")},
        {"sigma": (1, 2, 3)},
        {"spacing": (1, 0)},
        {"spacing": 2},
        {"convert2lab": "yes"},
        {"min_size_factor": -0.1},
        {"min_size_factor": 4},
        {"max_size_factor": float("inf")},
        {"mask": np.zeros((4, 4), bool)},
        {"mask": np.ones((4, 4, 3), bool)},
        {"value_range": (1, 0)},
    ],
    ids=str,
)
def test_bad_settings(settings):
    with pytest.raises(ValueError, match=f"SLIC.*{next(iter(settings))}"):
        SLIC(**settings)


def test_bad_images():
    with pytest.raises(ValueError, match="mask is for images of"):
        segment(PHOTO[:40], mask=MASK)
    with pytest.raises(ValueError, match="3 channels, but got 1"):
        segment(PHOTO[..., :1], convert2lab=True)
    spec = tf.TensorSpec([None, 32, 32, None], tf.float32)
    with pytest.raises(ValueError, match="needs the number of channels"):
        tf.function(SLIC(), autograph=False).get_concrete_function(spec)

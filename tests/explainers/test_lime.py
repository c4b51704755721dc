import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    SIZE,
    as_arrays,
    classifier,
    linear_model,
    photos,
    relative_error,
    twin,
)
from tests.explainers.partitions import LAYERS, Brightness
from tests.reference import groups
from tests.reference import lime as reference
from tf_superpixel_saliency.explainers.lime import LIME

TARGETS = [4, 0]
SAMPLES = 40


@pytest.fixture(scope="module")
def model():
    return classifier()


def explainer(model, superpixels=None, **kwargs):
    settings = {"num_samples": SAMPLES, "seed": 3}
    return LIME(model, superpixels or tss.SquareGrid(size=4), **{**settings, **kwargs})


def numbered(segment, image):
    return groups.number(segment(image)[None])[0]


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fill": 30.0, "alpha": 0.1},
        {"fill": [10, 120, 250], "kernel_width": 1.0},
        {"distance": "euclidean", "kernel_width": 3.0},
    ],
)
@pytest.mark.parametrize("name", ["grid", "brightness", "quickshift"])
def test_it_equals_the_twin(model, name, settings):
    layer, segment = LAYERS[name]
    images = photos(2)
    out = explainer(model, layer(), **settings)(images, TARGETS)
    expected = [
        reference.lime(
            twin(model), image, target, numbered(segment, image),
            num_samples=SAMPLES, seed=3, **settings,
        )
        for image, target in zip(images, TARGETS)
    ]  # fmt: skip
    maps, r_squared = zip(*expected)
    assert relative_error(out["maps"][..., 0], maps).max() < 1e-4
    np.testing.assert_allclose(out["r_squared"], r_squared, atol=1e-4)


def test_of_a_model_linear_in_the_groups_it_is_their_weights():
    weights = np.random.default_rng(0).standard_normal((4, 6, 2, 3))
    images = np.random.default_rng(1).uniform(0, 255, (2, 4, 6, 2)).astype("float32")
    lime = explainer(
        linear_model(weights), tss.SquareGrid(size=2), score="logit", alpha=1e-6, fill=7
    )
    out = lime(images, targets=[0, 2])
    for image, target, one in zip(images, [0, 2], out["maps"].numpy()):
        # What the score loses where a 2×2 square is hidden.
        loss = ((image - 7) * weights[..., target]).sum(-1)
        squares = loss.reshape(2, 2, 3, 2).sum((1, 3))
        expected = np.kron(squares, np.ones((2, 2)))
        np.testing.assert_allclose(one[..., 0], expected, rtol=1e-4)
    np.testing.assert_allclose(out["r_squared"], 1, atol=1e-6)


def test_a_strong_ridge_leaves_nothing(model):
    weak = explainer(model)(photos(1))["maps"].numpy()
    strong = explainer(model, alpha=1e9)(photos(1))["maps"].numpy()
    assert np.abs(strong).max() < 1e-6 * np.abs(weak).max()


def test_outputs(model):
    out = as_arrays(explainer(model)(photos(2)))
    assert out["maps"].shape == (2, *SIZE[:2], 1)
    assert out["maps"].dtype == out["r_squared"].dtype == np.float32
    assert out["r_squared"].shape == (2,)
    np.testing.assert_array_equal(out["heatmaps"], np.abs(out["maps"][..., 0]))
    np.testing.assert_array_equal(out["segments"], tss.SquareGrid(size=4)(photos(2)))
    np.testing.assert_array_equal(
        out["targets"], model.predict(photos(2), verbose=0).argmax(1)
    )
    # One value in a group.
    for one, segments in zip(out["maps"][..., 0], out["segments"]):
        assert all(np.ptp(one[segments == k]) == 0 for k in range(segments.max() + 1))


def test_segments_of_the_callers_own(model):
    labels = 70 * (np.arange(SIZE[0])[:, None] // 4) + np.arange(SIZE[1]) // 4 + 5
    expected = explainer(model)(photos(2))
    out = explainer(model, Brightness())(photos(2), segments=labels)
    np.testing.assert_array_equal(out["maps"], expected["maps"])


@pytest.mark.thorough
def test_the_default_superpixels_are_those_of_the_package_lime(model):
    layer = LIME(model).superpixels
    assert (layer.ratio, layer.kernel_size, layer.max_dist) == (0.2, 4, 200)
    lime = LIME(model, num_samples=20, fill=0)
    assert lime(photos(1))["segments"].numpy().max() < 10


def test_each_pixel_may_be_a_group_of_its_own(model):
    # 132 groups, more than samples: the dual form.
    segments = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[:2])
    out = explainer(model, fill=0)(photos(1), [1], segments=segments)
    expected, _ = reference.lime(
        twin(model), photos(1)[0], 1, segments, num_samples=SAMPLES, seed=3, fill=0
    )
    assert relative_error(out["maps"][..., 0], expected[None])[0] < 1e-4


@pytest.fixture(scope="module")
def expected(model):
    return as_arrays(explainer(model, Brightness())(photos(5)))


class TestItDependsOnTheImageAndTheSeedAlone:
    def check(self, out, expected):
        assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
        np.testing.assert_allclose(out["r_squared"], expected["r_squared"], atol=1e-5)
        np.testing.assert_array_equal(out["segments"], expected["segments"])

    @pytest.mark.cases(1)
    @pytest.mark.parametrize("chunk_size", [1, 17, 64, 1000])
    def test_chunks(self, model, expected, chunk_size):
        lime = explainer(model, Brightness(), chunk_size=chunk_size)
        self.check(lime(photos(5)), expected)

    @pytest.mark.thorough
    def test_batches(self, model, expected):
        lime = explainer(model, Brightness())
        for batch_size in (1, 2):
            self.check(lime.predict(photos(5), batch_size, verbose=0), expected)

    def test_reruns_are_bit_equal(self, model, expected):
        again = explainer(model, Brightness())(photos(5))["maps"]
        np.testing.assert_array_equal(again, expected["maps"])

    @pytest.mark.thorough
    def test_xla(self, model, expected):
        lime = explainer(model, Brightness())
        lime.compile(jit_compile=True)
        self.check(as_arrays(lime(photos(5))), expected)

    def test_another_seed(self, model, expected):
        other = explainer(model, Brightness(), seed=4)(photos(5))["maps"]
        assert relative_error(other, expected["maps"]).min() > 0.01


def test_one_trace_for_all_batch_sizes():
    traces, inner = [], classifier()

    def model(images):
        traces.append(1)
        return inner(images, training=False)

    lime = explainer(model)
    lime(photos(3))
    once = len(traces)
    assert once == 2  # the clean images and the copies
    for count in (1, 2, 5):
        lime(photos(count), targets=[0] * count)
    assert len(traces) == once


def test_a_constant_model_and_bad_pixels_have_their_status():
    def constant(images):
        return tf.zeros([tf.shape(images)[0], 3]) + 0.0 * images[:, 0, :3, 0]

    lime = explainer(constant, score="logit", model_output="logit")
    with pytest.warns(UserWarning, match="does not change"):
        out = lime(photos(1), 0)
    assert out["status"].numpy() == 4
    assert not out["maps"].numpy().any()
    images = photos(2)
    images[1, 0, 0] = np.nan
    dataset = tf.data.Dataset.from_tensors(images)
    with pytest.warns(UserWarning, match="NaN"):
        out = explainer(classifier()).predict(dataset, verbose=0)
    np.testing.assert_array_equal(out["status"], [0, 1])
    assert np.isnan(out["maps"][1]).all()
    assert np.isnan(out["r_squared"][1])


@pytest.mark.cases(1)
@pytest.mark.parametrize("fill", ["mean", 3.0, [1.0, 2.0, 3.0]])
def test_saving(model, fill, tmp_path):
    lime = explainer(model, fill=fill, distance="euclidean", kernel_width=2.0, alpha=3)
    expected = lime(photos(2))["maps"]
    lime.save(tmp_path / "lime.keras")
    loaded = keras.models.load_model(tmp_path / "lime.keras")
    assert type(loaded) is LIME
    np.testing.assert_array_equal(loaded(photos(2))["maps"], expected)
    config, again = lime.get_config(), loaded.get_config()
    for key in set(config) - {"model", "superpixels"}:
        assert again[key] == config[key]


@pytest.mark.thorough
def test_export(model, tmp_path):
    lime = explainer(model, tss.Quickshift(), num_samples=10)
    expected = lime(photos(3), [1, 2, 3])
    lime.export(tmp_path / "lime")
    loaded = tf.saved_model.load(str(tmp_path / "lime"))
    out = loaded.signatures["explain_maps"](
        images=tf.constant(photos(3)), targets=tf.constant([1, 2, 3])
    )
    assert set(out) == set(expected)
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_samples", 1),
        ("num_samples", 10.0),
        ("kernel_width", 0),
        ("distance", "manhattan"),
        ("alpha", 0),
        ("fill", "median"),
        ("fill", [[1.0]]),
        ("fill", float("nan")),
        ("fill", []),
        ("fill", None),
        ("seed", -1),
        ("seed", 2**31),
        ("chunk_size", 0),
    ],
)
def test_arguments_out_of_range_are_named(model, name, value):
    with pytest.raises(ValueError, match=name):
        LIME(model, **{name: value})


def test_a_fill_of_other_channels_is_refused(model):
    with pytest.raises(ValueError, match="3 channels"):
        explainer(model, fill=[1, 2])(photos(1))

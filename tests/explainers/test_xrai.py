import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import segmentation

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
from tests.explainers.partitions import Brightness, brightness, grid
from tests.reference import groups
from tests.reference import xrai as reference
from tf_superpixel_saliency.explainers.xrai import XRAI, default_regions

TARGETS = [4, 0]
STEPS = 5


@pytest.fixture(scope="module")
def model():
    return classifier()


def layers():
    return [Brightness(), tss.SquareGrid(size=3), tss.SquareGrid(size=6)]


def labels_of(image):
    several = [brightness(image), grid(image), grid(image, 6)]
    return groups.number(np.stack(several))


def explainer(model, superpixels=None, **kwargs):
    return XRAI(model, superpixels or layers(), **{"num_steps": STEPS, **kwargs})


@pytest.mark.cases(1)
@pytest.mark.parametrize("algorithm", ["full", "fast"])
@pytest.mark.parametrize(("min_pixels", "dilation"), [(1, 0), (5, 0), (3, 1)])
def test_it_equals_the_twin(model, algorithm, min_pixels, dilation):
    settings = {"min_pixels": min_pixels, "dilation": dilation, "algorithm": algorithm}
    images = photos(2)
    out = explainer(model, **settings)(images, TARGETS)
    for index, (image, target) in enumerate(zip(images, TARGETS)):
        values = reference.attribution(twin(model), image, target, STEPS)
        gains, order = reference.rank(values, labels_of(image), **settings)
        error = relative_error(out["maps"][index : index + 1, ..., 0], gains[None])
        assert error[0] < 1e-5
        pieces = groups.number(order[None])[0]
        np.testing.assert_array_equal(out["segments"][index], pieces)


def test_two_regions_of_a_linear_model():
    # Weights 1 on the left half and −3 on the right, of one channel. From black (10)
    # and from white (90), x − x′ is x − 50 in the mean.
    weights = np.ones((2, 4, 1, 2))
    weights[:, 2:] = -3
    image = np.array([[[10, 20, 80, 90], [50, 60, 70, 10]]], "float32")[..., None]
    halves = np.array([[0, 0, 1, 1]] * 2)
    xrai = XRAI(linear_model(weights), tss.SLIC(), num_steps=3, score="logit")
    out = xrai(image, targets=0, segments=halves)
    left, right = (10 + 20 + 50 + 60) / 4 - 50, -3 * ((80 + 90 + 70 + 10) / 4 - 50)
    expected = [[left, left, right, right]] * 2
    np.testing.assert_allclose(out["maps"][0, ..., 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(out["segments"][0], halves)


def test_of_one_partition_it_is_the_mean_in_each_group(model):
    out = explainer(model, Brightness())(photos(2), TARGETS)
    for image, target, one in zip(photos(2), TARGETS, out["maps"].numpy()):
        values = reference.attribution(twin(model), image, target, STEPS)
        mean = groups.mean(values[None, ..., None], brightness(image)[None])
        assert relative_error(one[None], mean)[0] < 1e-5
    np.testing.assert_array_equal(out["segments"], Brightness()(photos(2)))


def test_outputs(model):
    out = as_arrays(explainer(model)(photos(2)))
    assert out["maps"].shape == (2, *SIZE[:2], 1)
    assert out["maps"].dtype == np.float32
    assert out["segments"].dtype == np.int32
    np.testing.assert_array_equal(out["heatmaps"], np.abs(out["maps"][..., 0]))
    np.testing.assert_array_equal(out["segments"], groups.number(out["segments"]))
    for one, pieces in zip(out["maps"][..., 0], out["segments"]):
        assert all(np.ptp(one[pieces == k]) == 0 for k in range(pieces.max() + 1))


class TestSegmentsOfTheCallersOwn:
    STACK = np.stack([labels_of(image) for image in photos(3)])

    @pytest.fixture(scope="class")
    @staticmethod
    def expected(model):
        return as_arrays(explainer(model)(photos(3)))

    def check(self, out, expected):
        assert set(out) == set(expected)
        assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
        np.testing.assert_array_equal(out["segments"], expected["segments"])

    @pytest.mark.thorough
    def test_several_an_image(self, model, expected):
        xrai = explainer(model, tss.SquareGrid(size=2))
        numbers = 7 * self.STACK + 3  # any numbering
        self.check(as_arrays(xrai(photos(3), segments=numbers)), expected)
        self.check(as_arrays(xrai(photos(3), segments=numbers.tolist())), expected)
        inputs = {"images": photos(3), "segments": numbers}
        self.check(xrai.predict(inputs, batch_size=2, verbose=0), expected)
        (batch,) = xrai.explain_batches(inputs)
        self.check(batch, expected)
        dataset = tf.data.Dataset.from_tensors(inputs)
        self.check(xrai.predict(dataset, verbose=0), expected)

    @pytest.mark.thorough
    def test_one_an_image_or_one_for_all(self, model):
        one = self.STACK[:1, 1]
        grids = as_arrays(explainer(model, tss.SquareGrid(size=3))(photos(3)))
        xrai = explainer(model)
        for segments in (one[0], np.repeat(one, 3, 0), np.repeat(one[:, None], 3, 0)):
            self.check(as_arrays(xrai(photos(3), segments=segments)), grids)
            self.check(xrai.predict(photos(3), segments=segments, verbose=0), grids)

    def test_bad_ones(self, model):
        xrai = explainer(model)
        for shape in (
            (3, 2, 11, 12),
            (2, 2, 12, 11),
            (3, 0, 12, 11),
            (3, 1, 1, 12, 11),
        ):
            with pytest.raises(ValueError, match="segments must have shape"):
                xrai(photos(3), segments=np.zeros(shape, int))
        with pytest.raises(TypeError, match="integer labels"):
            xrai(photos(3), segments=0.5 * self.STACK)
        with pytest.raises(ValueError, match="lowest is -1"):
            xrai(photos(3), segments=self.STACK - 1)


@pytest.fixture(scope="module")
def expected(model):
    return as_arrays(explainer(model)(photos(5)))


class TestItDependsOnTheImageAlone:
    def check(self, out, expected):
        assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
        np.testing.assert_array_equal(out["segments"], expected["segments"])

    @pytest.mark.cases(1)
    @pytest.mark.parametrize("chunk_size", [1, 17, 1000])
    def test_chunks(self, model, expected, chunk_size):
        self.check(
            as_arrays(explainer(model, chunk_size=chunk_size)(photos(5))), expected
        )

    @pytest.mark.thorough
    def test_batches(self, model, expected):
        xrai = explainer(model)
        self.check(xrai.predict(photos(5), batch_size=2, verbose=0), expected)

    def test_reruns_are_bit_equal(self, model, expected):
        again = explainer(model)(photos(5))["maps"]
        np.testing.assert_array_equal(again, expected["maps"])

    @pytest.mark.thorough
    def test_xla(self, model, expected):
        xrai = explainer(model)
        xrai.compile(jit_compile=True)
        self.check(as_arrays(xrai(photos(5))), expected)


def test_the_default_regions_are_the_originals(model):
    assert XRAI(model).dilation == 5
    assert XRAI(model, tss.SLIC()).dilation == 0
    layers = default_regions().layers
    assert [layer.scale for layer in layers] == [25, 50, 75, 125, 250, 600]
    assert {(layer.sigma, layer.min_size) for layer in layers} == {(0.8, 150)}
    # The original scales images to [−1, 1], where edges are twice as strong.
    image = photos(1, (32, 24, 3))[0]
    image = (image - image.min()) / (image.max() - image.min())
    theirs = segmentation.felzenszwalb(2 * image - 1, 100, 0.8, 20, channel_axis=-1)
    ours = tss.Felzenszwalb(50, 0.8, 20, value_range=(0, 1))(image[None])
    np.testing.assert_array_equal(ours, groups.number(theirs[None]))
    assert theirs.max() > 3


def test_bad_pixels_have_their_status(model):
    images = photos(2)
    images[1, 0, 0] = np.nan
    dataset = tf.data.Dataset.from_tensors(images)
    with pytest.warns(UserWarning, match="NaN"):
        out = explainer(model).predict(dataset, verbose=0)
    np.testing.assert_array_equal(out["status"], [0, 1])
    assert np.isnan(out["maps"][1]).all()
    assert np.isnan(out["heatmaps"][1]).all()
    assert np.isfinite(out["maps"][0]).all()


@pytest.mark.thorough
def test_saving(model, tmp_path):
    xrai = explainer(model, algorithm="fast", min_pixels=4, dilation=1)
    expected = xrai(photos(2))["maps"]
    xrai.save(tmp_path / "xrai.keras")
    loaded = keras.models.load_model(tmp_path / "xrai.keras")
    assert type(loaded) is XRAI
    np.testing.assert_array_equal(loaded(photos(2))["maps"], expected)
    config, again = xrai.get_config(), loaded.get_config()
    for key in set(config) - {"model", "superpixels"}:
        assert again[key] == config[key]


@pytest.mark.thorough
def test_export(model, tmp_path):
    xrai = explainer(model)
    expected = xrai(photos(3), [1, 2, 3])
    xrai.export(tmp_path / "xrai")
    loaded = tf.saved_model.load(str(tmp_path / "xrai"))
    out = loaded.signatures["explain_maps"](
        images=tf.constant(photos(3)), targets=tf.constant([1, 2, 3])
    )
    assert set(out) == set(expected)
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    with pytest.raises(ValueError, match="on the host"):
        XRAI(model).export(tmp_path / "default")


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_steps", 0), ("algorithm", "slow"), ("min_pixels", 0), ("dilation", -1)],
)
def test_arguments_out_of_range_are_named(model, name, value):
    with pytest.raises(ValueError, match=name):
        XRAI(model, **{name: value})


def test_superpixels_that_are_none(model):
    with pytest.raises(TypeError, match="super-pixel layer"):
        XRAI(model, [tss.SLIC(), "quickshift"])
    with pytest.raises(ValueError, match="at least one"):
        XRAI(model, [])

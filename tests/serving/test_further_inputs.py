"""Further inputs of a model are inputs of every signature that explains."""

import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, as_arrays, photos, relative_error
from tests.explainers.test_further_inputs import AGE, SITE, two_inputs
from tests.serving.models import cat, encoded, simple
from tests.serving.server import Server

TARGETS = np.int32([-1, 2, 0])
GIVEN = {"age": AGE, "site": SITE}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    return Server(tss.export(simple(two_inputs()), tmp_path_factory.mktemp("served")))


@pytest.mark.thorough
def test_they_are_named_inputs(server):
    for name in ("explain", "explain_maps", "explain_image_bytes"):
        inputs = server.signatures[name].inputs
        assert inputs.keys() >= {"age", "site", "targets"}
        assert tf.as_dtype(inputs["site"].dtype) == tf.int32
        assert [size.size for size in inputs["age"].tensor_shape.dim] == [-1, 1]
    own = server.signatures["serving_default"].inputs
    assert set(own) == {"photo", "age", "site"}


def test_they_count(server):
    explainer = simple(two_inputs())
    expected = as_arrays(explainer(photos(3), TARGETS, inputs=GIVEN))
    given = {"images": photos(3), "targets": TARGETS, **GIVEN}
    out = server.predict("explain_maps", given)
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    np.testing.assert_allclose(out["scores"], expected["scores"], rtol=1e-5)
    other = server.predict("explain_maps", {**given, "age": AGE + 1})
    assert relative_error(other["maps"], expected["maps"]).min() > 0.01
    with pytest.raises(tf.errors.InvalidArgumentError, match="age must have one row"):
        server.predict("explain_maps", {**given, "age": AGE[:2]})


def test_they_go_with_photo_files(server):
    files = [encoded(cat(), "PNG"), b"no image", encoded(cat(), "PNG")]
    given = {"image_bytes": files, "targets": TARGETS, **GIVEN}
    out = server.predict("explain_image_bytes", given)
    assert out["status"].tolist() == [0, 16, 0]
    assert np.abs(out["heatmaps"][0] - out["heatmaps"][2]).max() > 0  # ages differ


def turned_by(images, age):
    flat = tf.reshape(images, [-1, 396])[:, :4] / 255
    return tf.nn.softmax(flat * (1 + age))


def test_a_function_says_them_by_specifications(tmp_path):
    explainer = simple(turned_by)
    settings = {"image_shape": SIZE, "image_bytes": False, "warm_up": (2,)}
    age = {"age": tf.TensorSpec((7, 1), tf.float32)}  # of any batch size
    server = Server(tss.export(explainer, tmp_path, inputs=age, **settings))
    out = server.predict(
        "explain", {"images": photos(3), "targets": TARGETS, "age": AGE}
    )
    expected = explainer(photos(3), TARGETS, inputs={"age": AGE})
    np.testing.assert_allclose(out["heatmaps"], expected["heatmaps"], rtol=1e-5)
    own = server.predict("serving_default", {"images": photos(3), "age": AGE})
    np.testing.assert_allclose(own["output_0"], turned_by(photos(3), AGE), rtol=1e-6)


def test_names_that_are_taken(tmp_path):
    def model(images, targets):
        return turned_by(images, targets)

    inputs = {"targets": tf.TensorSpec((None, 1), tf.float32)}
    with pytest.raises(ValueError, match="'targets' has a name that `explain` uses"):
        tss.export(simple(model), tmp_path / "e", image_shape=SIZE, inputs=inputs)
    assert not list(tmp_path.iterdir())

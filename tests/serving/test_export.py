"""The exported folder: signatures, equality in the server's loader, size."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.tools import saved_model_cli

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    SIZE,
    as_arrays,
    classifier,
    photos,
    relative_error,
)
from tests.serving.models import cat, encoded, named_classifier, smooth
from tests.serving.server import Server

TARGETS = np.int32([4, -1, 0])
NAMES = {"serve", "serving_default", "explain", "explain_maps", "explain_image_bytes"}


@pytest.fixture(scope="module")
def model():
    return named_classifier()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    return tss.export(smooth(model), tmp_path_factory.mktemp("served"), warm_up=())


@pytest.fixture(scope="module")
def server(folder):
    return Server(folder)


@pytest.fixture(scope="module")
def expected(model):
    return as_arrays(smooth(model)(photos(3), TARGETS))


def test_its_signatures(server):
    assert set(server.signatures) == {*NAMES, "metadata", "__saved_model_init_op"}
    inputs = {
        name: {
            key: (tf.as_dtype(info.dtype), [d.size for d in info.tensor_shape.dim])
            for key, info in server.signatures[name].inputs.items()
        }
        for name in NAMES
    }
    targets = {"targets": (tf.int32, [-1])}
    images = (tf.float32, [-1, *SIZE])
    assert inputs == {
        "serve": {"picture": images},
        "serving_default": {"picture": images},
        "explain": {"images": images, **targets},
        "explain_maps": {"images": images, **targets},
        "explain_image_bytes": {"image_bytes": (tf.string, [-1]), **targets},
    }
    small = {"heatmaps", "segments", "scores", "targets", "status"}
    small |= {"num_samples", "relative_error"}
    assert set(server.signatures["explain"].outputs) == small
    assert set(server.signatures["explain_image_bytes"].outputs) == small
    assert set(server.signatures["explain_maps"].outputs) == {
        *small,
        "maps",
        "standard_error",
    }


def assert_equal(out, expected):
    for key in out:
        assert out[key].dtype == expected[key].dtype
        if key in ("maps", "heatmaps"):
            assert relative_error(out[key], expected[key]).max() < 1e-5
        elif key == "scores":
            np.testing.assert_allclose(out[key], expected[key], rtol=1e-5)
        else:
            np.testing.assert_array_equal(out[key], expected[key])


@pytest.mark.parametrize("signature", ["explain", "explain_maps"])
def test_a_server_gets_what_the_explainer_gives(server, expected, signature):
    out = server.predict(signature, {"images": photos(3), "targets": TARGETS})
    assert_equal(out, expected)


def test_the_models_own_signature(server, model):
    out = server.predict("serving_default", {"picture": photos(3)})
    np.testing.assert_allclose(out["output_0"], model(photos(3)), rtol=1e-5)


def test_python_calls_it_by_place_and_by_name(folder, expected):
    loaded = tf.saved_model.load(str(folder))
    images, targets = tf.constant(photos(3)), tf.constant(TARGETS)
    assert_equal(as_arrays(loaded.explain_maps(images, targets)), expected)
    assert_equal(as_arrays(loaded.explain(targets=targets, images=images)), expected)
    np.testing.assert_allclose(loaded.serve(images).numpy().sum(1), 1, rtol=1e-5)


INPUTS = {
    "serving_default": {"picture": photos(2)},
    "explain": {"images": photos(2), "targets": TARGETS[:2]},
    "explain_maps": {"images": photos(2), "targets": TARGETS[:2]},
    "explain_image_bytes": {
        "image_bytes": np.array([encoded(cat(), "JPEG"), b"no image"]),
        "targets": TARGETS[:2],
    },
    "metadata": {"keys": np.array([b"method", b"nothing"])},
}


@pytest.mark.cases(1)
@pytest.mark.parametrize("signature", INPUTS)
def test_saved_model_cli_runs_every_signature(
    folder, server, signature, tmp_path, monkeypatch
):
    inputs = INPUTS[signature]
    for name, array in inputs.items():
        np.save(tmp_path / f"in_{name}.npy", array)
    given = ";".join(f"{name}={tmp_path}/in_{name}.npy" for name in inputs)
    command = [
        "saved_model_cli", "run", "--dir", str(folder), "--tag_set", "serve",
        "--signature_def", signature, "--inputs", given, "--outdir", str(tmp_path),
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    run_command()
    out = server.predict(signature, inputs)
    for name, array in out.items():
        written = np.load(tmp_path / f"{name}.npy", allow_pickle=True)
        np.testing.assert_array_equal(written, array)
    if signature == "explain_image_bytes":
        assert out["status"].tolist() == [0, 16]


def run_command():
    with pytest.raises(SystemExit) as end:  # how absl ends a program
        saved_model_cli.main()
    assert not end.value.code


def test_weights_are_stored_once(tmp_path):
    model = classifier(size=(64, 64, 3))
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=8))
    folder = tss.export(explainer, tmp_path, warm_up=())
    stored = sum(file.stat().st_size for file in (folder / "variables").iterdir())
    weights = 4 * model.count_params()
    assert weights > 100_000
    assert weights <= stored < 1.02 * weights + 4096


def test_the_graph_needs_no_python_and_no_xla(folder):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    library = saved.meta_graphs[0].graph_def.library.function
    operations = {node.op for function in library for node in function.node_def}
    assert {"ReluGrad", "DecodeImage", "DecodeJpeg"} <= operations
    assert not operations & {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaLaunch"}
    assert not any(function.attr["_XlaMustCompile"].b for function in library)


@pytest.mark.parametrize("signature", ["explain", "serving_default"])
def test_images_of_another_shape_are_refused_by_name_and_harm_no_one(
    server, model, signature
):
    name = {"explain": "images", "serving_default": "picture"}[signature]
    others = {"targets": TARGETS[:1]} if signature == "explain" else {}
    for shape in ((1, 10, 11, 3), (1, *SIZE[:2], 4), SIZE, (1, 12 * 11 * 3)):
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            server.predict(signature, {name: np.ones(shape), **others})
        text = str(error.value)
        assert f"{signature}_{name}" in text or f"serve_{name}" in text, text
        assert "[?,12,11,3]" in text
        assert f"[{','.join(map(str, shape))}]" in text
    out = server.predict("serving_default", {"picture": photos(2)})
    np.testing.assert_allclose(out["output_0"], model(photos(2)), rtol=1e-5)


def test_rows_that_do_not_fit_are_refused(server):
    for images, targets in ((3, 2), (3, 1), (1, 3)):
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            server.predict(
                "explain", {"images": photos(images), "targets": TARGETS[:targets]}
            )
        assert "targets must have one row for each of images" in str(error.value)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have a row"):
        server.predict("explain", {"images": photos(3)[:0], "targets": TARGETS[:0]})


def test_bad_rows_are_flagged_and_harm_no_one(server, expected):
    images = photos(3)
    images[0, 3, 4, 1] = np.nan
    targets = np.int32([0, -1, 5])
    out = server.predict("explain_maps", {"images": images, "targets": targets})
    assert out["status"].tolist() == [1, 0, 2]
    assert np.isnan(out["heatmaps"][[0, 2]]).all() and np.isnan(out["scores"][0])
    assert relative_error(out["maps"][1:2], expected["maps"][1:2]).max() < 1e-5

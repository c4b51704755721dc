"""The exported SavedModel: read by TensorFlow alone, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tf_superpixel_saliency as tss
from tests.explainers.networks import (
    SIZE,
    as_arrays,
    classifier,
    photos,
    relative_error,
)
from tests.explainers.partitions import Brightness

TARGETS = np.array([4, -1, 0, 1, -1], "int32")

EXPORTED = {
    "simple": lambda m: tss.SimpleGradient(m, tss.Quickshift()),
    "smooth": lambda m: tss.SmoothGrad(
        m, tss.Quickshift(), num_samples=3, partition="dynamic"
    ),
    "sparsified": lambda m: tss.SparsifiedSmoothGrad(
        m, tss.SquareGrid(like=Brightness()), num_samples=3
    ),
    "integrated": lambda m: tss.IntegratedGradients(
        m, tss.Quickshift(), num_steps=3, quadrature="adaptive", baseline="blur"
    ),
}

PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
folder = sys.argv[1]
images, targets = np.load(folder + "/images.npy"), np.load(folder + "/targets.npy")
for name in sys.argv[2:]:
    loaded = tf.saved_model.load(f"{folder}/{name}")
    out = loaded.explain_maps(tf.constant(images), tf.constant(targets))
    one = loaded.signatures["explain"](
        images=tf.constant(images[:1]), targets=tf.constant(targets[:1])
    )
    assert set(one) == set(out) - {"maps", "standard_error"}
    out = {key: np.asarray(value) for key, value in out.items()}
    assert np.allclose(one["heatmaps"], out["heatmaps"][:1], rtol=1e-4, atol=1e-9)
    out["prediction"] = loaded.serve(tf.constant(images))
    np.savez(f"{folder}/{name}.npz", **out)
assert "tf_superpixel_saliency" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All four explainers, exported, and what another process makes of them."""
    folder = tmp_path_factory.mktemp("exports")
    np.save(folder / "images.npy", photos(5))
    np.save(folder / "targets.npy", TARGETS)
    for name, build in EXPORTED.items():
        explainer = build(classifier())
        explainer.compile(jit_compile=True)  # must not go along
        explainer.export(folder / name)
    command = [sys.executable, "-c", PROGRAM, str(folder), *EXPORTED]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(command, check=True, cwd=folder, env=environment)
    return folder


@pytest.mark.parametrize("name", EXPORTED)
def test_another_process_gets_the_same(folder, name):
    expected = as_arrays(EXPORTED[name](classifier())(photos(5), TARGETS))
    out = np.load(folder / f"{name}.npz")
    assert set(out.files) == {*expected, "prediction"}
    np.testing.assert_allclose(out["prediction"], classifier()(photos(5)), rtol=1e-5)
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(out[key], expected[key])
        assert out[key].dtype == expected[key].dtype
    np.testing.assert_allclose(out["scores"], expected["scores"], rtol=1e-5)


@pytest.mark.parametrize("name", EXPORTED)
def test_no_graph_asks_for_xla_or_python(folder, name):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / name / "saved_model.pb").read_bytes())
    operations = set()
    for meta in saved.meta_graphs:
        for function in meta.graph_def.library.function:
            attribute = function.attr.get("_XlaMustCompile")
            assert attribute is None or not attribute.b
            operations.update(node.op for node in function.node_def)
        for node in meta.graph_def.node:
            assert "_XlaMustCompile" not in node.attr or not (
                node.attr["_XlaMustCompile"].b
            )
            operations.add(node.op)
    assert "Conv2D" in operations
    assert not operations & {"PyFunc", "PyFuncStateless", "EagerPyFunc", "XlaLaunch"}


def test_weights_are_stored_once(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(512, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    tss.SmoothGrad(model, tss.SquareGrid(size=4), num_samples=2).export(tmp_path / "e")
    stored = sum(
        path.stat().st_size for path in (tmp_path / "e" / "variables").iterdir()
    )
    weights = 4 * model.count_params()
    assert weights <= stored < 1.02 * weights + 4096
    assert (tmp_path / "e" / "saved_model.pb").stat().st_size < 0.5 * weights


@pytest.mark.thorough
def test_saved_model_cli_runs_it(folder):
    cli = Path(sys.executable).with_name("saved_model_cli")
    np.save(folder / "two.npy", photos(2))
    np.save(folder / "classes.npy", np.array([3, -1], "int32"))
    command = [
        str(cli), "run", "--dir", str(folder / "smooth"), "--tag_set", "serve",
        "--signature_def", "explain_maps", "--outdir", str(folder),
        "--inputs", f"images={folder}/two.npy;targets={folder}/classes.npy",
        "--overwrite",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    expected = EXPORTED["smooth"](classifier())(photos(2), targets=[3, -1])
    maps = np.load(folder / "maps.npy")
    assert relative_error(maps, expected["maps"]).max() < 1e-5


def test_a_path_that_exists_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(ValueError, match="exists"):
            tss.SimpleGradient(classifier()).export(path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def on_the_host():
    return tss.SimpleGradient(classifier(), tss.Felzenszwalb(scale=50))


def like_on_the_host():
    layer = tss.SquareGrid(like=tss.Felzenszwalb(scale=50))
    return tss.SimpleGradient(classifier(), layer)


def python_in_the_model():
    model = classifier()

    def call(images):
        same = tf.py_function(lambda x: x + 0.0, [images], tf.float32)
        return model(tf.ensure_shape(same, images.shape), training=False)

    return tss.SimpleGradient(call)


@pytest.mark.parametrize("build", [on_the_host, like_on_the_host, python_in_the_model])
def test_what_runs_on_the_host_is_refused_and_leaves_nothing(build, tmp_path):
    explainer = build()
    assert explainer(photos(1))["status"].numpy() == 0
    with pytest.raises(ValueError, match="can't be exported"):
        explainer.export(tmp_path / "model", image_shape=SIZE)
    assert not (tmp_path / "model").exists()


def test_an_error_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def failing(archive, path, *args, **kwargs):
        os.makedirs(Path(path) / "variables")
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", failing)
    with pytest.raises(OSError, match="disk full"):
        tss.SimpleGradient(classifier()).export(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.thorough
def test_a_function_is_exported_with_a_shape(tmp_path):
    model = classifier()
    explainer = tss.SimpleGradient(
        lambda images: model(images, training=False), tss.Quickshift()
    )
    expected = explainer(photos(2))["maps"]
    explainer.export(tmp_path / "model", image_shape=SIZE)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    out = loaded.explain_maps(tf.constant(photos(2)), tf.constant([-1, -1]))
    assert relative_error(out["maps"], expected).max() < 1e-5
    own = loaded.signatures["serving_default"](images=tf.constant(photos(2)))
    np.testing.assert_allclose(own["output_0"], model(photos(2)), rtol=1e-5)
    with pytest.raises(ValueError, match="image_shape"):
        explainer.export(tmp_path / "other", image_shape=(224, 224))


def test_the_export_is_silent_unless_asked(tmp_path, capsys):
    explainer = tss.SimpleGradient(classifier())
    explainer.export(tmp_path / "silent")
    assert not capsys.readouterr().out
    explainer.export(tmp_path / "verbose", verbose=True)
    assert "images" in capsys.readouterr().out


def test_the_batch_status_and_the_weights_live_in_the_file(folder):
    loaded = tf.saved_model.load(str(folder / "simple"))
    images = photos(3)
    images[1, 0, 0, 0] = np.nan
    out = loaded.explain_maps(tf.constant(images), tf.constant([0, 0, 7]))
    assert out["status"].numpy().tolist() == [0, 1, 2]
    assert np.isnan(out["maps"][1:]).all() and np.isfinite(out["maps"][0]).all()

"""Numbered folders that are there whole or not at all, and what isn't exported."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import SIZE, as_arrays, classifier, photos
from tests.serving.models import named_classifier, simple
from tests.serving.server import Server
from tf_superpixel_saliency.explainers import saved_model

CHEAP = {"image_bytes": False, "warm_up": ()}


@pytest.fixture(scope="module")
def explainer():
    return simple(named_classifier())


def test_versions_count_up_from_the_highest(explainer, tmp_path):
    base = tmp_path / "new" / "model"
    assert tss.export(explainer, base, **CHEAP) == base / "1"
    (base / "7").mkdir()
    (base / "notes").mkdir()
    (base / "0009").write_text("a file counts, too")
    assert tss.export(explainer, str(base), **CHEAP) == base / "10"
    assert tss.export(explainer, base, version=3, **CHEAP) == base / "3"
    found = {file.name for file in base.iterdir()}
    assert found == {"1", "3", "7", "10", "notes", "0009"}
    assert (base / "10" / "saved_model.pb").is_file()


def test_what_is_there_is_never_touched(explainer, tmp_path):
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    for path, version, words in (
        (tmp_path, 2, "exists"),
        (tmp_path / "file", None, "is a file"),
        (tmp_path / "saved", None, "is a SavedModel itself"),
        (tmp_path, 0, "version must be at least 1"),
        (tmp_path, "1", "version must be an integer"),
    ):
        with pytest.raises(ValueError, match=words):
            tss.export(explainer, path, version=version, **CHEAP)
    assert {file.name for file in tmp_path.iterdir()} == {"2", "file", "saved"}
    assert (tmp_path / "2" / "mine").read_text() == "mine"


def test_a_server_that_watches_never_sees_a_part(explainer, tmp_path, monkeypatch):
    seen = []
    rename = saved_model.pathlib.Path.rename

    def watched(partial, target):
        names = [file.name for file in tmp_path.iterdir()]
        seen.append(([n for n in names if n.isdecimal()], partial.parent))
        assert (partial / "assets.extra" / "metadata.json").is_file()
        assert (partial / "variables" / "variables.index").is_file()
        return rename(partial, target)

    monkeypatch.setattr(saved_model.pathlib.Path, "rename", watched)
    tss.export(explainer, tmp_path, **CHEAP)
    assert seen == [([], tmp_path)]
    assert [file.name for file in tmp_path.iterdir()] == ["1"]


def test_two_processes_at_once(explainer, tmp_path, monkeypatch):
    write = saved_model.write

    def slow(*args, **kwargs):
        (tmp_path / "model" / "1").mkdir()
        (tmp_path / "model" / "1" / "saved_model.pb").write_text("another's")
        write(*args, **kwargs)

    monkeypatch.setattr(saved_model, "write", slow)
    with pytest.raises(ValueError, match="another process"):
        tss.export(explainer, tmp_path / "model", **CHEAP)
    found = list((tmp_path / "model").iterdir())
    assert [file.name for file in found] == ["1"]
    assert (found[0] / "saved_model.pb").read_text() == "another's"


@pytest.mark.parametrize("step", ["mkdir", "save", "fsync"])
def test_nothing_stays_where_writing_fails(explainer, tmp_path, monkeypatch, step):
    def failing(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(args[0]))

    owner, name = {
        "mkdir": (saved_model.pathlib.Path, "mkdir"),
        "save": (tf.saved_model, "save"),
        "fsync": (saved_model.os, "fsync"),
    }[step]
    monkeypatch.setattr(owner, name, failing)
    with pytest.raises(PermissionError, match="Permission denied"):
        tss.export(explainer, tmp_path / "a" / "b", **CHEAP)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ones_own(explainer, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        tss.export(explainer, tmp_path, **CHEAP)


class Unregistered(keras.Model):
    """Saved by no one: Keras doesn't know its name."""

    def __init__(self):
        super().__init__()
        self.inner = named_classifier()

    def call(self, images):
        return self.inner(images)


def of_a_function():
    variable = tf.Variable(np.random.default_rng(0).normal(0, 0.01, (396, 5)))

    def score(images):
        flat = tf.reshape(images, [-1, 396])
        return tf.nn.softmax(flat @ tf.cast(variable, tf.float32))

    return score


def scale(table):
    return table.lookup(tf.constant("scale"))


def of_a_module():
    class Module(tf.Module):
        def __init__(self):
            keys, values = tf.constant(["scale"]), tf.constant([0.01])
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, values), 0.0
            )
            self.weights = tf.Variable(of_a_function().__closure__[0].cell_contents)

        def __call__(self, images):
            flat = tf.reshape(images, [-1, 396]) * self.table.lookup(
                tf.constant("scale")
            )
            return tf.nn.softmax(flat @ tf.cast(self.weights, tf.float32))

    return Module()


OLD_KERAS = tuple(map(int, keras.__version__.split(".")[:2])) < (3, 6)
WITH_TABLE = pytest.param(
    of_a_module,
    marks=pytest.mark.skipif(OLD_KERAS, reason="exports its own layers' tables alone"),
)


@pytest.mark.cases(1)
@pytest.mark.parametrize("build", [Unregistered, of_a_function, WITH_TABLE])
def test_what_keras_can_not_save_is_exported(build, tmp_path):
    explainer = simple(build())
    with pytest.raises(ValueError, match="can't be saved"):
        explainer.save(tmp_path / "e.keras")
    expected = as_arrays(explainer(photos(2)))
    folder = tss.export(explainer, tmp_path, image_shape=SIZE, **CHEAP)
    out = Server(folder).predict(
        "explain_maps", {"images": photos(2), "targets": np.int32([-1, -1])}
    )
    np.testing.assert_allclose(out["maps"], expected["maps"], rtol=1e-5)


def test_a_table_that_nothing_owns(tmp_path):
    table = of_a_module().table
    model = of_a_function()
    explainer = simple(lambda images: model(images * scale(table)))
    with pytest.raises(ValueError, match=r"no object owns it.*tf\.Module"):
        tss.export(explainer, tmp_path / "a", image_shape=SIZE, **CHEAP)
    assert not list(tmp_path.iterdir())


def test_a_saved_model_without_a_signature(tmp_path):
    module = tf.Module()
    module.v = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "bare"))
    loaded = tf.saved_model.load(str(tmp_path / "bare"))
    with pytest.raises(TypeError, match=r"serving_default.*its signatures are \[\]"):
        tss.SimpleGradient(loaded)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"image_shape": (12, 11)}, "image_shape must be"),
        ({"image_shape": (12, 11, None)}, "image_shape must be"),
        ({"image_shape": (24, 24, 3)}, r"the model takes \(12, 11, 3\)"),
        ({"segments": "mine"}, "segments must be one of"),
        ({"resize": "stretch"}, "resize must be one of"),
        ({"value_range": (0, 1)}, "is not that of the explainer's super-pixels"),
        ({"value_range": (1, 0)}, "value_range must be"),
        ({"warm_up": 3}, "warm_up must be batch sizes"),
        ({"warm_up": (0,)}, "warm_up must be at least 1"),
        ({"max_pixels": 0}, "max_pixels must be at least 1"),
        ({"inputs": {"age": tf.TensorSpec((None, 1))}}, "age"),
    ],
)
def test_arguments_that_can_not_be(explainer, tmp_path, arguments, words):
    with pytest.raises(ValueError, match=words):
        tss.export(explainer, tmp_path / "e", **arguments)
    assert not list(tmp_path.iterdir())


def test_what_is_no_explainer(tmp_path):
    with pytest.raises(TypeError, match=r"SmoothGrad\(model\), but got Functional"):
        tss.export(named_classifier(), tmp_path)


@pytest.mark.parametrize(
    "size, words",
    [((None, None, 3), r"\(None, None, 3\).*image_shape="), ((12, 11, 4), "takes 4")],
)
def test_photos_that_have_no_shape_to_become(tmp_path, size, words):
    inputs = keras.Input(size)
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    explainer = simple(keras.Model(inputs, keras.layers.Dense(2, "softmax")(x)))
    with pytest.raises(ValueError, match=f"{words}.*image_bytes=False"):
        tss.export(explainer, tmp_path)
    server = Server(tss.export(explainer, tmp_path, **CHEAP))
    assert "explain_image_bytes" not in server.signatures
    images = photos(2, (12, 11, size[2]))
    out = server.predict("explain", {"images": images, "targets": np.int32([0, 1])})
    np.testing.assert_allclose(out["scores"], explainer(images, [0, 1])["scores"])


def test_explainer_export_has_the_same_signatures(tmp_path):
    explainer = simple(classifier())
    explainer.export(tmp_path / "plain")
    plain = Server(tmp_path / "plain").signatures
    numbered = Server(tss.export(explainer, tmp_path / "n", **CHEAP)).signatures
    assert set(numbered) - set(plain) == {"metadata"}
    for name, signature in plain.items():
        assert signature.inputs.keys() == numbered[name].inputs.keys()
        assert signature.outputs.keys() == numbered[name].outputs.keys()

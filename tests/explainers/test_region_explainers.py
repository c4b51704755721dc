"""GradCAM, ScoreCAM and RISE as explainers: batches, XLA, files, exports."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.explainers.networks import as_arrays, classifier, photos, relative_error
from tests.explainers.partitions import Brightness
from tests.explainers.test_feature_maps import Subclassed
from tf_superpixel_saliency.explainers import RISE, GradCAM, ScoreCAM

EXPLAINERS = {
    "grad_cam": lambda m, **kwargs: GradCAM(m, Brightness(), relu=False, **kwargs),
    "score_cam": lambda m, **kwargs: ScoreCAM(
        m, Brightness(levels=4), layer="maps", max_channels=3, weighting="softmax",
        relu=False, fill=(1, 2, 3), **kwargs,
    ),
    "rise": lambda m, **kwargs: RISE(
        m, Brightness(), num_masks=7, grid=3, probability=0.4, fill=5.0, seed=11,
        normalization="expected", **kwargs,
    ),
}  # fmt: skip
TARGETS = np.array([4, -1, 0, 1, 2], "int32")


def model():
    network = classifier()
    # Names count up from model to model, and the file and the process have others.
    network.layers[2].name = "maps"
    return network


@pytest.fixture(scope="module", params=EXPLAINERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def explainer(name):
    return EXPLAINERS[name](model())


@pytest.fixture(scope="module")
def expected(explainer):
    return as_arrays(explainer(photos(5), TARGETS))


def check(out, expected):
    assert set(out) == set(expected)
    assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(out[key], expected[key])
    np.testing.assert_allclose(out["scores"], expected["scores"], rtol=2e-5)


@pytest.mark.cases(1)
def test_reruns_are_bit_equal(name, explainer, expected):
    again = as_arrays(explainer(photos(5), TARGETS))
    anew = as_arrays(EXPLAINERS[name](model())(photos(5), TARGETS))
    for key in expected:
        np.testing.assert_array_equal(again[key], expected[key])
        np.testing.assert_array_equal(anew[key], expected[key])


@pytest.mark.cases(1)
def test_batch_and_order_do_not_matter(explainer, expected):
    for batch in (1, 2, 4):
        parts = [
            as_arrays(explainer(photos(5)[i : i + batch], TARGETS[i : i + batch]))
            for i in range(0, 5, batch)
        ]
        check({k: np.concatenate([p[k] for p in parts]) for k in expected}, expected)
    order = [3, 1, 4, 0, 2]
    out = as_arrays(explainer(photos(5)[order], TARGETS[order]))
    check(out, {key: value[order] for key, value in expected.items()})
    inputs = {"images": photos(5), "targets": TARGETS}
    check(explainer.predict(inputs, batch_size=2, verbose=0), expected)


@pytest.mark.cases(2)
@pytest.mark.parametrize("chunk_size", [1, 5, 64])
def test_chunk_size(name, expected, chunk_size):
    if name == "grad_cam":
        pytest.skip("has one pass")
    other = EXPLAINERS[name](model(), chunk_size=chunk_size)
    check(as_arrays(other(photos(5), TARGETS)), expected)
    one = as_arrays(other(photos(5)[:1], TARGETS[:1]))
    check(one, {key: value[:1] for key, value in expected.items()})


@pytest.mark.cases(1)
def test_xla(name, expected):
    compiled = EXPLAINERS[name](model())
    compiled.compile(jit_compile=True)
    check(as_arrays(compiled(photos(5), TARGETS)), expected)


def test_a_keras_file_comes_back_the_same(explainer, expected, tmp_path):
    explainer.save(tmp_path / "explainer.keras")
    loaded = keras.models.load_model(tmp_path / "explainer.keras")
    assert type(loaded) is type(explainer)
    for key, value in as_arrays(loaded(photos(5), TARGETS)).items():
        np.testing.assert_array_equal(value, expected[key])
    config, again = explainer.get_config(), loaded.get_config()
    for key in set(config) - {"model", "superpixels"}:
        assert again[key] == config[key]


@pytest.mark.parametrize("cls", [GradCAM, ScoreCAM])
def test_a_pair_of_functions_is_exported_but_not_saved(cls, tmp_path):
    network = Subclassed()
    network(photos())
    explainer = cls(network, layer=(network.trunk, network.head))
    with pytest.raises(ValueError, match=r"pair of functions.*explainer\.export"):
        explainer.save(tmp_path / "explainer.keras")
    assert not list(tmp_path.iterdir())
    explainer.export(tmp_path / "model", image_shape=photos().shape[1:])


PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
folder = sys.argv[1]
images, targets = np.load(folder + "/images.npy"), np.load(folder + "/targets.npy")
for name in sys.argv[2:]:
    loaded = tf.saved_model.load(f"{folder}/{name}")
    explain = loaded.signatures["explain_maps"]
    out = explain(images=tf.constant(images), targets=tf.constant(targets))
    np.savez(f"{folder}/{name}.npz", **{k: np.asarray(v) for k, v in out.items()})
assert "tf_superpixel_saliency" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All explainers, exported, and what another process makes of them."""
    folder = tmp_path_factory.mktemp("exports")
    np.save(folder / "images.npy", photos(5))
    np.save(folder / "targets.npy", TARGETS)
    for name, build in EXPLAINERS.items():
        build(model()).export(folder / name)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", PROGRAM, str(folder), *EXPLAINERS]
    subprocess.run(command, check=True, cwd=folder, env=environment)
    return folder


@pytest.mark.cases(1)
def test_another_process_gets_the_same_from_an_export(folder, name, expected):
    with np.load(folder / f"{name}.npz") as out:
        check(dict(out), expected)


def test_weights_are_stored_once(folder):
    weights = 4 * model().count_params()
    for name in EXPLAINERS:
        files = (folder / name / "variables").iterdir()
        assert weights <= sum(file.stat().st_size for file in files) < weights + 4096


@pytest.mark.cases(1)
def test_sizes_may_be_free_until_it_runs(name, tmp_path):
    network = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="maps"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    explainer = EXPLAINERS[name](network)
    explainer.export(tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    for size in ((12, 11, 3), (9, 16, 3)):
        images = photos(2, size)
        out = loaded.signatures["explain_maps"](
            images=tf.constant(images), targets=tf.constant([1, -1])
        )
        check(as_arrays(out), as_arrays(explainer(images, [1, -1])))


def test_images_that_can_not_be_explained_have_a_status(explainer):
    images = photos(5)
    images[1, 0, 0, 0] = np.nan
    batch = {"images": images, "targets": np.array([0, 0, 7, 0, 0], "int32")}
    with pytest.warns(UserWarning, match="1 of 5 images"):
        (out,) = explainer.explain_batches(iter([batch]))
    assert (out["status"] & 3).tolist() == [0, 1, 2, 0, 0]
    assert np.isnan(out["maps"][1:3]).all()
    assert np.isfinite(out["maps"][[0, 3, 4]]).all()

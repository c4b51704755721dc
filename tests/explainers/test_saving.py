import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, as_arrays, classifier, photos
from tests.explainers.partitions import Brightness


@keras.saving.register_keras_serializable(package="tests")
def margin(outputs, targets):
    """The class's output less the mean of all."""
    return tf.gather(outputs, targets, axis=1, batch_dims=1) - tf.reduce_mean(
        outputs, axis=1
    )


class Unregistered(keras.layers.Layer):
    def call(self, images):
        return images * 2


@keras.saving.register_keras_serializable(package="tests")
class Registered(keras.Model):
    """Builds its own layers, whose classes nobody has to know."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.double = Unregistered()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(CLASSES, activation="softmax")

    def call(self, images):
        return self.dense(self.flatten(self.double(images / 255)))


class UnregisteredPartition(Brightness):
    pass


SAVED = {
    "simple": lambda m: tss.SimpleGradient(m, score="logit"),
    "smooth": lambda m: tss.SmoothGrad(
        m, tss.Quickshift(max_dist=5), num_samples=3, noise_level=0.2, seed=7,
        partition="dynamic", dynamic_sigma=0.5, chunk_size=2,
    ),
    "sparsified": lambda m: tss.SparsifiedSmoothGrad(
        m, tss.SquareGrid(like=Brightness(levels=4)), num_samples=3, relaxed=True,
        top_fraction=0.2, saturation_fraction=0.05, order="sparsify_last",
    ),
    "integrated": lambda m: tss.IntegratedGradients(
        m, Brightness(), num_steps=3, quadrature="trapezoid",
        baseline=np.full(SIZE, 3.5), score=margin,
    ),
    "blur": lambda m: tss.IntegratedGradients(
        m, num_steps=3, quadrature="adaptive", baseline="blur", blur_sigma=1.5
    ),
}  # fmt: skip


@pytest.mark.cases(1)
@pytest.mark.parametrize("name", SAVED)
def test_a_keras_file_comes_back_the_same(name, tmp_path):
    explainer = SAVED[name](classifier())
    expected = as_arrays(explainer(photos()))
    path = tmp_path / "explainer.keras"
    explainer.save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded) is type(explainer)
    for key, value in as_arrays(loaded(photos())).items():
        np.testing.assert_array_equal(value, expected[key])
    config, again = explainer.get_config(), loaded.get_config()
    for key in set(config) - {"model", "superpixels"}:
        assert again[key] == config[key]


@pytest.mark.parametrize("setting", ["auto", True, False])
def test_the_compile_setting_is_kept_and_not_its_outcome(tmp_path, setting):
    explainer = tss.SimpleGradient(classifier())
    explainer.compile(jit_compile=setting)
    explainer.save(tmp_path / "explainer.keras")
    loaded = keras.models.load_model(tmp_path / "explainer.keras")
    assert loaded.get_compile_config()["jit_compile"] == setting
    assert loaded.jit_compile is explainer.jit_compile


def test_a_registered_model_with_layers_of_its_own(tmp_path):
    model = Registered()
    model(photos())
    explainer = tss.SimpleGradient(model)
    expected = explainer(photos())["maps"]
    explainer.save(tmp_path / "explainer.keras")
    loaded = keras.models.load_model(tmp_path / "explainer.keras")
    np.testing.assert_array_equal(loaded(photos())["maps"], expected)


def unregistered_layer():
    inputs = keras.Input(SIZE)
    x = keras.layers.Flatten()(keras.Sequential([Unregistered()])(inputs))
    return tss.SimpleGradient(keras.Model(inputs, keras.layers.Dense(3)(x)))


def lambda_layer():
    inputs = keras.Input(SIZE)
    x = keras.layers.Flatten()(keras.layers.Lambda(lambda x: x * 2)(inputs))
    return tss.SimpleGradient(keras.Model(inputs, keras.layers.Dense(3)(x)))


def unregistered_model():
    class Mine(Registered):
        pass

    return tss.SimpleGradient(Mine())


REFUSED = {
    "layer": unregistered_layer,
    "lambda layer": lambda_layer,
    "model": unregistered_model,
    "function": lambda: tss.SimpleGradient(tf.function(lambda x: x[:, 0, 0])),
    "score": lambda: tss.SimpleGradient(classifier(), score=lambda o, t: o[:, 0]),
    "partial": lambda: tss.SimpleGradient(
        classifier(), score=functools.partial(margin)
    ),
    "superpixels": lambda: tss.SimpleGradient(classifier(), UnregisteredPartition()),
    "like": lambda: tss.SimpleGradient(
        classifier(), tss.SquareGrid(like=UnregisteredPartition())
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_loaded_is_not_saved(name, tmp_path):
    explainer = REFUSED[name]()
    path = tmp_path / "explainer.keras"
    with pytest.raises(ValueError, match=r"explainer\.export\(path\)"):
        explainer.save(path)
    assert not path.exists()


def test_a_saved_model_is_not_saved_again(tmp_path):
    classifier().export(str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    explainer = tss.SimpleGradient(loaded)
    with pytest.raises(ValueError, match=r"explainer\.export\(path\)"):
        explainer.save(tmp_path / "explainer.keras")


@pytest.mark.thorough
def test_it_loads_in_another_process(tmp_path):
    explainer = tss.SmoothGrad(classifier(), tss.Quickshift(), num_samples=2)
    expected = explainer(photos())["maps"].numpy()
    explainer.save(tmp_path / "explainer.keras")
    np.save(tmp_path / "images.npy", photos())
    program = """
import sys
import keras, numpy as np
import tf_superpixel_saliency
folder = sys.argv[1]
explainer = keras.models.load_model(folder + "/explainer.keras")
np.save(folder + "/maps.npy", explainer(np.load(folder + "/images.npy"))["maps"])
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "maps.npy"), expected)

"""`model_dtype`: a float32 model run in half precision, its own weights read live."""

import functools

import keras
import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, photos, relative_error

POLICIES = ("mixed_float16", "mixed_bfloat16")
SIZE = (12, 11, 3)


def network(policy="float32"):
    """Smooth activations: of a ReLU the gradient jumps where rounding flips a sign."""
    layers = keras.layers
    inner = keras.Sequential(
        [
            keras.Input((10, 9, 6)),
            layers.Conv2D(6, 3, 2, activation="tanh", dtype=policy),
            layers.BatchNormalization(dtype=policy),
        ]
    )
    inputs = keras.Input(SIZE)
    x = layers.Rescaling(1 / 127.5, -1.0, dtype=policy)(inputs)
    x = layers.Conv2D(6, 3, activation="tanh", dtype=policy)(x)
    x = layers.Dropout(0.5, dtype=policy)(inner(x))
    x = layers.GlobalAveragePooling2D(dtype=policy)(x)
    outputs = layers.Dense(4, "softmax", dtype="float32")(x)
    return keras.Model(inputs, outputs)


@functools.cache
def model():
    made = network()
    rng = np.random.default_rng(0)
    made.set_weights([0.5 * rng.uniform(0.2, 1, w.shape) for w in made.get_weights()])
    return made


@pytest.mark.parametrize("policy", POLICIES)
def test_equals_a_model_built_under_the_policy(policy):
    built = network(policy)
    built.set_weights(model().get_weights())
    explainer = tss.SimpleGradient(model(), tss.SquareGrid(4), model_dtype=policy)
    out = as_arrays(explainer(photos(2)))
    expected = tss.SimpleGradient(built, tss.SquareGrid(4), fold_batch_norms=False)
    assert relative_error(out["maps"], expected(photos(2))["maps"]).max() < 1e-5
    assert out["maps"].dtype == np.float32
    assert "float16" in explainer.freezing.reason


def test_rounds_as_its_type_does():
    def error(policy):
        maps = tss.SimpleGradient(model(), model_dtype=policy)(photos(1))["maps"]
        return relative_error(maps, plain["maps"])[0]

    plain = tss.SimpleGradient(model())(photos(1))
    # Their numbers are rounded by 2⁻¹¹ and 2⁻⁸.
    assert 2.0**-14 < error("mixed_float16") < 0.5 * error("mixed_bfloat16")


@pytest.mark.thorough
def test_weights_are_read_at_the_call_and_the_model_is_left_alone():
    changing = network()
    dtypes = [layer.compute_dtype for layer in changing.layers]
    explainer = tss.SmoothGrad(changing, num_samples=3, model_dtype="mixed_bfloat16")
    before = as_arrays(explainer(photos(1)))
    assert [layer.compute_dtype for layer in changing.layers] == dtypes
    assert len(explainer.trainable_weights) == len(changing.trainable_weights)
    changing.set_weights([2 * weight for weight in changing.get_weights()])
    after = as_arrays(explainer(photos(1)))
    assert relative_error(after["maps"], before["maps"])[0] > 0.1
    anew = tss.SmoothGrad(changing, num_samples=3, model_dtype="mixed_bfloat16")
    assert relative_error(after["maps"], anew(photos(1))["maps"])[0] < 1e-5


def test_is_saved(tmp_path):
    explainer = tss.SimpleGradient(model(), model_dtype="mixed_float16")
    explainer.save(tmp_path / "explainer.keras")
    loaded = keras.saving.load_model(tmp_path / "explainer.keras")
    assert loaded.model_dtype == "mixed_float16"
    expected = explainer(photos(1))["maps"]
    assert relative_error(loaded(photos(1))["maps"], expected)[0] < 1e-5


def test_bad_input():
    with pytest.raises(ValueError, match="model_dtype must be one of"):
        tss.SimpleGradient(model(), model_dtype="float16")
    with pytest.raises(ValueError, match="functional or sequential Keras model"):
        tss.SimpleGradient(lambda x: x, model_dtype="mixed_float16")
    with pytest.raises(ValueError, match="functional or sequential Keras model"):
        tss.SimpleGradient(
            keras.Sequential([keras.layers.Flatten()]), model_dtype="mixed_float16"
        )
    with pytest.raises(ValueError, match="runs the layers of the model itself"):
        tss.GradCAM(model(), model_dtype="mixed_float16")

"""A process that has TensorFlow and can't import this package explains a photo."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

import tf_superpixel_saliency as tss
from tests.explainers.networks import relative_error
from tests.serving.models import encoded

PROGRAM = """
import sys
sys.modules["tf_superpixel_saliency"] = None
sys.modules["skimage"] = sys.modules["PIL"] = None
import numpy as np
import tensorflow as tf
folder, photo, result = sys.argv[1:]
loaded = tf.saved_model.load(folder)
explain = loaded.signatures["explain_image_bytes"]
files = tf.constant([open(photo, "rb").read(), b"no image"])
out = explain(image_bytes=files, targets=tf.constant([-1, 0]))
np.savez(result, **{key: value.numpy() for key, value in out.items()})
try:
    import tf_superpixel_saliency
    raise SystemExit("the package was there")
except ImportError:
    pass
"""


def model(size=64):
    import keras

    rng = np.random.default_rng(1)
    photo = keras.Input((size, size, 3))
    x = keras.layers.Conv2D(8, 5, 2, activation="relu")(photo / 127.5 - 1)
    x = keras.layers.GlobalAveragePooling2D()(x)
    made = keras.Model(photo, keras.layers.Dense(5, activation="softmax")(x))
    made.set_weights([rng.normal(0, 0.3, w.shape) for w in made.get_weights()])
    return made


@pytest.mark.thorough
def test_jpeg_bytes_of_a_real_photo(tmp_path):
    explainer = tss.SmoothGrad(model(), tss.Quickshift(), num_samples=4)
    folder = tss.export(explainer, tmp_path / "served", warm_up=())
    (tmp_path / "cat.jpg").write_bytes(encoded(Image.fromarray(data.chelsea()), "JPEG"))
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    command += [str(tmp_path / "cat.jpg"), str(tmp_path / "out.npz")]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    photo = tss.demo.prepare(np.asarray(Image.open(tmp_path / "cat.jpg")), 64)
    expected = explainer(photo[None])
    out = np.load(tmp_path / "out.npz")
    assert out["status"].tolist() == [0, 16]
    np.testing.assert_array_equal(out["segments"][:1], expected["segments"])
    assert expected["segments"].numpy().max() > 50
    assert relative_error(out["heatmaps"][:1], expected["heatmaps"]).max() < 1e-5
    np.testing.assert_allclose(out["scores"][0], expected["scores"][0], rtol=1e-5)
    assert out["targets"][0] == expected["targets"][0]

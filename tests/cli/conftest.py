"""Photos and a small model on disk, for the command."""

import keras
import numpy as np
import pytest
from skimage import data, io

from tf_superpixel_saliency.cli.parser import main


@pytest.fixture
def run(capsys):
    """Runs the command in this process: arguments → (status, output, errors)."""

    def call(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def photos(tmp_path):
    """A folder of two real photos, one of them in a folder below."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    io.imsave(folder / "chelsea.png", data.chelsea(), check_contrast=False)
    io.imsave(folder / "below" / "coffee.jpg", data.coffee(), check_contrast=False)
    return folder


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A small classifier with weights from a fixed seed, saved by Keras."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    path = tmp_path_factory.mktemp("model") / "small.keras"
    model.save(path)
    return path


@pytest.fixture
def gray_file(tmp_path):
    """A classifier of gray images."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.save(tmp_path / "gray.keras")
    return tmp_path / "gray.keras"


@pytest.fixture
def rng():
    return np.random.default_rng(0)

"""Images in a folder, in Parquet and in TFRecords, and explainers that go wrong."""

import os
import pathlib
import signal

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

import tf_superpixel_saliency as tss

SIZE = 16


def model():
    keras.utils.set_random_seed(6)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="softplus"),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def explainer():
    return tss.SimpleGradient(model(), tss.SquareGrid(size=4))


def write_images(folder, count=9):
    """PNG files of several sizes, one of them in a folder below, one no image."""
    rng = np.random.default_rng(0)
    (folder / "below").mkdir(parents=True)
    for number in range(count):
        size = (20 + number, 24 - number, 3)
        image = Image.fromarray(rng.integers(0, 256, size).astype(np.uint8))
        image.save(folder / ("below" if number == 4 else ".") / f"{number}.png")
    (folder / "5b.png").write_bytes(b"no image")
    return folder


def contents(folder):
    """Key → bytes of the files, in order."""
    files = sorted(folder.rglob("*.png"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def expected(folder, keys):
    """What one explainer in this process gives for some of the images."""
    photos = [
        tss.demo.prepare(np.asarray(Image.open(folder / key)), SIZE) for key in keys
    ]
    out = explainer()(np.stack(photos))
    return {name: value.numpy() for name, value in out.items()}


def write_records(path, items):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for key, data in items.items():
            feature = {
                "image/encoded": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[data])
                ),
                "image/filename": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[key.encode()])
                ),
            }
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


class Marked:
    """Makes an explainer of which one worker does something once, at its third batch.

    Args:
        marker: a file that is made then.
        act: what is done.
    """

    def __init__(self, marker, act):
        self.marker, self.act = pathlib.Path(marker), act

    def __call__(self):
        made = explainer()
        whole, calls = made.explain_batches, []

        def explain_batches(data, batch_size=32):
            calls.append(1)
            if len(calls) == 3 and not self.marker.exists():
                self.marker.write_text(str(os.getpid()))
                self.act()
            return whole(data, batch_size)

        made.explain_batches = explain_batches
        return made


def kill_this_process():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise RuntimeError("the disk is on fire")

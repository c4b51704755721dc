import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import keras, numpy as np
import tf_superpixel_saliency as tss

layers = keras.layers
model = keras.Sequential([keras.Input((96, 96, 3)), layers.Rescaling(1 / 255)])
for _ in range(3):
    model.add(layers.Conv2D(32, 3, padding="same", activation="relu"))
model.add(layers.GlobalAveragePooling2D())
model.add(layers.Dense(4, activation="softmax"))
images = np.random.default_rng(0).uniform(0, 255, (4, 96, 96, 3)).astype("float32")
explainer = tss.SmoothGrad(model, tss.SquareGrid(size=8), num_samples=int(sys.argv[1]))
if len(sys.argv) == 2:
    explainer(images)
peaks = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]
if len(sys.argv) > 2:
    repeated = (np.concatenate([images] * 4) for _ in range(int(sys.argv[2])))
    for _ in explainer.explain_batches(repeated):
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    print(peaks[len(peaks) // 4])
print(peaks[-1])
"""


def peak_megabytes(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in result.stdout.split()]


@pytest.mark.thorough
def test_memory_is_flat_in_the_number_of_samples():
    # 64 samples of 4 images: their activations take 900 MB side by side, and each
    # chunk of 32 rows 110 MB.
    (few,), (many,) = peak_megabytes(8), peak_megabytes(64)
    assert many - few < 150


@pytest.mark.thorough
def test_memory_is_flat_in_the_number_of_images():
    # 30 batches of 16: their maps are 53 MB, the images as many, all else 35 MB.
    quarter, whole = peak_megabytes(1, 40)
    assert whole - quarter < 40

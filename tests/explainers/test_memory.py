import os
import subprocess
import sys

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
explainer(images)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_megabytes(num_samples):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(num_samples)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout.split()[-1])


def test_memory_is_flat_in_the_number_of_samples():
    # 64 samples of 4 images: their activations take 900 MB side by side, and each
    # chunk of 32 rows 110 MB.
    assert peak_megabytes(64) - peak_megabytes(8) < 150

"""Explains under a MirroredStrategy of logical CPU devices: run by test_replicas.py.

python -m tests.explainers.replicas_program OUTPUT.npz
"""

import sys
import warnings

import keras
import numpy as np
import tensorflow as tf

from tests.explainers import replicas_cases as cases

DEVICES = 2


def flat(out, name):
    return {f"{name}/{key}": np.asarray(value) for key, value in out.items()}


def main(path):
    (cpu,) = tf.config.list_physical_devices("CPU")
    devices = [tf.config.LogicalDeviceConfiguration()] * DEVICES
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(DEVICES)])
    found = {}
    with strategy.scope():
        model = cases.model()
        explainers = cases.explainers(model)
    for name, explainer in explainers.items():
        out = explainer.predict(cases.IMAGES, batch_size=6, verbose=0)
        found |= flat(out, name)
        found[f"{name}/folded"] = explainer.freezing.num_folded
    explainer = explainers[cases.PLAIN]
    for name, source in cases.SOURCES.items():
        found |= flat(explainer.predict(source(), batch_size=4, verbose=0), name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found |= flat(explainer.predict(cases.bad_images(), verbose=0), "bad")
    found["warnings"] = [str(warning.message) for warning in caught]
    found["steps"] = explainer.predict(cases.endless(), steps=2, verbose=0)["targets"]
    found |= flat(explainer(cases.IMAGES, cases.TARGETS), "direct")
    parts = list(explainer.explain_batches(cases.named(), batch_size=3))
    found["sizes"] = [len(part["status"]) for part in parts]
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    found |= flat(joined, "explain_batches")
    with strategy.scope():
        found |= flat(explainer.predict(cases.named(), verbose=0), "in the scope")
    seen = Seen()
    explainer.predict(cases.IMAGES, batch_size=3, verbose=0, callbacks=[seen])
    found["seen"] = seen.rows
    found["xla"] = explainer.jit_compile
    model.set_weights([0.8 * weight for weight in model.get_weights()])
    found |= flat(explainer.predict(cases.IMAGES, batch_size=6, verbose=0), "trained")
    np.savez(path, **found)


class Seen(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rows = []

    def on_predict_batch_end(self, batch, logs=None):
        assert batch == len(self.rows)
        self.rows.append(len(logs["maps"]))
        self.model.stop_predicting = batch == 1


if __name__ == "__main__":
    main(sys.argv[1])

"""Training on tiny images: results, restarts, refusals."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.paper.datasets import small_images
from tf_superpixel_saliency.paper import files, networks, training
from tf_superpixel_saliency.paper.plan import plan_networks

DATA = small_images()
PLAN = plan_networks(DATA.train_labels, 1)["split_a"]


def small_network(input_shape, num_classes, width, weight_decay, seed):
    """Stands in for ResNet-18, whose graph takes seconds to build."""
    decay = keras.regularizers.L2(weight_decay / 2)
    inputs = keras.Input(input_shape)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = keras.layers.Conv2D(
        4,
        3,
        kernel_initializer=keras.initializers.HeNormal(seed),
        kernel_regularizer=decay,
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.5)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    outputs = keras.layers.Dense(
        num_classes,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed + 1),
    )(x)
    return keras.Model(inputs, outputs)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(training, "build_resnet18", small_network)


def run(folder, report=lambda line: None, **changes):
    arguments = {"name": "split_a", "plan": PLAN, "data": DATA, "epochs": 3}
    arguments |= {"batch_size": 5, **changes}
    return training.train(output_folder=folder, report=report, **arguments)


def weights(folder, name="split_a"):
    return keras.saving.load_model(folder / f"{name}.keras").get_weights()


def stop_after(epoch):
    def report(line):
        if f"epoch {epoch} of" in line:
            raise KeyboardInterrupt

    return report


def test_what_a_training_leaves(tiny, tmp_path):
    lines = []
    entry = run(tmp_path, lines.append, epochs=20)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == ["log.jsonl", "split_a.indices.npy", "split_a.keras"]
    assert files.read_lines(tmp_path / "log.jsonl") == [entry]
    assert len(lines) == 20
    assert "split_a: epoch 20 of 20" in lines[-1]
    indices = np.load(tmp_path / "split_a.indices.npy", allow_pickle=False)
    np.testing.assert_array_equal(indices, PLAN.indices)
    assert entry["indices_sha256"] == training.indices_digest(PLAN.indices)
    assert (entry["init_seed"], entry["order_seed"]) == PLAN[1:]
    assert entry["n_train"] == len(PLAN.indices)
    assert entry["versions"]["keras"] == keras.__version__
    assert entry["test_accuracy"] == 1.0  # dark and bright images
    loaded = keras.saving.load_model(tmp_path / "split_a.keras")
    assert getattr(loaded, "optimizer", None) is None
    # Of Keras' own layers alone: it loads without this package.
    assert {type(x).__module__.split(".")[0] for x in loaded.layers} == {"keras"}


def test_a_finished_network_is_not_trained_again(tiny, tmp_path, monkeypatch):
    entry = run(tmp_path)
    monkeypatch.setattr(training, "build_resnet18", None)  # would fail
    assert run(tmp_path) == entry
    assert len(files.read_lines(tmp_path / "log.jsonl")) == 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_resnet18", small_network)
        run(folder)
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a training stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "build_resnet18", small_network)
        with pytest.raises(KeyboardInterrupt):
            run(folder, stop_after(1))
    return folder


def test_a_stopped_training_goes_on_as_if_nothing_were(tiny, tmp_path, whole, stopped):
    assert not (stopped / "split_a.keras").exists()
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    lines = []
    run(tmp_path, lines.append)
    assert len(lines) == 2
    for one, two in zip(weights(whole), weights(tmp_path)):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


def test_the_momentum_is_part_of_the_checkpoint(tiny, tmp_path, whole, stopped):
    """A restart with an empty optimizer would differ by more than is allowed above."""
    settings, arrays = files.read_arrays(stopped / "split_a.checkpoint.npz")
    count = len(small_network((8, 8, 3), 2, 1, 0, 0).trainable_weights)
    momenta = arrays[-count:]
    assert max(np.abs(momentum).max() for momentum in momenta) > 1e-3
    empty = arrays[:-count] + [np.zeros_like(momentum) for momentum in momenta]
    files.write_arrays(tmp_path / "split_a.checkpoint.npz", settings, empty)
    run(tmp_path)
    pairs = zip(weights(whole), weights(tmp_path))
    assert max(np.abs(a - b).max() for a, b in pairs) > 1e-4


def test_a_kill_while_results_are_written(tiny, tmp_path, monkeypatch):
    """The checkpoint goes last: whatever is missing is made again."""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.files, "append_line", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    lines = []
    entry = run(tmp_path, lines.append)
    assert lines == []
    assert files.read_lines(tmp_path / "log.jsonl") == [entry]
    assert not (tmp_path / "split_a.checkpoint.npz").exists()


KILLED = """
import os, pathlib, signal, sys
from tests.paper import test_training as t
t.training.build_resnet18 = t.small_network
def report(line):
    if "epoch 2 of" in line:
        os.kill(os.getpid(), signal.SIGKILL)
t.run(pathlib.Path(sys.argv[1]), report)
"""


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_process_goes_on(tiny, tmp_path, whole):
    root = pathlib.Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr[-2000:]
    lines = []
    run(tmp_path / "killed", lines.append)
    assert len(lines) == 1
    for one, two in zip(weights(whole), weights(tmp_path / "killed")):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 4},
        {"width": 0.5},
        {"batch_size": 6},
        {"plan": PLAN._replace(init_seed=99)},
        {"plan": PLAN._replace(indices=PLAN.indices[1:])},
        {"data": small_images(seed=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_are_refused(tiny, whole, stopped, change):
    with pytest.raises(ValueError, match=r"checkpoint\.npz was made with"):
        run(stopped, **change)
    with pytest.raises(ValueError, match=r"split_a\.keras was made with"):
        run(whole, **change)


def test_a_checkpoint_of_another_version_is_refused(tiny, tmp_path, stopped):
    settings, arrays = files.read_arrays(stopped / "split_a.checkpoint.npz")
    files.write_arrays(tmp_path / "split_a.checkpoint.npz", settings, arrays[:-1])
    with pytest.raises(ValueError, match="holds other variables"):
        run(tmp_path)


def test_a_loss_without_bounds_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LEARNING_RATE", 1e38)
    with pytest.raises(ValueError, match="loss of split_a became"):
        run(tmp_path)


def test_the_recipe():
    """Of the real network: to 0.2 over an eighth of the steps, then a cosine to 0."""
    model = training._at_start(None, DATA, PLAN, 1, 8, 3)  # 12 images: 4 steps an epoch
    schedule = model.optimizer._learning_rate
    rates = np.array([float(schedule(step)) for step in range(33)])
    np.testing.assert_allclose(rates[:5], np.linspace(0, 0.2, 5), atol=1e-7)
    share = (np.arange(4, 33) - 4) / 28
    np.testing.assert_allclose(rates[4:], 0.1 * (1 + np.cos(np.pi * share)), atol=1e-7)
    assert model.optimizer.momentum == 0.9
    assert model.optimizer.nesterov
    assert model.name == "resnet18"
    assert not model.optimizer.weight_decay  # it is in the kernels' gradient


def test_a_model_that_begins_anew_is_as_good_as_new(tiny, tmp_path, whole):
    models = {}
    other = PLAN._replace(init_seed=5, order_seed=6)
    run(tmp_path, name="before", plan=other, models=models)
    (model,) = models.values()
    run(tmp_path, models=models)
    assert list(models.values()) == [model]
    for one, two in zip(weights(whole), weights(tmp_path)):
        np.testing.assert_array_equal(one, two)
    for one, two in zip(weights(tmp_path, "before"), weights(tmp_path)):
        assert not np.array_equal(one, two)


def test_a_model_of_another_length_is_not_used_again(tiny, tmp_path):
    """Its learning rate would fall at another time."""
    models = {}
    run(tmp_path, name="short", epochs=1, models=models)
    run(tmp_path, models=models)
    assert len(models) == 2


def test_networks_of_the_plan(tiny, tmp_path):
    lines = []
    arguments = {"width": 0.1, "epochs": 1, "num_repeats": 1, "report": lines.append}
    names = ["fold_1", "split_b"]
    entries = training.train_networks(DATA, tmp_path, names, **arguments)
    assert [entry["name"] for entry in entries] == names
    assert len(lines) == 2
    loaded = networks.load_networks(tmp_path)
    plans = plan_networks(DATA.train_labels, 1)
    for name in names:
        np.testing.assert_array_equal(loaded.train_indices[name], plans[name].indices)
    again = training.train_networks(DATA, tmp_path, ["split_b"], **arguments)
    assert again == [entries[1]]
    json.dumps(entries)


def test_all_networks_are_trained_where_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "train", lambda name, *_, **__: {"name": name})
    entries = training.train_networks(DATA, tmp_path, num_repeats=3)
    names = list(plan_networks(DATA.train_labels, 3))
    assert [entry["name"] for entry in entries] == names
    assert len(names) == 17


def test_a_name_that_is_not_in_the_plan(tiny, tmp_path):
    with pytest.raises(ValueError, match=r"got split_c\. Raise num_repeats"):
        training.train_networks(DATA, tmp_path, ["split_a", "split_c"])
    assert not list(tmp_path.iterdir())

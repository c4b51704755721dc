"""Training the networks that the paper's comparisons need, restartable after a kill."""

from __future__ import annotations

import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.evaluation.storage import whole_file
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.paper import files
from tf_superpixel_saliency.paper.augmentation import epoch_batches
from tf_superpixel_saliency.paper.batch_norm import with_fused_norms, with_plain_norms
from tf_superpixel_saliency.paper.cifar10 import LabelledImages
from tf_superpixel_saliency.paper.plan import NetworkPlan, plan_networks
from tf_superpixel_saliency.paper.resnet import build_resnet18
from tf_superpixel_saliency.version import __version__

LEARNING_RATE = 0.2
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
BATCH_SIZE = 128
LOG = "log.jsonl"


def train_networks(
    data: LabelledImages,
    output_folder: str | os.PathLike,
    names: Iterable[str] | None = None,
    width: float = 0.25,
    epochs: int = 8,
    limit: int | None = None,
    num_repeats: int = 2,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> list[dict]:
    """Train the networks of `plan_networks`, those that the folder lacks.

    Killed at any time and called again with the same arguments, it goes on from the
    last whole epoch, with the same order of images.

    Args:
        data: training and test images, see `cifar10.load_images`.
        output_folder: where NAME.keras, NAME.indices.npy and log.jsonl go.
        names: which networks; None trains all.
        width: factor of ResNet-18's numbers of channels.
        epochs: passes over the training images.
        limit: number of training images to share among the networks; None takes all.
        num_repeats: how many times the images are cut into halves.
        seed: of the splits, the initialisations and the orders.
        report: gets a line of progress an epoch.

    Returns:
        The log's entry of each network (see `train`), in the order of `names`.

    Raises:
        ValueError: a name that isn't in the plan, or a folder whose networks were
            trained with other settings.
    """
    plans = plan_networks(data.train_labels, num_repeats, limit, seed)
    names = list(plans) if names is None else list(names)
    unknown = [name for name in names if name not in plans]
    if unknown:
        raise ValueError(
            f"names must be of {', '.join(plans)}, but got {', '.join(unknown)}. "
            "Raise num_repeats for the networks of further repeats."
        )
    return [
        train(name, plans[name], data, output_folder, width, epochs, report=report)
        for name in names
    ]


def train(
    name: str,
    plan: NetworkPlan,
    data: LabelledImages,
    output_folder: str | os.PathLike,
    width: float = 0.25,
    epochs: int = 8,
    batch_size: int = BATCH_SIZE,
    report: Callable[[str], None] = print,
    models: dict | None = None,
) -> dict:
    """Train a ResNet-18 from scratch, or go on from its checkpoint.

    SGD with Nesterov momentum 0.9; the learning rate rises to 0.2 over the first
    epoch of eight (an eighth of all steps) and falls to 0 along a cosine; weight
    decay 5e-4 on kernels; random flips and crops from a margin of 4 zero pixels.

    After each epoch NAME.checkpoint.npz is replaced in one step: weights, optimizer
    and epoch. The order, flips and crops of an epoch follow from the order's seed and
    the epoch's number, so no random state needs to be kept.

    Args:
        name: of the files and in the log.
        plan: training images and seeds.
        data: training and test images.
        output_folder: made where it is missing.
        width: factor of ResNet-18's numbers of channels.
        epochs: passes over the training images.
        batch_size: images a step.
        report: gets a line of progress an epoch.
        models: for many short trainings: a dictionary, empty at first, where compiled
            models are kept. One of the same kind begins anew, which saves building
            and tracing it, some 10 s each; its numbers are those of a new model.

    Returns:
        What was appended to log.jsonl: name, seeds, number and SHA-256 of the
        indices, settings, test accuracy, seconds, versions.

    Raises:
        ValueError: the folder has this network, or its checkpoint, from other
            settings; or the loss became infinite or NaN.
    """
    folder = pathlib.Path(output_folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = _settings(name, plan, data, width, epochs, batch_size)
    checkpoint = folder / f"{name}.checkpoint.npz"
    done = finished_entry(folder, name, settings)
    if done is not None:
        checkpoint.unlink(missing_ok=True)
        return done
    model = _at_start(models, data, plan, width, epochs, batch_size)
    epoch, seconds = _restore(checkpoint, model, settings)
    images = tf.constant(data.train_images)
    labels = tf.constant(data.train_labels)
    while epoch < epochs:
        start = time.perf_counter()
        batches = epoch_batches(images, labels, plan, epoch, batch_size)
        history = model.fit(batches, shuffle=False, verbose=0).history
        _check_loss(name, epoch, history["loss"][0])
        epoch += 1
        seconds += time.perf_counter() - start
        state = {**settings, "epoch": epoch, "seconds": seconds}
        variables = _variables(model)
        files.write_arrays(checkpoint, state, [np.asarray(v) for v in variables])
        report(
            f"{name}: epoch {epoch} of {epochs}, loss {history['loss'][0]:.3f}, "
            f"accuracy {history['accuracy'][0]:.3f}, {seconds:.0f} s"
        )
    entry = {
        **settings,
        "n_train": len(plan.indices),
        "test_accuracy": test_accuracy(model, data),
        "seconds": round(seconds, 1),
        "versions": _versions(),
    }
    _write_results(folder, name, model, plan, entry)
    checkpoint.unlink()
    return entry


def indices_digest(indices) -> str:
    """SHA-256 of indices as little-endian int64."""
    return hashlib.sha256(np.asarray(indices, "<i8").tobytes()).hexdigest()


def finished_entry(folder, name: str, settings: dict) -> dict | None:
    """The log's entry of a network that is there, None where it isn't.

    Raises:
        ValueError: it was trained with other settings.
    """
    entries = [e for e in files.read_lines(folder / LOG) if e.get("name") == name]
    if not entries or not (folder / f"{name}.keras").exists():
        return None
    _check_settings(folder / f"{name}.keras", entries[-1], settings)
    return entries[-1]


def test_accuracy(model: keras.Model, data: LabelledImages) -> float:
    """The share of test images whose class the model predicts."""
    outputs = model.predict(data.test_images, batch_size=512, verbose=0)
    return float(np.mean(outputs.argmax(axis=-1) == data.test_labels))


def _settings(name, plan, data, width, epochs, batch_size):
    images = data.train_images
    checks.checked_count("epochs", epochs)
    checks.checked_count("batch_size", batch_size)
    return {
        "name": name,
        "init_seed": int(plan.init_seed),
        "order_seed": int(plan.order_seed),
        "indices_sha256": indices_digest(plan.indices),
        "images_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "epochs": epochs,
        "width": width,
        "batch_size": batch_size,
        "image_shape": list(images.shape[1:]),
        "classes": list(data.classes),
    }


def _at_start(models, data, plan, width, epochs, batch_size):
    """A compiled model at its start, of `models` where one of its kind is there."""
    new = build_resnet18(
        data.train_images.shape[1:],
        len(data.classes),
        width,
        WEIGHT_DECAY,
        plan.init_seed,
    )
    models = {} if models is None else models
    steps = epochs * -(-len(plan.indices) // batch_size)
    kind = (data.train_images.shape[1:], len(data.classes), width, steps)
    if kind not in models:
        models[kind] = with_fused_norms(new)
        _compile(models[kind], steps)
        return models[kind]
    model = models[kind]
    model.set_weights(new.get_weights())
    for variable in model.optimizer.variables:  # momenta and the number of steps
        variable.assign(np.zeros(variable.shape, variable.dtype))
    return model


def _compile(model, steps):
    """With its optimizer's variables, which a checkpoint holds too."""
    warm_up = -(-steps // 8)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - warm_up),
        warmup_target=LEARNING_RATE,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    optimizer.build(model.trainable_variables)


def _variables(model):
    return model.weights + model.optimizer.variables


def _restore(checkpoint, model, settings):
    """(epoch, seconds so far), and the checkpoint's numbers in the model."""
    if not checkpoint.exists():
        return 0, 0.0
    state, arrays = files.read_arrays(checkpoint)
    _check_settings(checkpoint, state, settings)
    variables = _variables(model)
    if [array.shape for array in arrays] != [tuple(v.shape) for v in variables]:
        raise ValueError(
            f"{checkpoint} holds other variables than this version makes. Delete it "
            "to train the network anew."
        )
    for variable, array in zip(variables, arrays):
        variable.assign(array)
    return state["epoch"], state["seconds"]


def _check_settings(path, found, settings):
    for key, want in settings.items():
        if found.get(key) != want:
            raise ValueError(
                f"{path} was made with {key}={found.get(key)!r}, but now {key}="
                f"{want!r} is asked for. Train into another folder, or delete it."
            )


def _check_loss(name, epoch, loss):
    if not np.isfinite(loss):
        raise ValueError(
            f"The loss of {name} became {loss} in epoch {epoch + 1}. Check the images, "
            "and try another seed or more images."
        )


def _versions():
    return {
        "tf_superpixel_saliency": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def _write_results(folder, name, model, plan, entry):
    """The model, then the indices, then the line that says both are there."""
    with whole_file(folder / f"{name}.keras") as partial:
        with_plain_norms(model).save(partial)
    with whole_file(folder / f"{name}.indices.npy") as partial:
        np.save(partial, np.asarray(plan.indices, np.int64))
    files.append_line(folder / LOG, entry)

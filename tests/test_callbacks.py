"""`SaliencyMaps` in a real `fit`, its event files read back."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, classifier, photos

IMAGES, LABELS = photos(3), [0, 1, 2]
TRAINING = photos(12, seed=5), np.arange(12) % CLASSES


def fit(model, *callbacks, epochs=3, **further):
    model.compile(
        keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=[]
    )
    return model.fit(
        *TRAINING,
        epochs=epochs,
        batch_size=4,
        verbose=0,
        callbacks=callbacks,
        **further,
    )


def read(folder):
    """({tag: {step: value}}, {tag: {step: PNG}}) of the event files in a folder."""
    scalars, pictures = {}, {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                tensor = tf.make_ndarray(value.tensor)
                if value.metadata.plugin_data.plugin_name == "images":
                    pictures.setdefault(value.tag, {})[event.step] = tensor[2]
                else:
                    scalars.setdefault(value.tag, {})[event.step] = float(tensor)
    return scalars, pictures


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A fit of three epochs, the model's weights before and after each kept."""
    folder = tmp_path_factory.mktemp("logs")
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, explainer, folder, targets=LABELS, max_images=2,
        class_names=["cat", "dog", "eel", "fox", "gnu"],
    )  # fmt: skip
    weights = [model.get_weights()]
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights())
    )
    fit(model, callback, keep)
    return folder, weights


def test_the_numbers_are_those_of_the_epochs(run):
    folder, weights = run
    scalars, _ = read(folder)
    model = classifier()
    outputs = []
    for values in weights:
        model.set_weights(values)
        explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
        outputs.append(explainer(IMAGES, targets=LABELS))
    for epoch in range(3):
        before, after = outputs[epoch]["maps"], outputs[epoch + 1]["maps"]
        ssim = tss.metrics.structural_similarity(before, after).mean()
        cosine = tss.metrics.cosine_similarity(before, after).mean()
        score = outputs[epoch + 1]["scores"].numpy().mean()
        assert scalars["saliency/ssim"][epoch] == pytest.approx(ssim, abs=1e-5)
        assert scalars["saliency/cosine"][epoch] == pytest.approx(cosine, abs=1e-5)
        assert scalars["saliency/score"][epoch] == pytest.approx(score, abs=1e-6)
        floor = scalars["saliency/ssim_of_noise"][epoch]
        assert scalars["saliency/ssim_excess"][epoch] == pytest.approx(
            (ssim - floor) / (1 - floor), abs=1e-5
        )
        assert scalars["saliency/same_class"][epoch] == 1
        assert scalars["saliency/explained"][epoch] == 1
    assert len(set(scalars["saliency/ssim_of_noise"].values())) == 1


@pytest.mark.parametrize("large", [False, True])
def test_the_floor_is_that_of_noise_in_these_groups(tmp_path, large):
    """Equal squares have none; a large group beside single pixels has a high one."""
    segments = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[:2])
    if large:
        segments[:, 5:] = 0
    explainer = tss.SimpleGradient(classifier())
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, explainer, tmp_path, segments=segments, max_images=1
    )
    fit(explainer.model, callback, epochs=1)
    floor = read(tmp_path)[0]["saliency/ssim_of_noise"][0]
    rng, values = np.random.default_rng(1), []
    for _ in range(40):
        pair = [tss.group_map(x, segments) for x in rng.normal(size=(2, 3, *SIZE))]
        values.append(tss.metrics.structural_similarity(*pair))
    assert floor == pytest.approx(np.mean(values), abs=0.05)
    assert floor > 0.3 if large else abs(floor) < 0.1


def test_the_pictures_are_there(run):
    _, pictures = read(run[0])
    assert {tag.split("/")[1] for tag in pictures} == {"overlay", "explanation"}
    assert len(pictures) == 2 * 2  # of two images
    for steps in pictures.values():
        assert sorted(steps) == [0, 1, 2]
        first = tf.io.decode_png(steps[0], channels=3).numpy()
        last = tf.io.decode_png(steps[2], channels=3).numpy()
        assert first.shape == last.shape and min(first.shape[:2]) > 100
        assert first.std() > 10 and np.abs(first.astype(int) - last).max() > 10


def test_training_is_left_alone(tmp_path):
    """Weights after a fit with dropout are the same to the bit."""

    def trained(*callbacks_of):
        keras.utils.set_random_seed(7)
        model = keras.Sequential(
            [
                keras.Input(SIZE),
                keras.layers.Dropout(0.5),
                keras.layers.BatchNormalization(),
                keras.layers.Flatten(),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        fit(model, *[build(model) for build in callbacks_of], epochs=2)
        return model

    def watch(model):
        explainer = tss.SmoothGrad(model, tss.SquareGrid(size=3), num_samples=2)
        return tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path)

    plain, watched = trained(), trained(watch)
    for ours, theirs in zip(watched.get_weights(), plain.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    assert watched.trainable and len(watched.layers) == len(plain.layers)


def test_one_trace_and_one_partition(tmp_path, monkeypatch):
    traces, partitions = [], []

    def score(outputs, targets):
        traces.append(1)
        return outputs[:, 0]

    model, layer = classifier(), tss.SquareGrid(size=3)
    segment = layer.segment
    monkeypatch.setattr(layer, "segment", lambda x: partitions.append(1) or segment(x))
    explainer = tss.SimpleGradient(model, layer, score=score)
    explainer(IMAGES, segments=np.zeros(SIZE[:2], int))
    once = len(traces)
    fit(model, tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path), epochs=4)
    fit(model, tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path), epochs=1)
    assert len(traces) == once and len(partitions) == 2


@pytest.mark.parametrize(
    "every, epochs, expected", [(1, 2, [0, 1]), (2, 5, [1, 3, 4]), (9, 2, [1])]
)
def test_every_so_many_epochs_and_the_last(tmp_path, every, epochs, expected):
    model = classifier()
    explainer = tss.SimpleGradient(model)
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, explainer, tmp_path, every, max_images=1
    )
    fit(model, callback, epochs=epochs)
    scalars, pictures = read(tmp_path)
    assert sorted(scalars["saliency/score"]) == expected
    assert all(sorted(steps) == expected for steps in pictures.values())


def test_stopped_early_and_interrupted(tmp_path):
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=99.0)
    callback = tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path / "a", every=5)
    history = fit(model, callback, stop, epochs=9)
    last = len(history.history["loss"]) - 1
    assert sorted(read(tmp_path / "a")[0]["saliency/score"]) == [last] and last < 4

    def interrupt(epoch, logs):
        raise KeyboardInterrupt

    callback = tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path / "b")
    late = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, late)
    assert sorted(read(tmp_path / "b")[0]["saliency/score"]) == [0]


def test_two_callbacks_a_second_fit_and_initial_epoch(tmp_path):
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    both = [
        tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path, targets=c, name=name)
        for c, name in ((0, "first"), (1, "second"))
    ]
    fit(model, *both, epochs=1)
    fit(model, *both, epochs=4, initial_epoch=2)
    scalars, _ = read(tmp_path)
    for name in ("first", "second"):
        assert sorted(scalars[f"{name}/ssim"]) == [0, 2, 3]
    assert scalars["first/score"][3] != scalars["second/score"][3]


def test_classes_that_change_are_left_out(tmp_path):
    """Of predicted classes, those that stayed: with another, the map is another's."""
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    callback = tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path)
    bias = model.layers[-1].bias

    class Turn(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            bias.assign(20.0 * np.eye(CLASSES, dtype="float32")[epoch])

    fit(model, callback, Turn(), epochs=2)
    scalars, _ = read(tmp_path)
    assert scalars["saliency/same_class"][1] == 0
    assert 1 not in scalars.get("saliency/ssim", {})


def test_a_dynamic_partition_a_subclassed_model_and_xrai(tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = classifier(activation=None)

        def call(self, images):
            return keras.ops.softmax(self.inner(images))

    model = Net()
    kinds = {
        "dynamic": tss.SmoothGrad(
            model, tss.SquareGrid(size=3), num_samples=2, partition="dynamic"
        ),
        "xrai": tss.XRAI(model, tss.SquareGrid(size=3), num_steps=2),
    }
    callbacks = [
        tss.callbacks.SaliencyMaps(IMAGES, one, tmp_path, name=name, max_images=1)
        for name, one in kinds.items()
    ]
    fit(model, *callbacks, epochs=2)
    scalars, _ = read(tmp_path)
    for name in kinds:
        assert 1 in scalars[f"{name}/ssim"]


def test_an_explainer_of_another_model_is_told(tmp_path):
    model = classifier()
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, tss.SimpleGradient(classifier()), tmp_path, max_images=1
    )
    with pytest.warns(UserWarning, match="shares no weight"):
        fit(model, callback, epochs=1)
    part = tss.SimpleGradient(keras.Model(model.inputs, model.outputs))
    callback = tss.callbacks.SaliencyMaps(IMAGES, part, tmp_path, max_images=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*shares no weight.*")
        fit(model, callback, epochs=1)


def test_bad_arguments_are_refused_before_training(tmp_path):
    explainer = tss.SimpleGradient(classifier(), tss.SquareGrid(size=3))
    build = tss.callbacks.SaliencyMaps
    (tmp_path / "file").write_text("mine")
    for error, message, call in (
        (TypeError, "explainer must be", lambda: build(IMAGES, "smoothgrad", tmp_path)),
        (ValueError, "images must be a batch", lambda: build(IMAGES[0], explainer, "")),
        (ValueError, "targets", lambda: build(IMAGES, explainer, "", targets=[0, 1])),
        (ValueError, "every", lambda: build(IMAGES, explainer, "", every=0)),
        (ValueError, "max_images", lambda: build(IMAGES, explainer, "", max_images=0)),
        (OSError, "file", lambda: build(IMAGES, explainer, tmp_path / "file")),
    ):
        with pytest.raises(error, match=message):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

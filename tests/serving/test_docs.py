"""The requests in docs/serving.md, sent to the SavedModel that the page makes."""

import json
import math
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.server import Server

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "serving.md"
TEXT = PAGE.read_text("utf-8")
PIXELS = np.float32([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]])


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


REQUESTS = blocks("json")
(ANSWER,) = blocks("js")  # NaN is no JSON


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the page's first example writes."""
    place = tmp_path_factory.mktemp("page")
    code = blocks("python")[0].replace('"served/tiny', f'"{place}/served/tiny')
    exec(compile(code, str(PAGE), "exec"), {})
    return place / "served" / "tiny" / "1"


@pytest.fixture(scope="module")
def server(folder):
    return Server(folder)


def near(found, wanted):
    """Equal in structure, numbers to the digits that the page shows."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(
            near(found[key], wanted[key]) for key in wanted
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(near, found, wanted))
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(found)
    return math.isclose(found, wanted, rel_tol=1e-5)


def test_every_signature_has_a_request():
    names = [json.loads(r).get("signature_name", "serving_default") for r in REQUESTS]
    assert names == [
        "explain", "explain", "explain_image_bytes", "serving_default", "metadata",
    ]  # fmt: skip


@pytest.mark.thorough
def test_the_answer_is_the_one_on_the_page(server):
    assert near(server.rest(REQUESTS[2]), json.loads(ANSWER))


def test_rows_and_columns_and_files_say_the_same(server):
    photo = json.loads(ANSWER)["predictions"][0]
    rows = server.rest(REQUESTS[0])["predictions"]
    assert near(rows[0], photo) and rows[1]["targets"] == 0
    columns = server.rest(REQUESTS[1])["outputs"]
    assert near(columns, {key: [value] for key, value in photo.items()})


def test_the_models_own_answer(server):
    (row,) = server.rest(REQUESTS[3])["predictions"]
    assert len(row) == 3 and np.argmax(row) == 2
    assert near(row[2], json.loads(ANSWER)["predictions"][0]["scores"])


def test_the_answer_about_itself(server):
    settings, digest = server.rest(REQUESTS[4])["predictions"]
    assert json.loads(settings)["score"] == "probability"
    assert re.fullmatch("[0-9a-f]{64}", json.loads(digest))


def test_the_grpc_request(server, tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_serving", reason="needs tensorflow-serving-api")
    monkeypatch.chdir(tmp_path)
    png = tf.io.encode_png(PIXELS.astype("uint8")).numpy()
    for name in ("photo.png", "another.png"):
        pathlib.Path(name).write_bytes(png)
    names = {}
    exec(compile(blocks("py")[0], str(PAGE), "exec"), names)
    request = names["request"].FromString(names["request"].SerializeToString())
    inputs = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
    out = server.predict(request.model_spec.signature_name, inputs)
    assert set(request.output_filter) < set(out)
    assert out["targets"].tolist() == [2, 0] and not out["status"].any()


def test_the_errors_are_those_on_the_page(server):
    wrong = {"images": np.ones((1, 10, 11, 3)), "targets": [0]}
    for inputs, words in (
        (wrong, "not compatible with expected shape [?,2,2,3]"),
        ({"images": [PIXELS], "targets": [0, 1]}, "targets must have one row for each"),
        ({"images": np.zeros((0, 2, 2, 3)), "targets": []}, "must have a row at least"),
    ):
        assert words.split("[")[0] in TEXT
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            server.predict("explain", inputs)
        assert words in str(error.value)


def test_the_files_are_those_on_the_page(folder):
    for name in ("tf_serving_warmup_requests", "metadata.json"):
        assert f"`assets.extra/{name}`" in TEXT
        assert (folder / "assets.extra" / name).is_file()

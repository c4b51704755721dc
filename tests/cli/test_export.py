"""`superpixel-saliency export`, from a model's file to a request."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.serving.server import Server
from tf_superpixel_saliency.cli import export
from tf_superpixel_saliency.cli.parser import build_parser


@pytest.mark.thorough
def test_it_explains_as_the_command_does(run, photos, model_file, tmp_path):
    common = ["--model", model_file, "--num-samples", 3, "--squeeze"]
    common += ["--superpixels", "Quickshift:max_dist=4"]
    status, out, errors = run(
        "export", *common, "--output", tmp_path / "served", "--warm-up"
    )
    assert status == 0, errors
    folder = tmp_path / "served" / "1"
    assert f"SavedModel in {folder}" in out
    assert f"--model_base_path={tmp_path / 'served'}" in out
    run("explain", photos, *common, "--output", tmp_path / "out", "--quiet")
    files = [photos / "chelsea.png", photos / "below" / "coffee.jpg"]
    answer = Server(folder).predict(
        "explain_image_bytes",
        {"image_bytes": [f.read_bytes() for f in files], "targets": [-1, -1]},
    )
    for row, file in enumerate(files):
        expected = np.load(tmp_path / "out" / f"{file.stem}.npz")
        for key in ("segments", "targets", "status"):
            np.testing.assert_array_equal(answer[key][row], expected[key])
        for key in ("heatmaps", "scores"):
            limit = 1e-5 * np.abs(expected[key]).max()
            assert np.abs(answer[key][row] - expected[key]).max() < limit
    described = json.loads((folder / "assets.extra" / "metadata.json").read_text())
    assert described["settings"]["num_samples"] == 3
    assert described["superpixels"]["max_dist"] == 4
    assert described["image_bytes"]["resize"] == "squeeze"


@pytest.mark.thorough
def test_gray_models_and_other_ranges(run, gray_file, tmp_path):
    status, _, errors = run(
        "export", "--model", gray_file, "--output", tmp_path / "g", "--method",
        "simple-gradient", "--superpixels", "square-grid:size=4", "--value-range", 0, 1,
        "--version-number", 5, "--warm-up", 1, 2, "--model-output", "logit",
    )  # fmt: skip
    assert status == 0, errors
    assert [file.name for file in (tmp_path / "g").iterdir()] == ["5"]
    folder = tmp_path / "g" / "5"
    warm_up = folder / "assets.extra" / "tf_serving_warmup_requests"
    requests = tf.data.TFRecordDataset(str(warm_up))
    assert len(list(requests)) == 2 * 4  # sizes, signatures
    Image.new("RGB", (16, 16), (255, 255, 255)).save(tmp_path / "white.png")
    server = Server(folder)
    file = (tmp_path / "white.png").read_bytes()
    out = server.predict("explain_image_bytes", {"image_bytes": [file], "targets": [1]})
    ones = {"images": np.ones((1, 16, 16, 1)), "targets": [1]}
    np.testing.assert_allclose(
        out["scores"], server.predict("explain", ones)["scores"], rtol=1e-5
    )


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--superpixels", "Felzenszwalb"], ["scikit-image", 'segments="input"']),
        (["--superpixels", "fastshift"], ["fastshift", "Quickshift"]),
        (["--model", "missing.keras"], ["missing.keras"]),
        (["--noise-level", "-1"], ["noise_level"]),
        (["--size", "64"], ["32", "64"]),
        (["--version-number", "0"], ["at least 1"]),
        (["--warm-up", "0"], ["at least 1"]),
        (["--percentile", "99"], ["--percentile"]),
    ],
)
def test_wrong_flags_are_named(run, model_file, tmp_path, flags, words):
    given = [] if "--model" in flags else ["--model", model_file]
    status, _, errors = run("export", *given, "--output", tmp_path / "e", *flags)
    assert status == 2
    assert all(word in errors for word in words), errors
    assert "Traceback" not in errors
    assert not (tmp_path / "e").exists()


def test_folders_that_can_not_be(run, model_file, tmp_path):
    (tmp_path / "served" / "1").mkdir(parents=True)
    (tmp_path / "file").write_text("mine")
    for path, words in ((tmp_path / "served", "exists"), (tmp_path / "file", "a file")):
        status, _, errors = run(
            "export", "--model", model_file, "--output", path, "--version-number", 1
        )
        assert status == 2 and words in errors
    status, _, errors = run(
        "export", "--model", model_file, "--output", tmp_path / "file" / "below"
    )
    assert status == 2 and "can't write to --output" in errors


def test_host_super_pixels_with_segments_from_the_caller():
    arguments = build_parser().parse_args(
        ["export", "--output", "x", "--superpixels", "felzenszwalb:scale=30"]
        + ["--segments", "input", "--method", "SmoothGrad", "--num-samples", "7"]
        + ["--partition", "dynamic"]
    )
    explainer = export.explainer_of(lambda images: images, arguments)
    assert explainer.is_dynamic and explainer.num_samples == 7
    assert explainer.superpixels.scale == 30
    assert arguments.segments == "input" and arguments.warm_up == [1]

"""What the command says of files and flags that it can't use."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tf_superpixel_saliency import image_files
from tf_superpixel_saliency.cli import photos as reading
from tf_superpixel_saliency.cli import results
from tf_superpixel_saliency.demo import prepare


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--superpixels", "fastshift"], ["fastshift", "Quickshift", "SquareGrid"]),
        (["--superpixels", "Quickshift:size=3"], ["size=3", "max_dist"]),
        (["--superpixels", "Quickshift:max_dist=0"], ["max_dist"]),
        (["--method", "LRP"], ["LRP", "IntegratedGradients"]),
        (["--model", "ResNot50"], ["ResNot50", "keras.applications"]),
        (["--model", "missing.keras"], ["missing.keras"]),
        (["--target", "4"], ["0 to 3", "4"]),
        (["--num-samples", "0"], ["at least 1"]),
        (["--noise-level", "-1"], ["noise_level", "-1"]),
        (["--size", "64"], ["32", "64"]),
        (["--percentile", "0"], ["percentile", "(0, 100]"]),
        (["--percentile", "nan"], ["percentile", "nan"]),
        (["--value-range", "1", "0"], ["value_range"]),
        (["--class-names", "none.txt"], ["none.txt"]),
        (["--colour", "red"], ["--colour"]),
    ],
)
def test_wrong_flags_are_named(run, photos, model_file, tmp_path, flags, words):
    given = [] if "--model" in flags else ["--model", model_file]
    status, _, errors = run(
        "explain", photos, *given, "--output", tmp_path / "out", "--quiet", *flags
    )
    assert status == 2
    assert all(word in errors for word in words), errors
    assert "Traceback" not in errors
    folder = tmp_path / "out"
    assert not folder.exists() or not list(folder.glob("*.png"))


def test_nothing_found(run, tmp_path):
    for path in (tmp_path / "no.jpg", tmp_path / "no*.jpg", tmp_path):
        status, _, errors = run("explain", path, "--output", tmp_path / "out")
        assert status == 2 and str(path) in errors


def test_a_missing_path_is_named_and_the_rest_goes_on(
    run, photos, model_file, tmp_path
):
    status, out, errors = run(
        "explain", photos / "chelsea.png", tmp_path / "no*.jpg", "--model", model_file,
        "--method", "SimpleGradient", "--output", tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert status == 1 and "1 of 2 photos explained" in out
    assert f"failed: {tmp_path / 'no*.jpg'}" in errors
    assert (tmp_path / "out" / "chelsea.npz").exists()


def test_unreadable_files_are_named_and_the_rest_goes_on(
    run, photos, model_file, tmp_path
):
    (photos / "text.jpg").write_text("no image")
    (photos / "empty.png").write_bytes(b"")
    whole = (photos / "below" / "coffee.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    output = tmp_path / "out"
    status, out, errors = run(
        "explain", photos, "--model", model_file, "--method", "SimpleGradient",
        "--output", output, "--batch-size", 2,
    )  # fmt: skip
    assert status == 1 and "2 of 5 photos explained" in out
    for name in ("text.jpg", "empty.png", "cut.jpg"):
        assert f"failed: {photos / name}" in errors
    assert "5/5" in errors  # the progress bar
    written = sorted(path.name for path in output.iterdir())
    assert written == ["chelsea.npz", "chelsea.png", "coffee.npz", "coffee.png",
                       "summary.jsonl"]  # fmt: skip


def test_equal_names_get_numbers(run, photos, model_file, tmp_path):
    shutil.copy(photos / "chelsea.png", photos / "below")
    status, _, _ = run(
        "explain", photos, "--model", model_file, "--method", "SimpleGradient",
        "--output", tmp_path / "out", "--quiet",
    )  # fmt: skip
    assert status == 0
    names = sorted(path.stem for path in (tmp_path / "out").glob("*.npz"))
    assert names == ["chelsea", "chelsea-2", "coffee"]


def test_output_that_is_a_file(run, photos, model_file, tmp_path):
    (tmp_path / "taken").write_text("mine")
    status, _, errors = run(
        "explain", photos, "--model", model_file, "--output", tmp_path / "taken"
    )
    assert status == 2 and "taken" in errors
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "result.txt"
    with pytest.raises(RuntimeError), results.whole_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with results.whole_file(path) as partial:
        partial.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == ["result.txt"]


def test_too_many_pixels_are_refused(tmp_path, monkeypatch):
    Image.fromarray(data.coffee()).save(tmp_path / "coffee.png")
    monkeypatch.setattr(image_files, "MAX_PIXELS", 1000)
    with pytest.raises(ValueError, match="600 × 400"):
        reading.read_photo(tmp_path / "coffee.png", 32)


def test_orientation_transparency_and_depth(tmp_path, rng):
    photo = data.coffee()[:, :400]
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90°
    Image.fromarray(photo).save(tmp_path / "turned.png", exif=exif)
    expected = prepare(np.rot90(photo, -1), 50)
    np.testing.assert_array_equal(
        reading.read_photo(tmp_path / "turned.png", 50), expected
    )
    alpha = np.full((400, 400, 1), 0, np.uint8)
    clear = np.concatenate([photo, alpha], axis=-1)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (reading.read_photo(tmp_path / "clear.png", 20) == 255).all()
    deep = rng.integers(0, 65536, (40, 40), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    gray = np.rint(deep / 257)[..., None]
    np.testing.assert_array_equal(
        reading.read_photo(tmp_path / "deep.png", 40), np.repeat(gray, 3, axis=-1)
    )
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "print.tif")
    assert reading.read_photo(tmp_path / "print.tif", 20).shape == (20, 20, 3)


def test_module_and_help_are_quiet_and_complete():
    done = subprocess.run(
        [sys.executable, "-m", "tf_superpixel_saliency", "explain", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    for word in ("--model", "--method", "--superpixels", "--output", "summary.jsonl"):
        assert word in done.stdout


def test_another_backend_ends_the_command_in_one_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "tf_superpixel_saliency", "demo"],
        capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "jax"},
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert "jax" in sentence and "KERAS_BACKEND=tensorflow" in sentence

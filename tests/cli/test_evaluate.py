"""`superpixel-saliency evaluate` from the flags to the files."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from skimage import data, io

SMALL = (
    "--methods", "SimpleGradient", "SmoothGrad", "--num-samples", 2,
    "--pixels-per-step", 256, "--quiet",
)  # fmt: skip
SQUARES = ("--superpixels", "SquareGrid:n_segments=64", "SquareGrid:n_segments=16")


@pytest.fixture
def album(tmp_path):
    """Six parts of a real photo."""
    folder = tmp_path / "album"
    folder.mkdir()
    photo = data.coffee()
    for number in range(6):
        part = photo[60 * number : 60 * number + 80, 100:180]
        io.imsave(folder / f"{number}.png", part, check_contrast=False)
    return folder


@pytest.fixture
def second_file(tmp_path, model_file):
    """The same network, a little changed: it predicts the same classes."""
    model = keras.models.load_model(model_file)
    rng = np.random.default_rng(8)
    model.set_weights(
        [w + 0.02 * rng.standard_normal(w.shape) for w in model.get_weights()]
    )
    model.save(tmp_path / "second.keras")
    return tmp_path / "second.keras"


@pytest.mark.thorough
def test_two_models(run, album, model_file, second_file, tmp_path):
    output = tmp_path / "out"
    status, out, _ = run(
        "evaluate", album, "--model", model_file, "--model", second_file,
        *SQUARES, *SMALL, "--output", output,
    )  # fmt: skip
    assert status == 0
    found = json.loads((output / "evaluation.json").read_text("utf-8"))
    assert len(found["rows"]) == 2 * 5  # pixels, two sizes, squares, random
    row = found["rows"][1]
    assert row["partition"] == "SquareGrid:n_segments=64" and row["groups"] == 64
    for key in ("SSIM", "SSIM: excess", "signed cosine low", "μFidelity ↑"):
        assert np.isfinite(row[key])
    assert str(tmp_path) not in found["made_by"]["command"]
    advice = json.loads((output / "recommendation.json").read_text("utf-8"))
    assert [one["method"] for one in advice] == ["SimpleGradient", "SmoothGrad"]
    assert all(one["text"] in out for one in advice)
    assert (output / "evaluation.csv").is_file()
    for picture in ("tradeoff.png", "curves.png", "maps.png"):
        assert (output / picture).stat().st_size > 5000


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "flags", [("--score", "logit"), ("--model-output", "logit")], ids="-".join
)
def test_the_flags_of_the_score_reach_the_maps(
    run, album, model_file, second_file, tmp_path, flags
):
    agreements = []
    for number, extra in enumerate([(), flags]):
        output = tmp_path / str(number)
        status, _, err = run(
            "evaluate", album, "--model", model_file, "--model", second_file,
            "--superpixels", "SquareGrid:n_segments=16", "--methods", "SimpleGradient",
            "--pixels-per-step", 512, "--quiet", "--output", output, *extra,
        )  # fmt: skip
        assert status == 0, err
        found = json.loads((output / "evaluation.json").read_text("utf-8"))
        agreements.append([row["signed cosine"] for row in found["rows"]])
    assert not np.allclose(*agreements, rtol=0, atol=1e-5)


@pytest.mark.thorough
def test_one_model_says_what_it_cannot_tell(run, album, model_file, tmp_path):
    output = tmp_path / "out"
    status, out, _ = run(
        "evaluate", album, "--model", model_file, *SQUARES, *SMALL, "--output", output
    )
    assert status == 0
    assert "stability can't be told" in out and "another training" in out
    rows = json.loads((output / "evaluation.json").read_text("utf-8"))["rows"]
    assert "SSIM" not in rows[0] and rows[0]["sampling error ↓"] == 0


@pytest.mark.thorough
def test_a_killed_run_goes_on(album, model_file, tmp_path):
    output = tmp_path / "out"
    command = [
        sys.executable, "-m", "tf_superpixel_saliency", "evaluate", album, "--model",
        model_file, *SQUARES, *SMALL, "--output", output,
    ]  # fmt: skip
    command = [str(word) for word in command]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with open(tmp_path / "log", "wb") as log:
        first = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 300
        while not list(output.glob("parts/maps/[!.]*.npz")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.wait()
    if (output / "evaluation.json").exists():
        pytest.skip("the run ended before it could be killed")
    made = {path: path.stat().st_mtime_ns for path in output.glob("parts/**/[!.]*.npz")}
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.returncode == 0, again.stderr
    assert (output / "evaluation.md").is_file()
    for path, written in made.items():
        assert path.stat().st_mtime_ns == written  # not made again
    assert not list(output.glob("**/.partial-*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "a", "--model", "b", "--model", "c"), "one --model or two"),
        (("--superpixels", "Circles"), "Circles"),
        (("--noise-level", "-1"), "noise_level"),
    ],
)
def test_bad_flags(run, album, model_file, tmp_path, arguments, message):
    if "--model" not in arguments:
        arguments = (*arguments, "--model", model_file)
    status, _, errors = run(
        "evaluate", album, *arguments, "--quiet", "--output", tmp_path / "o"
    )
    assert status == 2
    assert message in errors and "Traceback" not in errors


def test_too_few_photos(run, photos, model_file, tmp_path):
    status, _, errors = run(
        "evaluate", photos, "--model", model_file, "--quiet", "--output", tmp_path / "o"
    )
    assert status == 2 and "at least 4 photos" in errors


def test_other_settings_in_the_same_folder(run, album, model_file, tmp_path):
    common = ("evaluate", album, "--model", model_file, *SQUARES, *SMALL)
    common = (*common, "--methods", "SimpleGradient", "--output", tmp_path / "out")
    assert run(*common)[0] == 0
    status, _, errors = run(*common, "--seed", 5)
    assert status == 2 and "other settings" in errors and "another folder" in errors

"""Runs that are killed, that meet a full disk, or go on where another one ended."""

import argparse
import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from skimage import data, io

from tf_superpixel_saliency.cli import models, results
from tf_superpixel_saliency.cli.summary import Summary, photo_identity
from tf_superpixel_saliency.evaluation import storage
from tf_superpixel_saliency.evaluation.writers import only_writer

QUICK = ("--method", "SimpleGradient", "--superpixels", "SquareGrid:size=8", "--quiet")
COUNT = 5


@pytest.fixture
def album(tmp_path):
    """Parts of a real photo, and a file that is none."""
    folder = tmp_path / "album"
    folder.mkdir()
    photo = data.coffee()
    for number in range(COUNT):
        part = photo[40 * number : 40 * number + 80, 100:180]
        io.imsave(folder / f"{number}.png", part, check_contrast=False)
    (folder / "text.jpg").write_text("no image")
    return folder


def summary(folder):
    lines = (folder / "summary.jsonl").read_text("utf-8").splitlines()
    return {line["file"]: line for line in map(json.loads, lines)}, len(lines)


def same_arrays(one, other):
    one, other = np.load(one), np.load(other)
    assert one.files == other.files
    for key in one.files:
        np.testing.assert_array_equal(one[key], other[key])


def test_a_killed_run_goes_on_and_nothing_is_lost(run, album, model_file, tmp_path):
    output = tmp_path / "out"
    command = ["explain", album, "--model", model_file, "--output", output, *QUICK]
    command = [str(word) for word in command]
    with open(tmp_path / "log", "wb") as log:
        first = subprocess.Popen(
            [sys.executable, "-m", "tf_superpixel_saliency", *command],
            stdout=log, stderr=log, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        deadline = time.monotonic() + 300
        while not list(output.glob("1.npz")):
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
    finished, lines = summary(output)
    assert 1 <= lines == len(finished) < COUNT
    (output / ".partial-999999-0.npz").write_bytes(b"PK half")  # as a kill may leave it
    written = {
        line[kind]: (output / line[kind]).stat().st_mtime_ns
        for line in finished.values()
        for kind in ("picture", "arrays")
    }
    status, out, errors = run(*command)
    assert status == 1 and "failed" in errors and "text.jpg: not an image" in errors
    new = COUNT - len(finished)
    assert f"{new} of {COUNT + 1} photos explained, {len(finished)} skipped" in out
    assert ", 1 failed" in out
    for name, when in written.items():
        assert (output / name).stat().st_mtime_ns == when  # not done again
    found, lines = summary(output)
    assert lines == len(found) == COUNT
    assert len(list(output.iterdir())) == 2 * COUNT + 1
    run(*command[:4], "--output", tmp_path / "whole", *QUICK)
    for number in range(COUNT):
        same_arrays(output / f"{number}.npz", tmp_path / "whole" / f"{number}.npz")


@pytest.fixture
def explain(run, album, model_file, tmp_path):
    """Runs the command over the first photos: (count, flags) → what `run` returns."""

    def call(count, *flags, output=tmp_path / "out"):
        files = [album / f"{number}.png" for number in range(count)]
        return run("explain", *files, "--model", model_file, "--output", output,
                   *QUICK, *flags)  # fmt: skip

    return call


def test_what_is_finished_depends_on_the_photo_and_the_settings(album, tmp_path):
    output, photo = tmp_path / "out", album / "0.png"
    output.mkdir()
    for name in ("0.png", "0.npz"):
        (output / name).write_text("whole")
    line = {
        "file": str(photo), "picture": "0.png", "arrays": "0.npz",
        "made_by": {"settings_sha256": "a"}, "photo": photo_identity(photo),
    }  # fmt: skip
    Summary(output).add(line)
    assert Summary(output).has(photo, "a") and Summary(output).names
    assert not Summary(output).has(photo, "b")
    assert not Summary(output).has(album / "1.png", "a")
    os.utime(photo, (1, 1))  # touched, but the same
    assert Summary(output).has(photo, "a")
    whole = photo.read_bytes()
    photo.write_bytes(whole[:-1] + b"x")
    assert not Summary(output).has(photo, "a")
    photo.unlink()
    assert not Summary(output).has(photo, "a")
    photo.write_bytes(whole)
    assert Summary(output).has(photo, "a")
    taken = Summary(output)
    taken.take_back(photo)
    for again in (taken, Summary(output)):  # as after a kill before the new line
        assert not again.has(photo, "a")
    taken.add(line)
    (output / "0.npz").unlink()
    assert not Summary(output).has(photo, "a")
    assert summary(output) == ({}, 0)


def test_other_settings_replace_results_one_by_one(explain, tmp_path):
    assert "2 of 2 photos explained, 0 skipped" in explain(2)[1]
    assert "1 of 1 photos explained, 0 skipped" in explain(1, "--score", "logit")[1]
    found, lines = summary(tmp_path / "out")
    assert lines == 2
    scores = {line["arrays"]: line["settings"]["score"] for line in found.values()}
    assert scores == {"0.npz": "logit", "1.npz": "probability"}
    assert "1 of 2 photos explained, 1 skipped" in explain(2)[1]


def test_another_model_of_the_same_name_is_another_model(model_file, tmp_path):
    arguments = argparse.Namespace(size=None, trust_savedmodel=True)
    digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
    model = models.load_named(str(model_file), arguments)
    assert model.digest == digest
    model.model.export(tmp_path / "saved")
    before = models.load_named(str(tmp_path / "saved"), arguments).digest
    assert before != models.digest_of("demo", model.model)
    with open(next((tmp_path / "saved" / "variables").glob("*.data*")), "rb+") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    assert models.digest_of(str(tmp_path / "saved"), None) != before
    before = models.digest_of("demo", model.model)
    weights = model.model.get_weights()
    model.model.set_weights([weights[0] + 1e-6, *weights[1:]])
    assert models.digest_of("demo", model.model) != before


def test_results_say_what_made_them(explain, model_file, tmp_path):
    explain(1)
    (line,) = summary(tmp_path / "out")[0].values()
    arrays = np.load(tmp_path / "out" / "0.npz", allow_pickle=False)
    for told in (line, json.loads(str(arrays["about"]))):
        digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
        assert told["made_by"]["model_sha256"] == digest
        assert told["settings"]["score"] == "probability"
        assert {"tensorflow", "keras", "numpy"} <= set(told["made_by"]["versions"])


def test_a_torn_summary_is_mended(tmp_path):
    path = tmp_path / "summary.jsonl"
    (tmp_path / "a.npz").touch()
    line = b'{"file": "x", "arrays": "a.npz", "picture": "a.npz"}\n'
    torn = (line[:-9], line[:-1], b"\xff\xfe", b"[]\n", b"7\n", b"\n", b'{"file": 1}\n')
    for part in torn:
        path.write_bytes(line + part)
        Summary(tmp_path)
        assert path.read_bytes() == line
    path.write_bytes(line * 3)
    Summary(tmp_path)
    assert path.read_bytes() == line


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(
    explain, tmp_path, monkeypatch
):
    sync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(storage.os, "fsync", full)
    status, out, errors = explain(4)
    monkeypatch.undo()
    _, lines = summary(tmp_path / "out")
    assert status == 1 and 1 <= lines < 4
    assert f"{lines} of 4 photos explained" in out
    assert "No space left" in errors and "goes on from here" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "out").glob(".partial-*"))
    status, out, _ = explain(4)
    assert status == 0 and f"{4 - lines} of 4 photos explained, {lines} skipped" in out


def test_a_file_that_is_too_large_for_the_system_fails_alone(explain, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        status, out, errors = explain(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 1 and "0 of 2 photos explained" in out
    assert errors.count("failed: ") == 2 and "File too large" in errors
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["summary.jsonl"]


def test_a_folder_that_can_not_be_written(explain, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    user = os.geteuid()
    if user == 0:  # who may write everywhere
        status, errors = _as_nobody(folder)
    else:
        status, _, errors = explain(1, output=folder)
    assert status == 2 and "can't write to --output" in errors
    assert list(folder.iterdir()) == []


def _as_nobody(folder):
    inside = os.open(folder, os.O_RDONLY)
    before = os.getcwd()
    os.chdir(inside)
    os.seteuid(65534)
    try:
        results.made_folder(".")
    except results.CommandError as error:
        return 2, str(error)
    finally:
        os.seteuid(0)
        os.chdir(before)
        os.close(inside)
    return 0, ""


def test_two_runs_do_not_share_a_folder(explain, tmp_path):
    explain(1)
    with only_writer(tmp_path / "out"):
        status, _, errors = explain(2)
    assert status == 2 and "another run writes to" in errors
    assert explain(2)[0] == 0


def test_a_model_that_fails_on_one_photo_spares_the_others(run, album, tmp_path):
    import keras
    import tensorflow as tf

    @keras.saving.register_keras_serializable(package="tests")
    class Choosy(keras.layers.Layer):
        def call(self, images):
            dark = tf.debugging.assert_greater(tf.reduce_max(images), 60.0)
            with tf.control_dependencies([dark]):
                return tf.identity(images)

    keras.Sequential(
        [keras.Input((16, 16, 3)), Choosy(), keras.layers.Flatten(),
         keras.layers.Dense(3, activation="softmax")]
    ).save(tmp_path / "choosy.keras")  # fmt: skip
    (album / "text.jpg").unlink()
    io.imsave(album / "3.png", np.zeros((20, 20, 3), np.uint8), check_contrast=False)
    # The assertion is for a batch as a whole: alone, one image doesn't pass.
    status, out, errors = run(
        "explain", album, "--model", tmp_path / "choosy.keras", "--output",
        tmp_path / "out", *QUICK,
    )  # fmt: skip
    assert status == 1 and f"{COUNT - 1} of {COUNT} photos explained" in out
    (line,) = [line for line in errors.splitlines() if line.startswith("failed")]
    assert "3.png: the model fails on it" in line


def test_odd_names_of_files_and_classes(run, album, model_file, tmp_path):
    odd = (b"new\nline.png", b"\xff\xfe.png", b"--output.png", b"[a]*?.png")
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in odd:
        (folder / os.fsdecode(name)).write_bytes((album / "0.png").read_bytes())
    (tmp_path / "names.txt").write_text("$\\frac{ $ 漢 100%_^\n" * 4, "utf-8")
    command = ("explain", folder, "--model", model_file, "--output", tmp_path / "out",
               "--class-names", tmp_path / "names.txt", *QUICK)  # fmt: skip
    assert "4 of 4 photos explained" in run(*command)[1]
    assert "0 of 4 photos explained, 4 skipped" in run(*command)[1]
    written = {os.fsencode(path.name) for path in (tmp_path / "out").glob("*.png")}
    assert written == set(odd)
    found, _ = summary(tmp_path / "out")
    assert {os.fsencode(os.path.basename(file)) for file in found} == set(odd)

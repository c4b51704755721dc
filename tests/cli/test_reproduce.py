"""`superpixel-saliency reproduce` and `train-networks` on data laid out alike."""

import json

import numpy as np
import pytest
from skimage import io

from tests.evaluation.networks import instead_of_resnet18
from tests.evaluation.networks import photos as patches
from tf_superpixel_saliency.paper import training


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Four classes of 16×16 images in train/CLASS and test/CLASS."""
    folder = tmp_path_factory.mktemp("labelled")
    for split, count in (("train", 20), ("test", 4)):
        images = patches(4 * count, (16, 16, 3), seed=count).astype(np.uint8)
        for number, image in enumerate(images):
            path = folder / split / "abcd"[number % 4] / f"{number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            io.imsave(path, image, check_contrast=False)
    return folder


def train(run, labelled, output, *arguments):
    return run(
        "train-networks", labelled, "--output", output, "--width", 0.05, "--epochs", 1,
        "--num-repeats", 1, "--quiet", *arguments,
    )  # fmt: skip


@pytest.mark.thorough
def test_networks_are_trained_and_compared(run, labelled, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "build_resnet18", instead_of_resnet18)
    networks = tmp_path / "networks"
    names = ("split_a", "split_b", "split_a_other_init")
    status, _, errors = train(run, labelled, networks, "--names", *names)
    assert status == 0, errors
    log = [json.loads(x) for x in (networks / "log.jsonl").read_text().splitlines()]
    assert [line["name"] for line in log] == list(names)
    output = tmp_path / "out"
    status, _, errors = run(
        "reproduce", "figure-2-cifar10", "--data", labelled, "--networks", networks,
        "--num-images", 6, "--num-samples", 2, "--num-steps", 2, "--output", output,
        "--quiet",
    )  # fmt: skip
    assert status == 0, errors
    found = json.loads((output / "figure-2-cifar10.json").read_text("utf-8"))
    rows = {row["networks"] for row in found["rows"]}
    assert "same data, other initialisation" in rows
    assert all(name in " ".join(found["notes"]) for name in names)
    command = found["made_by"]["command"]
    assert command.startswith("superpixel-saliency reproduce figure-2-cifar10")
    assert str(tmp_path) not in command


def test_all_leaves_out_what_has_no_data(run, tmp_path):
    status, out, _ = run("reproduce", "all", "--output", tmp_path / "o", "--quiet")
    assert status == 0
    assert "figure-1: left out" in out and "--photos" in out
    assert "claims.md" in out
    text = (tmp_path / "o" / "claims.md").read_text("utf-8")
    assert "cannot be told" in text and "holds |" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("figure-1",), "--photos"),
        (("figure-2-cifar10",), "--data"),
        (("figure-9",), "invalid choice"),
        (("figure-2-mege", "--data", "nowhere"), "nowhere"),
        (("figure-1", "--photos", "nowhere"), "nowhere"),
    ],
)
def test_what_is_missing_is_said(run, tmp_path, arguments, message):
    status, _, errors = run(
        "reproduce", *arguments, "--output", tmp_path / "o", "--quiet"
    )
    assert status == 2
    assert message in errors and "Traceback" not in errors


@pytest.mark.thorough
def test_training_refuses_other_settings_in_the_same_folder(run, labelled, tmp_path):
    networks = tmp_path / "networks"
    assert train(run, labelled, networks, "--names", "fold_0")[0] == 0
    status, _, errors = train(run, labelled, networks, "--names", "fold_0", "--seed", 4)
    assert status == 2 and "another folder" in errors

"""`superpixel-saliency explain` from the flags to the files."""

import json
import pathlib

import keras
import numpy as np
import pytest
from skimage import data, io
from skimage.segmentation import quickshift

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.demo import prepare


def summary(folder):
    lines = (pathlib.Path(folder) / "summary.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def slow_group_mean(values, segments):
    grouped = np.empty_like(values, dtype=np.float64)
    for label in np.unique(segments):
        inside = segments == label
        grouped[inside] = values[inside].astype(np.float64).mean(axis=0)
    return grouped


def same_partition(a, b):
    pairs = len(np.unique(np.stack([a.ravel(), b.ravel()]), axis=1).T)
    return pairs == len(np.unique(a)) == len(np.unique(b))


def test_results_are_those_of_independent_code(run, photos, model_file, tmp_path):
    output = tmp_path / "out"
    status, out, _ = run(
        "explain", photos, "--model", model_file, "--method", "simple-gradient",
        "--output", output, "--quiet",
    )  # fmt: skip
    assert status == 0 and "2 of 2 photos explained" in out
    model = keras.models.load_model(model_file)
    lines = {pathlib.Path(line["file"]).stem: line for line in summary(output)}
    for name, photo in (("chelsea", data.chelsea()), ("coffee", None)):
        line = lines[name]
        arrays = np.load(output / line["arrays"], allow_pickle=False)
        if photo is not None:  # JPEG isn't lossless
            np.testing.assert_array_equal(arrays["images"], prepare(photo, 32))
        image = arrays["images"]
        probabilities = model.predict(image[None], verbose=0)[0]
        assert line["class"] == probabilities.argmax()
        assert line["score"] == pytest.approx(probabilities.max(), rel=1e-5)
        reference = quickshift(image / 255, ratio=0.2, kernel_size=1, max_dist=3)
        assert same_partition(reference, arrays["segments"])
        assert line["num_groups"] == len(np.unique(reference))
        # A step in each of some pixels' channels: the gradient by differences.
        target = line["class"]
        rng = np.random.default_rng(1)
        for row, column, channel in rng.integers(0, (32, 32, 3), (12, 3)):
            shifted = np.repeat(image[None].astype(np.float64), 2, axis=0)
            shifted[:, row, column, channel] += [1.0, -1.0]
            above, below = model.predict(shifted, verbose=0)[:, target]
            found = arrays["pixel_maps"][row, column, channel]
            assert found == pytest.approx((above - below) / 2, abs=2e-7)
        grouped = slow_group_mean(arrays["pixel_maps"], arrays["segments"])
        scale = np.abs(grouped).max()
        np.testing.assert_allclose(arrays["maps"], grouped, atol=1e-5 * scale)
        heat = np.abs(grouped).sum(axis=-1)
        np.testing.assert_allclose(arrays["heatmaps"], heat, atol=3e-5 * scale)


def test_summary_lists_the_highest_groups(run, photos, model_file, tmp_path):
    run(
        "explain", photos / "chelsea.png", "--model", model_file, "--output", tmp_path,
        "--num-samples", 3, "--top", 4, "--quiet",
    )  # fmt: skip
    (line,) = summary(tmp_path)
    arrays = np.load(tmp_path / "chelsea.npz")
    labels = np.unique(arrays["segments"])
    means = [arrays["heatmaps"][arrays["segments"] == k].mean() for k in labels]
    best = np.argsort(means)[::-1][:4]
    assert [group["group"] for group in line["top_groups"]] == labels[best].tolist()
    for group in line["top_groups"]:
        assert group["area"] == np.count_nonzero(arrays["segments"] == group["group"])
        assert group["mean"] == pytest.approx(means[group["group"]], rel=1e-5)
    assert line["settings"]["num_samples"] == 3
    run(
        "explain", photos / "chelsea.png", "--model", model_file, "--output", tmp_path,
        "--num-samples", 3, "--min-area", 9, "--quiet",
    )  # fmt: skip
    (line,) = summary(tmp_path)
    assert min(group["area"] for group in line["top_groups"]) >= 9
    assert line["settings"]["superpixels"] == "Quickshift"


def test_picture_shows_the_photo(run, photos, model_file, tmp_path):
    run(
        "explain", photos / "chelsea.png", "--model", model_file, "--output", tmp_path,
        "--method", "SimpleGradient", "--quiet",
    )  # fmt: skip
    picture = io.imread(tmp_path / "chelsea.png")[..., :3].astype(float)
    assert picture.shape[1] > 3 * picture.shape[0]  # four panels beside each other
    photo = prepare(data.chelsea(), 32)
    # Somewhere in the first panel each of the photo's pixels is a block of its own.
    panel = picture[:, : picture.shape[1] // 4]
    for pixel in (photo[3, 3], photo[16, 16], photo[28, 9]):
        distance = np.abs(panel - np.rint(pixel)).max(axis=-1)
        assert np.count_nonzero(distance <= 1) >= 100


@pytest.mark.thorough
def test_dynamic_partition_and_all_methods(run, photos, model_file, tmp_path):
    for method in ("SmoothGrad", "SparsifiedSmoothGrad", "IntegratedGradients"):
        folder = tmp_path / method
        status, _, _ = run(
            "explain", photos / "chelsea.png", "--model", model_file, "--quiet",
            "--method", method, "--partition", "dynamic", "--num-samples", 2,
            "--num-steps", 3, "--output", folder,
        )  # fmt: skip
        assert status == 0
        arrays = np.load(folder / "chelsea.npz")
        assert arrays["num_groups"] > 1
        # Points are grouped by partitions of their own, so the map is not constant in
        # the clean photo's groups.
        again = slow_group_mean(arrays["maps"], arrays["segments"])
        assert np.abs(again - arrays["maps"]).max() > 0


def test_value_range_scales_the_photo(run, photos, tmp_path):
    keras.utils.set_random_seed(0)
    inner = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
             keras.layers.Dense(3, activation="softmax")]  # fmt: skip
    unit = keras.Sequential([keras.Input((32, 32, 3)), *inner])
    unit.save(tmp_path / "unit.keras")
    status, _, _ = run(
        "explain", photos / "chelsea.png", "--model", tmp_path / "unit.keras",
        "--value-range", -1, 1, "--method", "SimpleGradient", "--output", tmp_path,
        "--quiet",
    )  # fmt: skip
    assert status == 0
    arrays = np.load(tmp_path / "chelsea.npz")
    expected = prepare(data.chelsea(), 32) / 127.5 - 1
    np.testing.assert_allclose(arrays["images"], expected, atol=1e-6)
    segments = tss.Quickshift(value_range=(-1, 1))(arrays["images"][None])
    assert same_partition(segments[0].numpy(), arrays["segments"])


def test_gray_model_gets_gray_photos(run, photos, gray_file, tmp_path):
    status, _, _ = run(
        "explain", photos / "chelsea.png", "--model", gray_file, "--output", tmp_path,
        "--num-samples", 2, "--target", 1, "--score", "logit", "--quiet",
    )  # fmt: skip
    assert status == 0
    arrays = np.load(tmp_path / "chelsea.npz")
    weights = keras.models.load_model(gray_file).get_weights()[0]
    # A linear model: SmoothGrad is its weights, whatever the noise.
    expected = weights[:, 1].reshape(16, 16, 1)
    np.testing.assert_allclose(arrays["pixel_maps"], expected, rtol=1e-5)


@pytest.mark.thorough
def test_saved_model_needs_trust(run, photos, model_file, tmp_path):
    folder = tmp_path / "exported"
    keras.models.load_model(model_file).export(folder)
    command = ("explain", photos / "chelsea.png", "--model", folder, "--quiet",
               "--method", "SimpleGradient")  # fmt: skip
    status, _, errors = run(*command, "--output", tmp_path / "a")
    assert status == 2 and "--trust-savedmodel" in errors
    assert not (tmp_path / "a").exists()
    status, _, _ = run(*command, "--trust-savedmodel", "--output", tmp_path / "b")
    assert status == 0
    run("explain", photos / "chelsea.png", "--model", model_file, "--quiet",
        "--method", "SimpleGradient", "--output", tmp_path / "c")  # fmt: skip
    kinds = [np.load(tmp_path / name / "chelsea.npz")["maps"] for name in "bc"]
    np.testing.assert_allclose(*kinds, atol=1e-5 * np.abs(kinds[1]).max())
    assert summary(tmp_path / "b")[0]["class"] == summary(tmp_path / "c")[0]["class"]


def test_keras_application_with_its_preprocessing(run, photos, tmp_path):
    status, _, _ = run(
        "explain", photos / "chelsea.png", "--model", "MobileNet", "--weights",
        "random", "--size", 64, "--method", "SimpleGradient", "--output", tmp_path,
        "--quiet",
    )  # fmt: skip
    assert status == 0
    arrays = np.load(tmp_path / "chelsea.npz")
    assert arrays["images"].shape == (64, 64, 3) and arrays["images"].max() > 200
    assert np.isfinite(arrays["maps"]).all()

"""A data set on Ray, whose workers fail and are killed."""

import os
import sys

import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.distributed import cases
from tf_superpixel_saliency.cli.parser import main

pytest.importorskip("pyarrow")
ray = pytest.importorskip("ray")


@pytest.fixture
def workers_find_the_tests(monkeypatch):
    paths = [os.path.abspath(path) for path in sys.path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def test_a_failed_run_goes_on_and_a_killed_worker_loses_nothing(
    tmp_path, workers_find_the_tests
):
    folder = cases.write_images(tmp_path / "images")
    output = tmp_path / "results"

    def run(act):
        make = cases.Marked(tmp_path / act.__name__, act)
        return tss.distributed.explain_dataset(
            folder, output, make, size=cases.SIZE, images_per_shard=2, batch_size=1,
            num_workers=1, verbose=False,
        )  # fmt: skip

    with pytest.raises(RuntimeError, match="on fire") as caught:
        run(cases.fail)
    assert "goes on from there" in str(caught.value)
    finished = {path: path.stat().st_mtime_ns for path in output.glob("part-*")}
    assert list(finished) == [output / "part-0000000.parquet"]

    summary = run(cases.kill_this_process)
    assert (tmp_path / "kill_this_process").exists()
    assert not ray.is_initialized()  # what was started is ended
    assert summary.images == 10 and summary.explained == 9 and summary.found == 2
    assert list(summary.failed) == ["5b.png"]
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert sorted(path.name for path in output.iterdir()) == [
        *(f"part-{number:07d}.parquet" for number in range(5)),
        "settings.json",
    ]
    rows = list(tss.distributed.read_results(output))
    assert [row["key"] for row in rows] == list(cases.contents(folder))
    good = [row for row in rows if not row["error"]]
    expected = cases.expected(folder, [row["key"] for row in good])
    maps = np.stack([row["maps"] for row in good])
    scale = np.abs(expected["maps"]).max()
    np.testing.assert_allclose(maps, expected["maps"], atol=1e-5 * scale, rtol=0)

    with pytest.raises(ValueError, match="other settings"):
        tss.distributed.explain_dataset(folder, output, cases.explainer, size=8)


def test_the_command_gives_the_maps_of_the_plain_one(
    tmp_path, capsys, workers_find_the_tests
):
    folder = cases.write_images(tmp_path / "images", count=3)
    cases.model().save(tmp_path / "model.keras")
    flags = [
        *(
            "--model",
            str(tmp_path / "model.keras"),
            "--superpixels",
            "SquareGrid:size=4",
        ),
        *("--method", "SmoothGrad", "--num-samples", "3", "--quiet"),
    ]
    for engine in ("none", "ray"):
        output = ["--engine", engine, "--output", str(tmp_path / engine)]
        assert main(["explain", str(folder), *flags, *output]) == 1  # 5b.png
        printed = capsys.readouterr()
        assert "3 of 4 photos explained" in printed.out
        assert "5b.png: not an image" in printed.err
    assert not ray.is_initialized()
    rows = list(tss.distributed.read_results(tmp_path / "ray"))
    assert [row["key"] for row in rows] == ["0.png", "1.png", "2.png", "5b.png"]
    for row in rows[:3]:
        plain = np.load(tmp_path / "none" / row["key"].replace("png", "npz"))
        scale = np.abs(plain["maps"]).max()
        np.testing.assert_allclose(
            row["maps"], plain["maps"], atol=1e-5 * scale, rtol=0
        )
        np.testing.assert_array_equal(row["segments"], plain["segments"])
        assert row["targets"] == plain["targets"]
    again = main(["explain", str(folder), *flags, *output])
    assert again == 1 and "3 of them before" in capsys.readouterr().out
    assert main(["explain", str(folder), *flags, *output, "--seed", "1"]) == 2
    assert "other settings" in capsys.readouterr().err

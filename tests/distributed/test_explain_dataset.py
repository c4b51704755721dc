"""A data set on Ray, whose workers fail and are killed."""

import os
import sys

import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.distributed import cases

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

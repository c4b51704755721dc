"""From files to shards to results, in this process: Ray only hands the shards about."""

import json

import numpy as np
import pytest

import tf_superpixel_saliency as tss
from tests.distributed import cases
from tf_superpixel_saliency.distributed import reading, results, sources
from tf_superpixel_saliency.distributed.worker import Job, Worker

parquet = pytest.importorskip("pyarrow.parquet")
import pyarrow  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return cases.write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def packed(folder, tmp_path_factory):
    """The same images in the three kinds of files, and where they are in each."""
    place = tmp_path_factory.mktemp("packed")
    items = cases.contents(folder)
    rows = {"image": list(items.values()), "name": list(items)}
    parquet.write_table(pyarrow.table(rows), place / "a.parquet", row_group_size=4)
    nested = {"image": [{"bytes": data, "path": None} for data in items.values()]}
    parquet.write_table(pyarrow.table(nested), place / "b.parquet", row_group_size=3)
    cases.write_records(place / "a.tfrecord", items)
    return {
        "folder": (folder, sources.Columns("image", None)),
        "parquet": (place / "a.parquet", sources.Columns("image", "name")),
        "nested": (place / "b.parquet", sources.Columns("image", None)),
        "records": (
            place / "a.tfrecord",
            sources.Columns("image/encoded", "image/filename"),
        ),
    }


@pytest.fixture(scope="module")
def worker():
    job = Job("", cases.explainer, None, None, -1, 2, 1, {"settings": {}})
    return Worker(job)


def told(worker, output, columns, **prepared):
    prepared = reading.Preparation(**{"size": cases.SIZE, **prepared})
    worker.job = worker.job._replace(
        output=str(output), columns=columns, prepared=prepared
    )
    return worker


@pytest.mark.cases(1)
@pytest.mark.parametrize("kind", ["folder", "parquet", "nested", "records"])
@pytest.mark.parametrize("size", [3, 100])
def test_every_source_gives_each_image_once(
    worker, packed, folder, tmp_path, kind, size
):
    source, columns = packed[kind]
    told(worker, tmp_path, columns)
    shards = sources.shards(sources.find_runs(source), size)
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert all(shard.count == size for shard in shards[:-1])
    batch = {"shard": np.array([shard.as_text() for shard in shards])}
    summaries = [json.loads(text) for text in worker(batch)["told"]]
    assert sum(summary["images"] for summary in summaries) == 10
    rows = list(results.read_results(tmp_path))
    files = list(cases.contents(folder))
    keys = [f"b.parquet:{n}" for n in range(10)] if kind == "nested" else files
    assert [row["key"] for row in rows] == keys
    (bad,) = [row for row in rows if row["error"]]
    assert bad == {"key": keys[files.index("5b.png")], "error": bad["error"]}
    assert "not an image" in bad["error"]
    assert {k: v for one in summaries for k, v in one["failed"].items()} == {
        bad["key"]: bad["error"]
    }
    good = [row for row in rows if not row["error"]]
    out = cases.expected(folder, [name for name in files if name != "5b.png"])
    for name in ("segments", "targets", "status"):
        np.testing.assert_array_equal([row[name] for row in good], out[name])
    scale = np.abs(out["maps"]).max()
    maps = np.stack([row["maps"] for row in good])
    np.testing.assert_allclose(maps, out["maps"], atol=1e-5 * scale, rtol=0)
    np.testing.assert_allclose([row["scores"] for row in good], out["scores"], 1e-5)


def test_a_finished_shard_is_not_made_again(worker, packed, tmp_path):
    told(worker, tmp_path, packed["folder"][1])
    (shard,) = sources.shards(sources.find_runs(packed["folder"][0]), 100)
    first = worker.explain_shard(shard)
    path = results.shard_path(tmp_path, 0)
    made = path.stat().st_mtime_ns
    assert worker.explain_shard(shard) == first
    assert path.stat().st_mtime_ns == made
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_nothing_half_written_stays(worker, packed, tmp_path, monkeypatch):
    told(worker, tmp_path, packed["folder"][1])
    (shard,) = sources.shards(sources.find_runs(packed["folder"][0]), 100)
    monkeypatch.setattr(worker, "explainer", cases.Marked(tmp_path / "m", cases.fail)())
    with pytest.raises(RuntimeError, match="on fire"):
        worker.explain_shard(shard)
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


def test_images_at_their_own_size(packed):
    prepared = reading.Preparation(size=None, channels=1, value_range=(-1, 1))
    (shard,) = sources.shards(sources.find_runs(packed["folder"][0]), 100)
    items = list(reading.read_shard(shard, packed["folder"][1], prepared))
    shapes = {item.key: item.image.shape for item in items if not item.error}
    assert shapes["0.png"] == (20, 24, 1) and shapes["8.png"] == (28, 16, 1)
    low, high = -1 - 1e-6, 1 + 1e-6
    assert all(
        low <= i.image.min() < i.image.max() <= high for i in items if i.key in shapes
    )


def test_files_that_vanish_or_are_too_large_have_their_reason(packed):
    run = sources.Run("/nowhere/a.png", "a.png")
    prepared = reading.Preparation(max_pixels=10)
    shard = sources.Shard(0, (run, sources.find_runs(packed["folder"][0])[0]))
    one, two = reading.read_shard(shard, packed["folder"][1], prepared)
    assert one == ("a.png", None, "can't be read: there is no such file")
    assert "20 × 24 pixels" in two.error or "24 × 20 pixels" in two.error


def test_wrong_columns_end_the_run(packed):
    for kind in ("parquet", "records"):
        (shard,) = sources.shards(sources.find_runs(packed[kind][0]), 100)
        with pytest.raises(LookupError, match="image_column"):
            columns = sources.Columns("picture", None)
            list(reading.read_shard(shard, columns, reading.Preparation()))


def test_sources_that_are_none(folder, packed, tmp_path):
    for source in (tmp_path / "nothing.png", tmp_path):
        with pytest.raises(ValueError, match="no match for"):
            sources.find_runs(source)
    (tmp_path / "notes.txt").write_text("")
    for source in (tmp_path, [folder, packed["parquet"][0]]):
        with pytest.raises(ValueError, match="source must be"):
            sources.find_runs(source)
    two = [folder / "below", folder / "0.png"]
    assert [run.key for run in sources.find_runs(two)] == ["below/4.png", "0.png"]
    cut = tmp_path / "cut.tfrecord"
    cut.write_bytes(packed["records"][0].read_bytes()[:-3])
    with pytest.raises(ValueError, match="record 9 ends behind"):
        sources.find_runs(cut)


def test_shards_hold_runs_as_a_slow_count_does():
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 50):
        runs = [
            sources.Run(f"{n}.pq", f"{n}", 7, int(rng.integers(1, 9))) for n in range(6)
        ]
        single = [(run.key, run.first + n) for run in runs for n in range(run.count)]
        shards = sources.shards(runs, size)
        found = [
            (run.key, run.first + n)
            for shard in shards
            for run in shard.runs
            for n in range(run.count)
        ]
        assert found == single
        assert sources.Shard.from_text(shards[0].as_text()) == shards[0]


def test_what_is_refused_before_ray_starts(folder, tmp_path):
    pytest.importorskip("ray")
    run = tss.distributed.explain_dataset
    with pytest.raises(TypeError, match="function that makes one"):
        run(folder, tmp_path / "a", "SmoothGrad", size=16)
    with pytest.raises(ValueError, match='size="model"'):
        run(folder, tmp_path / "a", cases.explainer)
    with pytest.raises(ValueError, match="pass a function"):
        run(folder, tmp_path / "a", tss.SimpleGradient(lambda x: x[:, 0, 0]), size=16)
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(ValueError, match="something else"):
        run(folder, tmp_path, cases.explainer, size=16)

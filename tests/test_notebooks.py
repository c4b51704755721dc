"""Notebooks: run from start to end in small, and kept with what a reader sees."""

import importlib.util
import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
REPOSITORY = "tf-superpixel-saliency/tf_superpixel_saliency"
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What makes each quick; every name is one of the notebook's parameters.
SMALL = {
    "beyond_the_paper": {
        "num_training": 100,
        "num_epochs": 1,
        "num_images": 4,
        "num_samples": 4,
        "num_certified": 20,
    },
    "choosing_superpixels": {
        "num_images": 8,
        "num_samples": 2,
        "num_subsets": 3,
        "distances": (3,),
        "segment_counts": (),
    },
    "expert_regions": {
        "num_training": 200,
        "num_epochs": 1,
        "num_images": 4,
        "num_steps": 4,
    },
    "quick_start": {"num_samples": 2, "num_draws": 1},
    "serving": {"num_samples": 1, "num_photos": 2},
    "training_twice": {
        "num_training": 200,
        "num_epochs": 1,
        "num_images": 5,
        "num_samples": 2,
    },
}
in_every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells(path, kind):
    content = json.loads(path.read_text("utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


@pytest.fixture(scope="module")
def run():
    pytest.importorskip("nbclient")
    spec = importlib.util.spec_from_file_location("run", ROOT / "notebooks" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_notebook_has_its_small_settings():
    assert sorted(SMALL) == [path.stem for path in PATHS]


# Each runs in a process of its own: the default run takes one.
SHORT = {"quick_start"}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.stem in SHORT else pytest.mark.thorough)
        for path in PATHS
    ],
    ids=lambda path: path.stem,
)
def test_runs_from_start_to_end(path, run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    before = path.read_bytes()
    done = run.execute(path, SMALL[path.stem])
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code if cell.source] != []
    errors = [
        out for cell in code for out in cell.outputs if out.output_type == "error"
    ]
    assert not errors
    assert path.read_bytes() == before


def test_a_setting_that_is_no_parameter(run):
    with pytest.raises(
        ValueError, match=r"parameters are \['num_draws', 'num_samples'\]"
    ):
        run.execute(ROOT / "notebooks" / "quick_start.ipynb", {"num_sample": 2})


@in_every_notebook
def test_badge_and_installation(path):
    first = source(cells(path, "markdown")[0])
    link = f"colab.research.google.com/github/{REPOSITORY}/blob/main/notebooks/"
    assert f"{link}{path.name})" in first
    install = source(cells(path, "code")[0])
    assert 'find_spec("tf_superpixel_saliency") is None' in install
    package = f"tf-superpixel-saliency[demo] @ git+https://github.com/{REPOSITORY}"
    assert f'    %pip install -q "{package}"' in install


@in_every_notebook
def test_outputs_are_kept(path):
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/jpeg"}
    assert any(output.get("name") == "stdout" for output in outputs)
    assert not any(output.get("name") == "stderr" for output in outputs)


@in_every_notebook
def test_nothing_of_the_machine_is_kept(path):
    text = path.read_text("utf-8")
    text = re.sub(r'"image/\w+": "[^"]*"', "", text)
    assert not re.search(r"/(home|root|tmp|work|usr|Users|private|content)/", text)
    assert not re.search(r"site-packages|0x[0-9a-f]{8}", text)
    content = json.loads(path.read_text("utf-8"))
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    for cell in content["cells"]:
        assert set(cell["metadata"]) <= {"tags"}


@in_every_notebook
def test_small_enough_for_the_web(path):
    assert path.stat().st_size < 1_500_000


@in_every_notebook
def test_links_lead_somewhere(path):
    text = "\n".join(source(cell) for cell in cells(path, "markdown"))
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (path.parent / link).exists(), link
    for link in re.findall(
        rf"https://github.com/{REPOSITORY}/blob/main/([^)]+)\)", text
    ):
        assert (ROOT / link).exists(), link

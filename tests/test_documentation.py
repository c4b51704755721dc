"""What the README and the docstrings show is run."""

import doctest
import importlib
import inspect
import pathlib
import pkgutil
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_superpixel_saliency as tss

ROOT = pathlib.Path(__file__).parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tss.__path__, tss.__name__ + ".")
    if not module.name.endswith("__main__")
)
PAGES = sorted((ROOT / "docs").rglob("*.md"))
# Their examples take from a quarter of a minute to a minute.
LONG = {"beyond", "explain", "index", "models", "quick_start"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(name)
    globs = {**vars(module), "np": np, "tf": tf, "keras": keras, "tss": tss}
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner()
    for test in finder.find(module, name, globs=globs):
        result = runner.run(test)
        assert result.failed == 0, f"{test.name}: see the output above"


def test_examples_in_the_readme(tmp_path, monkeypatch):
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.M | re.S)
    assert blocks
    monkeypatch.chdir(tmp_path)
    names = {}  # a block goes on from those before
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "overlay.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.thorough if path.stem in LONG else ())
        for path in PAGES
        if "```python" in path.read_text("utf-8")
    ],
    ids=lambda path: path.stem,
)
def test_examples_in_the_pages(path, tmp_path, monkeypatch):
    text = path.read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": path.stem}  # one page goes on from block to block
    for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
        exec(compile(block, str(path), "exec"), names)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_in_the_pages(path):
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
        assert (path.parent / link).exists(), link


def test_readme_links_and_commands():
    readme = (ROOT / "README.md").read_text("utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / link).exists(), link
    commands = re.findall(r"^```sh\n(.*?)^```", readme, re.M | re.S)
    assert len(commands) == 2
    assert "pip install" in commands[0] and "superpixel-saliency demo" in commands[0]
    assert "pip install" in commands[1] and "pytest" in commands[1]


def public_names():
    for module in (tss, tss.metrics, tss.plots, tss.demo, tss.distributed):
        for name in sorted(module.__all__):
            if not inspect.ismodule(getattr(module, name)) and name != "__version__":
                yield name


@pytest.mark.parametrize("name", list(public_names()))
def test_every_public_name_is_in_the_reference(name):
    pages = sorted((ROOT / "docs" / "api").glob("*.rst"))
    text = "\n".join(page.read_text("utf-8") for page in pages)
    found = re.findall(
        rf"^\.\. auto(?:class|function|data):: (?:.*\.)?{name}$", text, re.M
    )
    assert len(found) == 1

"""A wrong backend or an old version ends in one sentence, before a heavy import."""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

import pytest

import tf_superpixel_saliency
from tf_superpixel_saliency import requirements

ROOT = pathlib.Path(tf_superpixel_saliency.__file__).parents[1]
PROBE = """
import sys
try:
    import tf_superpixel_saliency
except ImportError as error:
    print(error)
heavy = {"jax", "torch", "tensorflow", "keras"}
print(sorted(heavy & set(sys.modules)))
"""


def import_with(**environment):
    """What an import prints, and which heavy modules it left behind."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KERAS_")}
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**kept, **environment},
    )
    return result.stdout.strip().splitlines()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_ends_in_one_sentence(backend):
    lines = import_with(KERAS_BACKEND=backend)
    assert lines == [
        "tf_superpixel_saliency needs Keras on TensorFlow, but its backend is "
        f"{backend!r}: set KERAS_BACKEND=tensorflow before importing Keras.",
        "[]",
    ]


def test_another_backend_in_keras_settings(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    lines = import_with(KERAS_HOME=str(tmp_path))
    assert "its backend is 'jax'" in lines[0]
    assert lines[1:] == ["[]"]


def test_the_environment_goes_before_the_settings(tmp_path, monkeypatch):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    requirements.check_backend()
    monkeypatch.setenv("KERAS_BACKEND", "")
    with pytest.raises(ImportError, match="'jax'"):
        requirements.check_backend()


@pytest.mark.parametrize(
    "settings", ["{}", '{"floatx": "float32"}', "no json", "[1, 2]", "", None]
)
def test_settings_without_a_backend_mean_tensorflow(tmp_path, monkeypatch, settings):
    if settings is not None:
        (tmp_path / "keras.json").write_text(settings)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    requirements.check_backend()


@pytest.fixture
def installed(monkeypatch):
    """Sets the versions that the metadata tell; None is not installed."""

    def set_versions(**versions):
        def version(name):
            found = versions.get(name, "99.0.0")
            if found is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return found

        monkeypatch.setattr(importlib.metadata, "version", version)

    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return set_versions


@pytest.mark.parametrize(
    "package, version, wanted",
    [
        ("tensorflow", "2.15.1", "2.16"),
        ("tensorflow", "1.15.0", "2.16"),
        ("tensorflow", "2.9.0rc1", "2.16"),
        ("keras", "2.15.0", "3.3"),
        ("keras", "3.2.1", "3.3"),
    ],
)
def test_an_older_version(installed, package, version, wanted):
    installed(**{package: version})
    with pytest.raises(ImportError) as caught:
        requirements.check_backend()
    assert str(caught.value) == (
        f"tf_superpixel_saliency needs {package} {wanted} or newer, but {version} is "
        f"installed: run pip install --upgrade {package}."
    )


@pytest.mark.parametrize(
    "versions",
    [
        {"tensorflow": "2.16.0", "keras": "3.3.0"},
        {"tensorflow": "2.16.0rc0", "keras": "3.10.0.dev2024"},
        {"tensorflow": "2.100.0", "keras": "4.0"},
        {"tensorflow": None},  # tensorflow-cpu, or built at home
        {"tensorflow": "nightly", "keras": "3"},
    ],
)
def test_versions_that_will_do(installed, versions):
    installed(**versions)
    requirements.check_backend()

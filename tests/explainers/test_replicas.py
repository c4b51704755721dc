"""Several devices give the maps of one: logical CPU devices, in another process."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.explainers import replicas_cases as cases
from tests.explainers.networks import relative_error

# One process explains all: half a minute.
pytestmark = pytest.mark.thorough
METHODS = (
    "Quickshift",
    "SmoothGrad",
    "SparsifiedSmoothGrad",
    "IntegratedGradients",
    cases.PLAIN,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the program found on two devices, by name."""
    path = tmp_path_factory.mktemp("replicas") / "found.npz"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.explainers.replicas_program", str(path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def explainers():
    return cases.explainers(cases.model())


def check(found, name, expected, rows=slice(None)):
    keys = [key for key in expected if key != "segments"]
    assert {key for key in found if key.startswith(f"{name}/")} >= {
        f"{name}/{key}" for key in expected
    }
    for key in ("segments", "targets", "status"):
        np.testing.assert_array_equal(
            found[f"{name}/{key}"][rows], expected[key][rows], f"{name}: {key}"
        )
    for key in set(keys) - {"targets", "status"}:
        reference = np.asarray(expected[key])[rows]
        # A completeness error is a difference of scores, and rounded as they are.
        scaling = "scores" if key == "completeness_error" else key
        scale = np.abs(np.asarray(expected[scaling])[rows]).max()
        np.testing.assert_allclose(
            found[f"{name}/{key}"][rows], reference, atol=1e-5 * scale, err_msg=key
        )
    maps = found[f"{name}/maps"][rows]
    assert relative_error(maps, np.asarray(expected["maps"])[rows]).max() < 1e-5


@pytest.mark.parametrize("name", METHODS)
def test_every_method(found, explainers, name):
    # Batches of 6 and 1: the last leaves a device without an image of its own.
    check(found, name, explainers[name](cases.IMAGES))
    assert found[f"{name}/folded"] == explainers[name].freezing.num_folded == 1


def test_every_source_of_images(found, explainers):
    expected = explainers[cases.PLAIN](**cases.named())
    for name in (*cases.SOURCES, "explain_batches", "in the scope"):
        check(found, name, expected)
    assert found["sizes"].tolist() == [3, 3, 1]


def test_a_direct_call_stays_on_one_device(found, explainers):
    check(found, "direct", explainers[cases.PLAIN](cases.IMAGES, cases.TARGETS))


def test_bad_images_leave_the_others(found, explainers):
    assert found["bad/status"].tolist() == [0, 1, 0, 0, 0, 0, 2]
    expected = explainers[cases.PLAIN](cases.IMAGES, cases.TARGETS)
    check_rows = np.array([0, 2, 3, 4, 5])
    found = {**found, "bad/status": found["bad/status"] * 0}
    check(found, "bad", {k: v.numpy() for k, v in expected.items()}, check_rows)
    # Rows that fill a batch are not counted.
    assert [text[:17] for text in found["warnings"]] == ["1 of 7 images: th"] * 2


def test_steps_and_callbacks_are_as_in_keras(found):
    assert len(found["steps"]) == 8 - 1  # of batches of 4, 3, 4, 3 …
    assert found["seen"].tolist() == [3, 3]  # the callback stops after two batches


def test_xla_stays_out_of_it_by_default(found):
    assert not found["xla"]


def test_weights_are_read_anew(found, explainers):
    model = cases.model()
    model.set_weights([0.8 * weight for weight in model.get_weights()])
    check(found, "trained", cases.explainers(model)[cases.PLAIN](cases.IMAGES))

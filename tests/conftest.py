"""What all tests share: a quiet TensorFlow, graphs with and without XLA, examples."""

import collections
import os
import shutil
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from hypothesis import HealthCheck, settings

# HYPOTHESIS_PROFILE=long tries as many more, and others at every run; a run is made
# again with --hypothesis-seed=….
_SHARED = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile("quick", max_examples=25, derandomize=True, **_SHARED)
settings.register_profile("long", max_examples=5000, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# Names the folder of this run, so that its workers and their children share it.
_CACHE = "TSS_TESTS_XLA_CACHE"


def pytest_configure(config):
    """Let the processes of a run share what XLA compiled: SLIC alone takes seconds."""
    if _CACHE in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="tss-tests-xla-")
    flags = os.environ.get("TF_XLA_FLAGS", "")
    os.environ[_CACHE] = folder
    # TensorFlow orders some nodes by hash: without this, equal graphs would not be
    # found again by another process.
    os.environ.setdefault("PYTHONHASHSEED", "0")
    os.environ["TF_XLA_FLAGS"] = (
        f"{flags} --tf_xla_persistent_cache_directory={folder}".strip()
    )
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_addoption(parser):
    parser.addoption(
        "--thorough",
        action="store_true",
        help="all cases of all tests, also those marked thorough",
    )


def pytest_collection_modifyitems(config, items):
    """Leave out what is for --thorough, but where a test is asked for by its name."""
    if config.getoption("--thorough") or any("::" in name for name in config.args):
        return
    cases = collections.defaultdict(list)
    for item in items:
        cases[item.nodeid.partition("[")[0]].append(item)
    kept = {item for same in cases.values() for item in _taken(same)}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _taken(cases):
    """Of the cases of one test those that the default run takes, evenly spread."""
    cases = [case for case in cases if not case.get_closest_marker("thorough")]
    mark = cases and cases[0].get_closest_marker("cases")
    if not mark or len(cases) <= mark.args[0]:
        return cases
    number = mark.args[0]
    step = (len(cases) - 1) / max(number - 1, 1)
    return [cases[round(index * step)] for index in range(number)]


@pytest.fixture(params=[False, True], ids=["graph", "xla"])
def xla(request):
    """Whether XLA compiles the graph."""
    return request.param

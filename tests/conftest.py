"""What all tests share: a quiet TensorFlow, graphs with and without XLA, examples."""

import os

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


@pytest.fixture(params=[False, True], ids=["graph", "xla"])
def xla(request):
    """Whether XLA compiles the graph."""
    return request.param

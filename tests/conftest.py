"""What all tests share: a quiet TensorFlow, and graphs with and without XLA."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest


@pytest.fixture(params=[False, True], ids=["graph", "xla"])
def xla(request):
    """Whether XLA compiles the graph."""
    return request.param

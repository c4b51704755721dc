"""Pure functions on tensors; the lowest level, importing nothing else of ours."""

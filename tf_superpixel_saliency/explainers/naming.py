"""Explainers by name, as in flags and `explain(method="smoothgrad")`."""

from __future__ import annotations

import difflib

from tf_superpixel_saliency import explainers
from tf_superpixel_saliency.superpixels.naming import plain

METHODS = tuple(name for name in explainers.__all__ if name != "Explainer")


def from_text(text: str) -> type:
    """The class of an explainer.

    Args:
        text: its name in any case, hyphens, underscores and blanks left out or not:
            `SmoothGrad`, `smooth-grad`, `integrated_gradients`, `gradcam`.

    Raises:
        ValueError: an unknown name.
    """
    known = {plain(name): name for name in METHODS}
    if plain(text) not in known:
        near = difflib.get_close_matches(plain(text), known, 1)
        hint = f" Did you mean {known[near[0]]!r}?" if near else ""
        raise ValueError(
            f"No method is called {text!r}.{hint} There are: {', '.join(METHODS)}."
        )
    return getattr(explainers, known[plain(text)])

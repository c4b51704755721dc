"""Explainers by name, as in flags and `explain(method="smoothgrad")`."""

from __future__ import annotations

from tf_superpixel_saliency import explainers
from tf_superpixel_saliency.superpixels.naming import nearest, plain

METHODS = tuple(name for name in explainers.__all__ if name != "Explainer")


def from_text(text: str) -> type:
    """The class of an explainer.

    Args:
        text: its name, in any spelling that `full_name` reads.

    Raises:
        ValueError: an unknown name.
    """
    return getattr(explainers, full_name(text))


def full_name(text: str, known=METHODS, kind: str = "method") -> str:
    """A method's name as its class is called.

    Args:
        text: the name in any case, hyphens, underscores and blanks left out or not:
            `SmoothGrad`, `smooth-grad`, `integrated_gradients`, `gradcam`.
        known: the names to choose from.
        kind: what they are, for the error.

    Raises:
        ValueError: an unknown name.
    """
    for name in known:
        if plain(name) == plain(text):
            return name
    raise ValueError(
        f"No {kind} is called {text!r}.{nearest(text, known)} There are: "
        f"{', '.join(known)}."
    )

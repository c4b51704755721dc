"""The gradient methods to compare, each by its paper's usual settings."""

from __future__ import annotations

from typing import NamedTuple

from tf_superpixel_saliency import explainers


class Method(NamedTuple):
    """A method with its settings.

    Attributes:
        name: of the explainer's class.
        settings: its arguments besides the model, the super-pixels and the seed.
        seeded: whether it draws noise.
    """

    name: str
    settings: dict
    seeded: bool

    def explainer(self, model, seed: int = 0, **further):
        """An explainer of ungrouped maps for a model."""
        settings = {**self.settings, **further}
        if self.seeded:
            settings["seed"] = seed
        return getattr(explainers, self.name)(model, **settings)


def gradient_methods(
    names=None, num_samples: int = 50, noise_level: float = 0.15, num_steps: int = 50
) -> list[Method]:
    """The paper's four methods, or those of them that are named.

    Sparsified SmoothGrad groups last, so that its ungrouped map can be grouped by
    any partition, and by chance as well.

    Raises:
        ValueError: an unknown name.
    """
    noise = {"num_samples": num_samples, "noise_level": noise_level}
    known = {
        "SimpleGradient": Method("SimpleGradient", {}, False),
        "SmoothGrad": Method("SmoothGrad", noise, True),
        "SparsifiedSmoothGrad": Method(
            "SparsifiedSmoothGrad", {**noise, "order": "group_last"}, True
        ),
        "IntegratedGradients": Method(
            "IntegratedGradients", {"num_steps": num_steps}, False
        ),
    }
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ValueError(
            f"No gradient method is called {unknown[0]!r}. There are: "
            f"{', '.join(known)}."
        )
    return [known[name] for name in (names or known)]

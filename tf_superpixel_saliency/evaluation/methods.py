"""The methods to compare, each by its paper's usual settings."""

from __future__ import annotations

from typing import NamedTuple

from tf_superpixel_saliency import explainers
from tf_superpixel_saliency.explainers.naming import full_name
from tf_superpixel_saliency.superpixels import naming

GRADIENT_METHODS = (
    "SimpleGradient",
    "SmoothGrad",
    "SparsifiedSmoothGrad",
    "IntegratedGradients",
)


class Method(NamedTuple):
    """A method with its settings.

    Attributes:
        name: of the explainer's class.
        settings: its arguments besides the model and the seed, as JSON holds them;
            super-pixels by name, as `superpixels.naming` reads them.
        seeded: whether it draws noise, masks or samples.
    """

    name: str
    settings: dict
    seeded: bool

    def explainer(self, model, seed: int = 0, **further):
        """An explainer for a model; a gradient method's maps are not grouped."""
        settings = {**self.settings, **further}
        if "superpixels" in settings:
            settings["superpixels"] = _layers(settings["superpixels"])
        if self.seeded:
            settings["seed"] = seed
        return getattr(explainers, self.name)(model, **settings)


def gradient_methods(
    names=None,
    num_samples: int = 50,
    noise_level: float = 0.15,
    num_steps: int = 50,
    **common,
) -> list[Method]:
    """The paper's four methods, or those of them that are named.

    As the papers have them: each sample with noise of its own, IntegratedGradients at
    even midpoints. Sparsified SmoothGrad groups last, so that its ungrouped map can be
    grouped by any partition, and by chance as well.

    Args:
        names: of `GRADIENT_METHODS`, None for all.
        num_samples, noise_level: of SmoothGrad and SparsifiedSmoothGrad.
        num_steps: of IntegratedGradients.
        **common: settings of all of them, such as `score`.

    Raises:
        ValueError: an unknown name.
    """
    noise = {
        "num_samples": num_samples,
        "noise_level": noise_level,
        "antithetic": False,
        **common,
    }
    steps = {"num_steps": num_steps, "quadrature": "midpoint", **common}
    known = {
        "SimpleGradient": Method("SimpleGradient", {**common}, False),
        "SmoothGrad": Method("SmoothGrad", noise, True),
        "SparsifiedSmoothGrad": Method(
            "SparsifiedSmoothGrad", {**noise, "order": "group_last"}, True
        ),
        "IntegratedGradients": Method("IntegratedGradients", steps, False),
    }
    return _named("gradient method", names, known)


# XRAI's six scales of regions for photos are its own; these are for 32×32 images, in
# which its smallest region of 150 pixels would be a seventh of all.
_SMALL_REGIONS = tuple(
    f"Felzenszwalb:scale={scale},sigma=0.5,min_size={size}"
    for scale, size in ((10, 8), (25, 12), (50, 20), (100, 40))
)


def region_methods(
    names=None, num_samples: int = 1000, num_masks: int = 1000, small: bool = False
) -> list[Method]:
    """The methods of regions to compare with, or those of them that are named.

    Args:
        names: of "GradCAM", "ScoreCAM", "LIME", "RISE" and "XRAI".
        num_samples: of LIME.
        num_masks: of RISE.
        small: for images of about 32×32 pixels: LIME on SLIC with 100 segments and
            at most 300 samples, XRAI on finer regions. Otherwise both on their own
            defaults.

    Raises:
        ValueError: an unknown name.
    """
    lime, xrai = {"num_samples": num_samples}, {}
    if small:
        # Three samples a segment, where a photo's 40 segments have 25.
        lime = {"num_samples": min(num_samples, 300)}
        lime["superpixels"] = "SLIC:n_segments=100"
        xrai["superpixels"] = _SMALL_REGIONS
    known = {
        "GradCAM": Method("GradCAM", {}, False),
        "ScoreCAM": Method("ScoreCAM", {}, False),
        "LIME": Method("LIME", lime, True),
        "RISE": Method("RISE", {"num_masks": num_masks}, True),
        "XRAI": Method("XRAI", xrai, False),
    }
    return _named("region method", names, known)


def _named(kind, names, known):
    return [known[full_name(name, tuple(known), kind)] for name in (names or known)]


def _layers(given):
    if isinstance(given, str):
        return naming.from_text(given)
    return [naming.from_text(text) for text in given]

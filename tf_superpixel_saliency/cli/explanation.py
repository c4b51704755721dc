"""What the command explains photos with: a method with super-pixels and without."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency import explainers, mapping
from tf_superpixel_saliency.cli import provenance
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.superpixels import naming
from tf_superpixel_saliency.superpixels.choice import (
    SuperpixelChoice,
    usual_candidates,
)
from tf_superpixel_saliency.version import __version__


class Explanation:
    """A method with super-pixels, and beside it the same method without.

    Where averaging in groups is the method's last step, the pixel map is made once
    and grouped; otherwise both are made.

    Args:
        loaded: a `LoadedModel`.
        arguments: the command's flags.
        **further: settings that results depend on besides.

    Attributes:
        settings: all settings, as JSON holds them.
        made_by: digests of the model and of what results depend on, and versions.
    """

    def __init__(self, loaded, arguments, **further):
        value_range = tuple(arguments.value_range)
        try:
            self.superpixels = superpixels_of(arguments, loaded.size)
            method = getattr(explainers, arguments.method)
            settings = method_settings(arguments)
            self.pixel = method(loaded.model, **settings)
            self.weights = arguments.group_weights
            self.grouped = None
            dynamic = arguments.partition == "dynamic"
            dynamic &= arguments.method != "SimpleGradient"
            if dynamic or isinstance(self.superpixels, SuperpixelChoice):
                self.grouped = method(
                    loaded.model,
                    self.superpixels,
                    partition=arguments.partition,
                    weights=self.weights,
                    **settings,
                )
        except (TypeError, ValueError) as error:
            raise CommandError(str(error)) from None
        self.settings = {
            "model": arguments.model,
            "method": arguments.method,
            "superpixels": type(self.superpixels).__name__,
            "superpixel_settings": _plain_config(self.superpixels),
            "partition": arguments.partition,
            "weights": self.weights,
            **settings,
            "value_range": value_range,
            "target": arguments.target,
            "size": loaded.size,
            "squeeze": arguments.squeeze,
            "percentile": arguments.percentile,
            "top": arguments.top,
            "min_area": arguments.min_area,
            **further,
            "version": __version__,
        }
        # A model is known by its digest: its name is a path of one machine.
        told = {key: value for key, value in self.settings.items() if key != "model"}
        self.made_by = provenance.made_by(told, loaded.digest)

    def __call__(self, images, target) -> dict:
        """Outputs of a batch as NumPy arrays, with "pixel_maps" among them."""
        out = _arrays(self.pixel(images, targets=target))
        pixel_maps = out["maps"]
        if self.grouped is not None:
            out = _arrays(self.grouped(images, targets=target))
        else:
            self.superpixels.check_range(images)
            out["segments"] = self.superpixels(images).numpy()
            out["maps"] = mapping.group_map(pixel_maps, out["segments"], self.weights)
            out["heatmaps"] = np.abs(out["maps"]).sum(axis=-1)
        return {**out, "pixel_maps": pixel_maps}


def superpixels_of(arguments, side):
    """The layer that `--superpixels` names, for images of that side.

    Raises:
        ValueError: an unknown name or setting.
    """
    value_range = tuple(arguments.value_range)
    if naming.plain(arguments.superpixels) == "auto":
        return SuperpixelChoice(usual_candidates(side, value_range))
    return naming.from_text(arguments.superpixels, value_range=value_range)


def method_settings(arguments) -> dict:
    """What the flags say of the score, and the settings of `--method` among them."""
    noise = {
        "num_samples": arguments.num_samples,
        "noise_level": arguments.noise_level,
        "seed": arguments.seed,
        "tolerance": arguments.tolerance,
    }
    steps = {"num_steps": arguments.num_steps, "tolerance": arguments.tolerance}
    own = {
        "SimpleGradient": {},
        "SmoothGrad": noise,
        "SparsifiedSmoothGrad": noise,
        "IntegratedGradients": steps,
    }[arguments.method]
    return {"score": arguments.score, "model_output": arguments.model_output, **own}


def _plain_config(layer):
    config = layer.get_config()
    skipped = ("name", "trainable", "dtype", "value_range")
    return {key: value for key, value in config.items() if key not in skipped}


def _arrays(out):
    return {key: value.numpy() for key, value in out.items()}

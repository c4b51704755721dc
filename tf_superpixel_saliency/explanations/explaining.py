"""From images and what was told to an explanation."""

from __future__ import annotations

import numpy as np

from tf_superpixel_saliency.explainers import sources
from tf_superpixel_saliency.explanations import configuration
from tf_superpixel_saliency.explanations.class_names import checked_names
from tf_superpixel_saliency.explanations.explanation import Explanation
from tf_superpixel_saliency.ops import checks
from tf_superpixel_saliency.superpixels.base import checked_range


def told_range(value_range):
    """(low, high), or None where nobody told it; a ValueError for no range."""
    return None if value_range is None else checked_range(value_range, "explain")


def explained(model, cache, how, images, given, class_names, batch_size) -> Explanation:
    """Explain images at hand by the explainer that was told.

    Args:
        model: what is explained.
        cache: an `ExplainerCache` of it.
        how: method, super-pixels, range of values and settings.
        images: (N, H, W, C), or a dictionary, as for an explainer.
        given: `targets`, `segments` and `inputs`, None where they aren't.
        class_names: for pictures.
        batch_size: images that go through the model at once.

    Raises:
        ValueError, TypeError: as `Explainable.explain`.
    """
    how = how._replace(value_range=told_range(how.value_range))
    class_names = checked_names(class_names)
    batch_size = checks.checked_count("batch_size", batch_size)
    images, targets, segments, inputs = sources.unpack(images, **given)
    shape = checks.checked_images(_at_hand(images)).shape
    grouped = segments is not None
    explainer = configuration.find_explainer(
        cache, model, how, min(shape[1:3]), grouped
    )
    # All of them, before the first is explained.
    checked = explainer._checked(images, targets, segments, inputs)
    parts = list(explainer.explain_batches(checked, batch_size))
    out = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    for array in out.values():
        array.setflags(write=False)  # nobody else has them: no copy is needed
    value_range = how.value_range
    told = not (grouped and configuration.is_default(how.superpixels))
    if value_range is None and told and explainer.superpixels is not None:
        value_range = explainer.superpixels.value_range
    found = Explanation(checked["images"], out, value_range, class_names, explainer)
    if grouped:
        found.settings["superpixels"] = "segments"
    return found


def _at_hand(images):
    """Refuse datasets by what to do with them; the rest is checked as an array."""
    array = sources.is_array(images) or hasattr(images, "__array__")
    if not array and hasattr(images, "__iter__") and not isinstance(images, str):
        raise TypeError(
            "explain takes images at hand, an array (N, H, W, C), but got "
            f"{type(images).__name__}. For datasets and generators make an explainer, "
            "as in SmoothGrad(model, superpixels=Quickshift()), which has predict and "
            "explain_batches."
        )
    return images

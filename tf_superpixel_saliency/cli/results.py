"""Writing one photo's results: each file whole or not at all."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.evaluation.storage import whole_file
from tf_superpixel_saliency.evaluation.writers import only_writer
from tf_superpixel_saliency.ops import checks


def made_folder(text: str) -> pathlib.Path:
    """The folder for the results, made where it isn't there.

    Raises:
        CommandError: it can't be made or written to.
    """
    folder = pathlib.Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / ".writable") as path:
            path.write_text("")
        (folder / ".writable").unlink()
    except OSError as error:
        raise CommandError(f"can't write to --output {text!r}: {error}.") from None
    return folder


@contextlib.contextmanager
def own_folder(text: str) -> Iterator[pathlib.Path]:
    """The folder for the results, written to by this process alone.

    Raises:
        CommandError: as `made_folder`, or another process writes to it.
    """
    folder = made_folder(text)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_writer(folder))
        except BlockingIOError:
            raise CommandError(
                f"another run writes to --output {text!r}. Wait for it, or give this "
                "one a folder of its own."
            ) from None
        yield folder


def write(folder, name, file, photo, one, explanation, names, arguments) -> dict:
    """Write NAME.png and NAME.npz.

    Args:
        folder: where to.
        name: of the files, without ending.
        file: the photo's own name.
        photo: (H, W, C) float32 in the explanation's value range.
        one: one image's outputs: "maps", "heatmaps", "segments", "pixel_maps", …
        explanation: what made them, an `Explanation`.
        names: class index → name.
        arguments: the command's: `top`, `min_area` and `percentile`.

    Returns:
        The summary's line. Numbers that are not finite are None in it.

    Raises:
        OSError: a file can't be written.
    """
    label, score = names(int(one["targets"])), float(one["scores"])
    ranking = {"k": arguments.top, "min_area": arguments.min_area}
    with whole_file(folder / f"{name}.png") as path:
        figure = plots.new_figure()
        plots.plot_explanation(
            photo,
            np.abs(one["pixel_maps"]).sum(axis=-1),
            one["heatmaps"],
            one["segments"],
            f"{label}, {score:.2f}",
            **ranking,
            percentile=arguments.percentile,
            value_range=explanation.settings["value_range"],
            figure=figure,
        )
        figure.savefig(path, format="png")
    about = {"settings": explanation.settings, "made_by": explanation.made_by}
    with whole_file(folder / f"{name}.npz") as path, open(path, "wb") as target:
        text = np.array(json.dumps(about))
        np.savez_compressed(target, images=photo, **one, about=text)
    line = {
        "file": str(file),
        "class": int(one["targets"]),
        "class_name": label,
        "score": score,
        "status": checks.describe_status(one["status"]),
        "picture": f"{name}.png",
        "arrays": f"{name}.npz",
        "num_groups": int(one["segments"].max()) + 1,
        "top_groups": plots.top_groups(one["heatmaps"], one["segments"], **ranking),
        **about,
    }
    return _without_nan(line)


def _without_nan(value):
    """JSON has no word for what is no number."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value

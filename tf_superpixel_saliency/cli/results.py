"""Writing one photo's results: each file whole or not at all."""

from __future__ import annotations

import json
import pathlib

import numpy as np

from tf_superpixel_saliency import plots
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.evaluation.storage import whole_file
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


def output_folder(text: str) -> pathlib.Path:
    """The folder for an explanation's results, with an empty summary.jsonl.

    Raises:
        CommandError: as `made_folder`.
    """
    folder = made_folder(text)
    with whole_file(folder / "summary.jsonl") as path:
        path.write_text("")
    return folder


def write(folder, name, file, photo, one, explanation, names, arguments) -> dict:
    """Write NAME.png and NAME.npz and append a line to summary.jsonl.

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
        The summary's line.
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
    with whole_file(folder / f"{name}.npz") as path, open(path, "wb") as target:
        np.savez_compressed(target, images=photo, **one)
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
        "settings": explanation.settings,
    }
    with open(folder / "summary.jsonl", "a", encoding="utf-8") as target:
        target.write(json.dumps(line, ensure_ascii=False) + "\n")
    return line

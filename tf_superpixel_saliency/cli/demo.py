"""`superpixel-saliency demo`: all methods on scikit-image's photos, offline."""

from __future__ import annotations

import argparse
import json

from tqdm.auto import tqdm

from tf_superpixel_saliency import demo, plots
from tf_superpixel_saliency.cli import models, results
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.explanation import Explanation
from tf_superpixel_saliency.cli.models import LoadedModel
from tf_superpixel_saliency.evaluation.methods import GRADIENT_METHODS

_MAIN = "SmoothGrad"


def run(arguments) -> int:
    """Write a picture for each photo, and one of all methods beside each other."""
    try:
        model = demo.load_model()
    except ImportError as error:
        raise CommandError(str(error)) from None
    names, photos = demo.load_photos()
    digest = models.digest_of("demo", model)
    loaded = LoadedModel(model, photos.shape[1], 3, True, digest)
    with results.own_folder(arguments.output) as folder:
        lines = _explain(arguments, loaded, names, photos, folder)
    _report(lines, folder)
    return 0


def _explain(arguments, loaded, names, photos, folder):
    """Write everything; returns the lines of the summary."""
    maps = {}
    for method in tqdm(GRADIENT_METHODS, unit="method", disable=arguments.quiet):
        explanation = Explanation(loaded, _settings(arguments, method))
        out = explanation(photos, -1)
        maps[method] = {"pixel": out["pixel_maps"], "super-pixel": out["maps"]}
        if method == _MAIN:
            lines = [
                results.write(
                    folder,
                    name,
                    f"skimage.data.{name}",
                    photos[row],
                    {key: value[row] for key, value in out.items()},
                    explanation,
                    demo.class_name,
                    arguments,
                )
                for row, name in enumerate(names)
            ]
    with results.whole_file(folder / "methods.png") as path:
        figure = plots.new_figure()
        plots.plot_grid(
            photos,
            maps,
            row_labels=names,
            percentile=arguments.percentile,
            figure=figure,
        )
        figure.savefig(path, format="png")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    with results.whole_file(folder / "summary.jsonl") as path:
        path.write_text(text, encoding="utf-8")
    return lines


def _settings(arguments, method):
    return argparse.Namespace(
        **{**vars(arguments), "method": method},
        model="demo",
        superpixels="Quickshift",
        partition="static",
        group_weights="mean",
        score="probability",
        model_output="auto",
        value_range=(0.0, 255.0),
        target=-1,
        squeeze=False,
    )


def _report(lines, folder):
    print(f"{'photo':<12} {'class':<24} {'probability':>11} {'groups':>7}")
    for line in lines:
        name = line["picture"].removesuffix(".png")
        print(
            f"{name:<12} {line['class_name']:<24} {line['score']:>11.2f} "
            f"{line['num_groups']:>7}"
        )
    print(f"Pictures in {folder}: one a photo, and methods.png with all four methods.")

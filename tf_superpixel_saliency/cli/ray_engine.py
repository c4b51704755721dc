"""`superpixel-saliency explain --engine ray`: many photos on several processes."""

from __future__ import annotations

import argparse
import pathlib
import sys

from tf_superpixel_saliency import distributed
from tf_superpixel_saliency.cli import explain, flags, models
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.cli.export import explainer_of
from tf_superpixel_saliency.explainers.settings import plain, settings

ENGINES = ("none", "ray")
_SHOWN = 20


def add_flags(parser) -> None:
    """What `explain` is told of Ray."""
    group = parser.add_argument_group("many photos")
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default="none",
        help="ray: explain folders, Parquet files or TFRecords on all processors or on "
        "a cluster, and write Parquet files in place of pictures; needs the extra ray",
    )
    group.add_argument(
        "--address",
        help="of a Ray cluster, such as head:6379, or auto on one of its machines, all "
        "of which see the photos, the model and --output under the same paths "
        "(default: one is started here and ended)",
    )
    group.add_argument(
        "--num-workers",
        type=flags.positive,
        metavar="N",
        help="processes that explain (default: one a processor of the cluster)",
    )
    group.add_argument(
        "--images-per-shard",
        type=flags.positive,
        default=64,
        metavar="N",
        help="images of a result file, which a killed worker's successor explains "
        "again (default: %(default)s)",
    )
    group.add_argument(
        "--image-column",
        metavar="NAME",
        help="column of a Parquet file, or feature of TFRecords, with the bytes of "
        "image files (default: image, image/encoded)",
    )
    group.add_argument(
        "--key-column",
        metavar="NAME",
        help="the same with the images' keys (default: file:number)",
    )


def run(arguments) -> int:
    """`explain` on the engine that was asked for; returns the exit status."""
    if arguments.engine == "none":
        return explain.run(arguments)
    loaded = models.load_model(arguments)
    try:
        summary = distributed.explain_dataset(
            arguments.paths,
            arguments.output,
            ExplainerOf(arguments),
            target=arguments.target,
            size=loaded.size,
            channels=loaded.channels,
            squeeze=arguments.squeeze,
            value_range=arguments.value_range,
            image_column=arguments.image_column,
            key_column=arguments.key_column,
            images_per_shard=arguments.images_per_shard,
            batch_size=arguments.batch_size,
            max_pixels=arguments.max_pixels,
            address=arguments.address,
            num_workers=arguments.num_workers,
            settings_told=_told(loaded, arguments),
            verbose=not arguments.quiet,
        )
    except (ImportError, TypeError, ValueError, RuntimeError, OSError) as error:
        raise CommandError(str(error)) from None
    return _report(summary)


class ExplainerOf:
    """Makes the explainer that the flags describe, in whichever process it is called.

    Args:
        arguments: the command's.
    """

    def __init__(self, arguments):
        kept = {key: value for key, value in vars(arguments).items() if key != "run"}
        self.arguments = argparse.Namespace(**kept)
        if pathlib.Path(arguments.model).exists():
            # Workers have folders of their own to work in.
            self.arguments.model = str(pathlib.Path(arguments.model).resolve())

    def __call__(self):
        model = models.load_model(self.arguments).model
        return explainer_of(model, self.arguments)


def _told(loaded, arguments):
    explainer = explainer_of(loaded.model, arguments)
    return {
        "method": arguments.method,
        "superpixels": plain(explainer.superpixels),
        **settings(explainer),
        "model_sha256": loaded.digest,
    }


def _report(summary):
    found = f", {summary.found} of them before" if summary.found else ""
    print(
        f"{summary.explained} of {summary.images} photos explained{found}, results in "
        f"{summary.output}"
    )
    for number, (key, reason) in enumerate(summary.failed.items()):
        if number == _SHOWN:
            more = len(summary.failed) - _SHOWN
            print(f"and {more} more: their rows have the reason", file=sys.stderr)
            break
        print(f"failed: {key}: {reason}", file=sys.stderr)
    return 1 if summary.failed else 0

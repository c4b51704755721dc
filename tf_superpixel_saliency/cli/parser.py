"""Flags and help of the command."""

from __future__ import annotations

import argparse
import sys

from tf_superpixel_saliency.cli import (
    demo,
    flags,
    ray_engine,
    serving_flags,
    study_flags,
)
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.version import __version__

_DESCRIPTION = """\
Which regions of a photo made a Keras classifier decide? Gradient saliency maps,
averaged inside super-pixels, so that they are stable from training to training.
"""

_DEMO = """\
Explain scikit-image's own photos with EfficientNet-Lite0, offline, with all four
methods. Needs the demo extra: pip install "tf-superpixel-saliency[demo]".
"""

_EXPLAIN = """\
Explain the predicted class (or --target) of photos. For each photo NAME it writes
  NAME.png       photo, pixel map, super-pixel map, the highest groups outlined
  NAME.npz       maps, heatmaps, segments, pixel_maps, images, targets, scores, status,
                 and about: the settings, digests and versions that made them, as JSON
  summary.jsonl  a line a photo: class, score, its highest groups, what made them
Each file is written whole or not at all. The same command run again goes on where a
killed one ended; photos that are finished, with these settings and this model, are
skipped.
"""

_EXAMPLES = """\
examples:
  superpixel-saliency explain cat.jpg
  superpixel-saliency explain photos/ --method IntegratedGradients --num-steps 100
  superpixel-saliency explain 'shots/*.png' --model my_model.keras --value-range 0 1
  superpixel-saliency explain cat.jpg --model MobileNetV2 --superpixels slic
  superpixel-saliency explain cat.jpg --superpixels Quickshift:kernel_size=3,max_dist=6
  superpixel-saliency explain photos/ --engine ray --output maps

The exit status is 0 if all photos were explained, 1 if any failed, 2 for a wrong flag.
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command's parser."""
    parser = argparse.ArgumentParser(
        prog="superpixel-saliency",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_explain(commands)
    serving_flags.add_export(commands)
    study_flags.add_evaluate(commands)
    study_flags.add_reproduce(commands)
    study_flags.add_train(commands)
    return parser


def _add_demo(commands):
    parser = commands.add_parser(
        "demo",
        help="explain scikit-image's own photos with a demo model, offline",
        description=_DEMO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="superpixel-saliency-demo",
        help="folder for the results (default: %(default)s)",
    )
    flags.add_method_settings(parser)
    flags.add_pictures(parser)
    parser.set_defaults(run=demo.run)


def _add_explain(commands):
    parser = commands.add_parser(
        "explain",
        help="explain photos of your own",
        description=_EXPLAIN,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="image files, folders (searched through) or globs",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        default="explanations",
        help="folder for the results (default: %(default)s); results of a photo with "
        "other settings are replaced",
    )
    flags.add_model(parser)
    flags.add_method(parser)
    parser.add_argument(
        "--target",
        type=int,
        default=-1,
        metavar="CLASS",
        help="index of the class to explain in all photos (default: the predicted one)",
    )
    flags.add_method_settings(parser)
    flags.add_pictures(parser)
    parser.add_argument(
        "--batch-size",
        type=flags.positive,
        default=1,
        help="photos that go through the model together (default: %(default)s: then "
        "a photo's map has the same bits whatever photos are beside it)",
    )
    flags.add_photo_limit(parser)
    ray_engine.add_flags(parser)
    parser.set_defaults(run=ray_engine.run)


def main(argv=None) -> int:
    """Run the command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):  # a file name may be no text at all
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    arguments = build_parser().parse_args(argv)
    arguments.typed = argv
    try:
        return arguments.run(arguments)
    except CommandError as error:
        print(f"superpixel-saliency: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("superpixel-saliency: interrupted", file=sys.stderr)
        return 130

"""Flags and help of the command."""

from __future__ import annotations

import argparse
import sys

from tf_superpixel_saliency.cli import demo, explain, study_flags
from tf_superpixel_saliency.cli.errors import CommandError
from tf_superpixel_saliency.evaluation.methods import GRADIENT_METHODS
from tf_superpixel_saliency.ops import reductions
from tf_superpixel_saliency.superpixels.naming import plain
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
  NAME.npz       maps, heatmaps, segments, pixel_maps, images, targets, scores, status
  summary.jsonl  a line a photo: class, score, settings, its highest groups
"""

_EXAMPLES = """\
examples:
  superpixel-saliency explain cat.jpg
  superpixel-saliency explain photos/ --method IntegratedGradients --num-steps 100
  superpixel-saliency explain 'shots/*.png' --model my_model.keras --value-range 0 1
  superpixel-saliency explain cat.jpg --model MobileNetV2 --superpixels slic
  superpixel-saliency explain cat.jpg --superpixels Quickshift:kernel_size=3,max_dist=6

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
    study_flags.add_evaluate(commands, _add_model, _positive)
    study_flags.add_reproduce(commands, _positive)
    study_flags.add_train(commands, _positive)
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
    _add_method_settings(parser)
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
        help="folder for the results (default: %(default)s); files of the same name "
        "are replaced",
    )
    _add_model(parser)
    parser.add_argument(
        "--method",
        choices=GRADIENT_METHODS,
        type=_method_name,
        default="SmoothGrad",
        metavar="METHOD",
        help=f"one of {', '.join(GRADIENT_METHODS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--superpixels",
        default="Quickshift",
        metavar="NAME[:SETTING=VALUE,…]",
        help="Quickshift (default), SLIC, Felzenszwalb, CompactWatershed, SquareGrid "
        "or RandomPartition, with the settings of the class of that name",
    )
    parser.add_argument(
        "--partition",
        choices=("static", "dynamic"),
        default="static",
        help="segment the photo once, or every noisy or interpolated copy anew",
    )
    parser.add_argument(
        "--target",
        type=int,
        default=-1,
        metavar="CLASS",
        help="index of the class to explain in all photos (default: the predicted one)",
    )
    _add_method_settings(parser)
    parser.add_argument(
        "--batch-size", type=_positive, default=8, help="default: %(default)s"
    )
    parser.set_defaults(run=explain.run)


def _add_model(parser, several=False):
    group = parser.add_argument_group("the model")
    group.add_argument(
        "--model",
        **({"action": "append"} if several else {"default": "demo"}),
        help="demo (EfficientNet-Lite0), demo:efficientnet-lite1, a .keras file, a "
        "SavedModel folder or a name in keras.applications such as MobileNetV2 "
        "(default: demo)" + (", twice for two models" if several else ""),
    )
    group.add_argument(
        "--weights",
        default="imagenet",
        help="for keras.applications: imagenet (which Keras downloads), random, or a "
        "weights file (default: %(default)s)",
    )
    group.add_argument(
        "--trust-savedmodel",
        action="store_true",
        help="load a SavedModel although it is a program that can do anything",
    )
    group.add_argument(
        "--score",
        choices=("probability", "logit"),
        default="probability",
        help="what to explain (default: %(default)s)",
    )
    group.add_argument(
        "--model-output",
        choices=("auto", "probability", "logit"),
        default="auto",
        help="what the model returns, where it can't be found out (default: auto)",
    )
    group.add_argument(
        "--value-range",
        nargs=2,
        type=float,
        default=(0.0, 255.0),
        metavar=("LOW", "HIGH"),
        help="pixel values that the model takes: photos are scaled to them "
        "(default: 0 255)",
    )
    group.add_argument(
        "--size",
        type=_positive,
        help="side of the square that photos are cropped and resized to (default: the "
        "model's input, 224 where it takes any)",
    )
    group.add_argument(
        "--squeeze",
        action="store_true",
        help="squeeze the whole photo into the square, in place of its central part",
    )
    if not several:  # a study names no classes
        group.add_argument(
            "--class-names",
            metavar="FILE",
            help="text file, the name of a class a line",
        )


def _add_method_settings(parser):
    group = parser.add_argument_group("the method and its pictures")
    group.add_argument(
        "--num-samples",
        type=_positive,
        default=50,
        help="noisy copies, for SmoothGrad and SparsifiedSmoothGrad "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--noise-level",
        type=float,
        default=0.15,
        help="standard deviation of the noise as a fraction of the photo's own "
        "max − min (default: %(default)s)",
    )
    group.add_argument(
        "--num-steps",
        type=_positive,
        default=50,
        help="gradients along the path, for IntegratedGradients (default: %(default)s)",
    )
    group.add_argument(
        "--seed", type=int, default=0, help="of the noise (default: %(default)s)"
    )
    group.add_argument(
        "--percentile",
        type=_percentile,
        default=99.0,
        help="where the pictures cut off the highest values (default: %(default)s)",
    )
    group.add_argument(
        "--top",
        type=_positive,
        default=10,
        metavar="K",
        help="highest groups to outline and to list (default: %(default)s)",
    )
    group.add_argument(
        "--min-area",
        type=_positive,
        default=1,
        metavar="PIXELS",
        help="leave smaller groups out of those: the means of slivers scatter most "
        "(default: %(default)s)",
    )
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def _method_name(text):
    """A method's name in any case, hyphens allowed."""
    return next((name for name in GRADIENT_METHODS if plain(name) == plain(text)), text)


def _percentile(text):
    value = float(text)
    try:
        reductions.check_percentile(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but got {value}")
    return value


def main(argv=None) -> int:
    """Run the command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
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

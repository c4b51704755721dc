"""Flags of the command that writes a SavedModel for a server: export."""

from __future__ import annotations

import argparse

from tf_superpixel_saliency.cli import export, flags

_EXPORT = """\
Write a model with its explanations as a SavedModel for TensorFlow Serving. It needs
TensorFlow alone. DIR/1 (or the next free number) answers to
  serving_default       the model's own inputs
  explain               images, targets (-1: the predicted class) -> heatmaps, segments,
                        scores, targets, status
  explain_maps          the same -> the signed map of each channel, too
  explain_image_bytes   photo files, targets -> the same as explain
  metadata              keys -> settings, digests and versions as JSON
"""

_EXAMPLES = """\
examples:
  superpixel-saliency export --output served/lite0
  superpixel-saliency export --model my_model.keras --method SimpleGradient \\
      --superpixels slic --value-range 0 1 --output served/mine --warm-up 1 8
  tensorflow_model_server --rest_api_port=8501 --model_name=mine \\
      --model_base_path="$PWD/served/mine"
"""


def add_export(commands) -> None:
    """The command `export`."""
    parser = commands.add_parser(
        "export",
        help="write a SavedModel that a server explains with",
        description=_EXPORT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        required=True,
        help="the model's folder, in which a numbered one is made",
    )
    parser.add_argument(
        "--version-number",
        type=flags.positive,
        metavar="N",
        help="number of the new folder (default: the next free one)",
    )
    parser.add_argument(
        "--warm-up",
        type=flags.positive,
        nargs="*",
        default=[1],
        metavar="N",
        help="batch sizes of requests that the server answers while it loads "
        "(default: 1; no number: no requests)",
    )
    parser.add_argument(
        "--segments",
        choices=("superpixels", "input"),
        default="superpixels",
        help="who makes the segments: the SavedModel (default), or the caller, who "
        "sends them; then there is no explain_image_bytes",
    )
    parser.add_argument(
        "--no-image-bytes",
        action="store_true",
        help="leave explain_image_bytes out",
    )
    flags.add_model(parser, class_names=False)
    flags.add_method(parser)
    flags.add_method_settings(parser)
    parser.set_defaults(run=export.run)

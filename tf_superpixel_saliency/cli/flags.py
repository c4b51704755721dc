"""Flags that several commands share: the model, the method, its pictures."""

from __future__ import annotations

import argparse

from tf_superpixel_saliency import image_files
from tf_superpixel_saliency.evaluation.methods import GRADIENT_METHODS
from tf_superpixel_saliency.explainers.naming import full_name
from tf_superpixel_saliency.ops import groups, reductions


def add_model(parser, several=False, class_names=True) -> None:
    """Which model, and what photos become for it.

    Args:
        parser: the command's.
        several: whether --model may be given twice.
        class_names: whether the command says names of classes.
    """
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
        type=positive,
        help="side of the square that photos are cropped and resized to (default: the "
        "model's input, 224 where it takes any)",
    )
    group.add_argument(
        "--squeeze",
        action="store_true",
        help="squeeze the whole photo into the square, in place of its central part",
    )
    if class_names:
        group.add_argument(
            "--class-names",
            metavar="FILE",
            help="text file, the name of a class a line",
        )


def add_photo_limit(parser) -> None:
    """The largest photo."""
    parser.add_argument(
        "--max-pixels",
        type=positive,
        default=image_files.MAX_PIXELS,
        metavar="PIXELS",
        help="largest photo that is read, width × height: a small file can hold a huge "
        "image (default: %(default)s)",
    )


def add_method(parser) -> None:
    """Which method, on which super-pixels."""
    parser.add_argument(
        "--method",
        choices=GRADIENT_METHODS,
        type=method_name,
        default="SmoothGrad",
        metavar="METHOD",
        help=f"one of {', '.join(GRADIENT_METHODS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--superpixels",
        default="Quickshift",
        metavar="NAME[:SETTING=VALUE,…]",
        help="Quickshift (default), SLIC, Felzenszwalb, CompactWatershed, SquareGrid "
        "or RandomPartition, with the settings of the class of that name; auto chooses "
        "for each photo by the noise of its map (SmoothGrad, SparsifiedSmoothGrad)",
    )
    parser.add_argument(
        "--partition",
        choices=("static", "dynamic"),
        default="static",
        help="segment the photo once, or every noisy or interpolated copy anew",
    )
    parser.add_argument(
        "--group-weights",
        choices=groups.WEIGHTS,
        default="mean",
        help="how a group's pixels are weighted: their mean, the paper's, or their sum "
        "over the root of their number, by which noise is as large in every group "
        "(default: %(default)s)",
    )


def add_method_settings(parser) -> None:
    """The settings of the methods."""
    group = parser.add_argument_group("the method")
    group.add_argument(
        "--num-samples",
        type=positive,
        help="noisy copies, for SmoothGrad and SparsifiedSmoothGrad (default: 50, or "
        "with --tolerance at most 1000)",
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
        type=positive,
        help="gradients along the path, for IntegratedGradients (default: 50, or with "
        "--tolerance at most 500)",
    )
    group.add_argument(
        "--tolerance",
        type=float,
        help="take as many as it needs for this relative error of the grouped map, "
        "such as 0.1",
    )
    group.add_argument(
        "--seed", type=int, default=0, help="of the noise (default: %(default)s)"
    )


def add_pictures(parser) -> None:
    """How results are drawn."""
    group = parser.add_argument_group("its pictures")
    group.add_argument(
        "--percentile",
        type=percentile,
        default=99.0,
        help="where the pictures cut off the highest values (default: %(default)s)",
    )
    group.add_argument(
        "--top",
        type=positive,
        default=10,
        metavar="K",
        help="highest groups to outline and to list (default: %(default)s)",
    )
    group.add_argument(
        "--min-area",
        type=positive,
        default=1,
        metavar="PIXELS",
        help="leave smaller groups out of those: the means of slivers scatter most "
        "(default: %(default)s)",
    )
    group.add_argument("--quiet", action="store_true", help="no progress bar")


def method_name(text: str) -> str:
    """A gradient method's name in any case, hyphens allowed."""
    try:
        return full_name(text, GRADIENT_METHODS, "gradient method")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def percentile(text: str) -> float:
    """A percentile."""
    value = float(text)
    try:
        reductions.check_percentile(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but got {value}")
    return value

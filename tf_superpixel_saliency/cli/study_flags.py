"""Flags of the commands that measure: evaluate, reproduce and train-networks."""

from __future__ import annotations

import argparse

from tf_superpixel_saliency.cli import evaluate, flags, reproduce
from tf_superpixel_saliency.evaluation.methods import GRADIENT_METHODS
from tf_superpixel_saliency.paper.registry import EXPERIMENTS

_EVALUATE = """\
Which method, partition and size for a model of your own? Measures, on your photos,
how faithful the maps are to the model and, with a second model of the same task (give
--model twice), how far the maps of both agree beyond chance. It writes
  evaluation.md, .csv, .json   methods × partitions: agreement, chance, excess, fidelity
  recommendation.json          a partition for each method, chosen on half of the photos
                               and reported on the other half
  curves.png, tradeoff.png     curves of Deletion and Insertion; stability and fidelity
  maps.png                     maps of some photos
Finished parts are kept in DIR/parts: a run that was killed goes on from there.
"""

_EXAMPLES = """\
examples:
  superpixel-saliency evaluate photos/ --num-images 50
  superpixel-saliency evaluate photos/ --model a.keras --model b.keras \\
      --superpixels Quickshift SLIC:n_segments=200 SLIC:n_segments=1000
"""

_REPRODUCE = """\
Make the results of the paper again, each by its name, or all of them:

{names}

Finished parts are kept in DIR/parts: a run that was killed goes on from there, and one
with more images adds to it.
"""

_TRAIN = """\
Train the networks that `reproduce` compares: ResNet-18s on disjoint halves of the
training images, crossed with two initialisations, and on all but one of five folds. A
run that was killed goes on from its last whole epoch.
"""


def add_evaluate(commands) -> None:
    """The command `evaluate`."""
    parser = _command(commands, "evaluate", "measure a model of your own", _EVALUATE)
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="image files, folders or globs"
    )
    parser.add_argument(
        "--output", metavar="DIR", default="evaluation", help="default: %(default)s"
    )
    flags.add_model(parser, several=True, class_names=False)
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=GRADIENT_METHODS,
        type=flags.method_name,
        metavar="METHOD",
        help=f"of {', '.join(GRADIENT_METHODS)} (default: all)",
    )
    parser.add_argument(
        "--superpixels",
        nargs="+",
        metavar="NAME[:SETTING=VALUE,…]",
        help="partitions to compare; pixels are always there, and squares and random "
        "groups as many as the first has (default: "
        + " ".join(evaluate.SUPERPIXELS)
        + "; below 128 pixels "
        + " ".join(evaluate.SMALL_SUPERPIXELS)
        + ")",
    )
    parser.add_argument(
        "--num-images", type=flags.positive, default=None, help="default: all photos"
    )
    flags.add_photo_limit(parser)
    parser.add_argument("--noise-level", type=float, default=0.15)
    _add_amounts(parser, None, "a 56th of the pixels")
    parser.set_defaults(run=evaluate.run)


def add_reproduce(commands) -> None:
    """The command `reproduce`."""
    names = "\n".join(f"  {e.name:<26}{e.shows}" for e in EXPERIMENTS.values())
    text = _REPRODUCE.format(names=names)
    parser = _command(commands, "reproduce", "make the paper's results again", text)
    parser.add_argument(
        "results",
        nargs="+",
        choices=[*EXPERIMENTS, "all"],
        metavar="RESULT",
        help="names of results, or all (those whose data are given)",
    )
    parser.add_argument(
        "--output", metavar="DIR", default="reproduction", help="default: %(default)s"
    )
    parser.add_argument(
        "--photos", metavar="DIR", help="photos, called CLASS_name.jpg for ROAD"
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="labelled images such as CIFAR-10's: train/CLASS/*.jpg, test/CLASS/*.jpg, "
        "in a folder or a tar archive",
    )
    parser.add_argument(
        "--networks", metavar="DIR", help="what train-networks wrote for these data"
    )
    parser.add_argument(
        "--num-images",
        type=flags.positive,
        help="images of each result (default: each result's own number)",
    )
    _add_amounts(parser, 224, "%(default)s")
    parser.set_defaults(run=reproduce.run)


def add_train(commands) -> None:
    """The command `train-networks`."""
    parser = _command(commands, "train-networks", "train what is compared", _TRAIN)
    parser.add_argument("data", metavar="DATA", help="as reproduce's --data")
    parser.add_argument(
        "--output", metavar="DIR", default="networks", help="default: %(default)s"
    )
    parser.add_argument(
        "--names", nargs="+", metavar="NAME", help="split_a, fold_0, …: default all"
    )
    parser.add_argument(
        "--width", type=float, default=0.25, help="of ResNet-18 (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=flags.positive, default=8, help="default: 8")
    parser.add_argument(
        "--num-repeats",
        type=flags.positive,
        default=2,
        help="times the images are cut into halves; two give four pairs a row",
    )
    parser.add_argument(
        "--limit", type=flags.positive, help="training images to share (default: all)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=reproduce.train)


def _command(commands, name, text, description):
    return commands.add_parser(
        name,
        help=text,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_amounts(parser, pixels_per_step, told):
    parser.add_argument(
        "--num-samples",
        type=flags.positive,
        default=50,
        help="noisy copies (default: 50)",
    )
    parser.add_argument(
        "--num-steps",
        type=flags.positive,
        default=50,
        help="steps of IntegratedGradients (default: 50)",
    )
    parser.add_argument(
        "--pixels-per-step",
        type=flags.positive,
        default=pixels_per_step,
        help=f"of Deletion and Insertion (default: {told})",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")

"""GradCAM, ScoreCAM and RISE beside their best known implementations.

    peers/bin/python benchmarks/compare_cams.py [--images DIR] [--count 8]
        [--methods gradcam scorecam rise] [--num-masks 4000]

`peers` is the environment of benchmarks/peers_requirements.txt. Prints a JSON line for
each pair of settings: Spearman's rank correlation over the pixels of two maps of one
photo, for every photo and their median. The model is the demo's EfficientNet-Lite0,
the class the predicted one, the feature maps those of its layer "top_activation".
Where the other implementation is compared after one change of it, `change` says which.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from importlib import metadata
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from photos import read_folder
from scipy import stats
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.scores import CategoricalScore
from xplique.attributions import GradCAM as XpliqueGradCAM
from xplique.attributions import Rise

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.explainers import RISE, GradCAM, ScoreCAM
from tf_superpixel_saliency.ops.masks import smooth_masks

LAYER = "top_activation"
METHODS = ("gradcam", "scorecam", "rise")


def load_images(folder, count):
    """Names and (N, 224, 224, 3) photos, spread over a folder or scikit-image's."""
    if not folder:
        return tss.demo.load_photos()
    return read_folder(folder, count, spread=True)


def compare(peer, setting, ours, theirs, seconds, **more):
    """Print the rank correlations of maps (N, H, W) and (N, H, W)."""
    values = [
        float(stats.spearmanr(np.ravel(one), np.ravel(other)).statistic)
        for one, other in zip(ours, theirs)
    ]
    line = {
        "benchmark": "compare_cams",
        "peer": peer if peer == "itself" else f"{peer} {metadata.version(peer)}",
        "setting": setting,
        **more,
        "median": round(float(np.median(values)), 4),
        "lowest": round(min(values), 4),
        "spearman": [round(value, 4) for value in values],
        "seconds_ours": round(seconds[0], 1),
        "seconds_theirs": round(seconds[1], 1),
        "tensorflow": tf.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    print(json.dumps(line), flush=True)


def timed(function, *args, **kwargs):
    start = time.perf_counter()
    result = np.asarray(function(*args, **kwargs))
    return result, time.perf_counter() - start


def maps_of(explainer, images):
    """Our maps of one photo after another, as the others are given them."""
    return timed(
        lambda: np.stack([explainer(x[None])["maps"][0, ..., 0] for x in images])
    )


# -- GradCAM --------------------------------------------------------------------------


def xplique_gradcam(model, images, targets, method="bicubic"):
    explainer = XpliqueGradCAM(model, conv_layer=LAYER)
    with mock.patch.object(tf.image.ResizeMethod, "BICUBIC", method):
        one_hot = tf.one_hot(targets, 1000)
        return timed(lambda: explainer.explain(images, one_hot).numpy()[..., 0])


def keras_vis(cls, model, images, targets):
    """Maps of tf-keras-vis, unscaled: its own, and its small ones enlarged by us."""
    explainer = cls(model, clone=True)
    small = []

    def recorded(cam):
        small.append(np.maximum(cam, 0)[0])
        return small[-1][None]

    def run():
        return [
            explainer(
                CategoricalScore([int(target)]),
                image[None],
                penultimate_layer=LAYER,
                seek_penultimate_conv_layer=False,
                activation_modifier=recorded,
                normalize_cam=False,
            )[0]
            for image, target in zip(images, targets)
        ]

    # It calls `predict` with a progress bar, among our JSON lines.
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        maps, seconds = timed(run)
    between_centres = tf.image.resize(np.stack(small)[..., None], images.shape[1:3])
    return {None: maps, BETWEEN_CENTRES: between_centres.numpy()}, seconds


BETWEEN_CENTRES = "its map enlarged between pixel centres"


def compare_gradcam(model, logits, images, targets):
    ours = {
        s: maps_of(GradCAM(model, score=s), images) for s in ("probability", "logit")
    }
    maps, own = ours["probability"]
    for change, method in ((None, "bicubic"), ("bilinear for bicubic", "bilinear")):
        theirs, seconds = xplique_gradcam(model, images, targets, method)
        compare("xplique", "GradCAM", maps, theirs, (own, seconds), change=change)
    maps, own = ours["logit"]
    results, seconds = keras_vis(Gradcam, logits, images, targets)
    for change, theirs in results.items():
        compare("tf-keras-vis", "Gradcam", maps, theirs, (own, seconds), change=change)


# -- ScoreCAM -------------------------------------------------------------------------


def compare_scorecam(model, logits, images, targets):
    ours, own = maps_of(ScoreCAM(model, layer=LAYER), images)
    plain, _ = maps_of(GradCAM(model, layer=LAYER), images)
    compare("itself", "ScoreCAM beside GradCAM", ours, plain, (own, 0))
    once = "a model of logits, so that it takes one softmax and not two"
    for network in (model, logits):
        results, seconds = keras_vis(Scorecam, network, images, targets)
        for change, theirs in results.items():
            changes = [once] * (network is logits) + [change] * (change is not None)
            compare(
                "tf-keras-vis",
                "Scorecam",
                ours,
                theirs,
                (own, seconds),
                change="; ".join(changes) or None,
            )


# -- RISE -----------------------------------------------------------------------------


def xplique_rise(model, images, targets, num_masks, batch_size=32, own_masks=None):
    """Maps of xplique, from its own masks or from those that are given."""
    explainer = Rise(model, batch_size=batch_size, nb_samples=num_masks)

    def given(*args):
        return own_masks

    def apply(image, masks, mask_value=0.0):
        return masks * image[None] + (1 - masks) * mask_value, masks

    patches = contextlib.ExitStack()
    if own_masks is not None:
        patches.enter_context(mock.patch.object(Rise, "_get_masks", given))
        patches.enter_context(mock.patch.object(Rise, "_apply_masks", apply))
    with patches:
        one_hot = tf.one_hot(targets, 1000)
        return timed(lambda: explainer.explain(images, one_hot).numpy()[..., 0])


def compare_rise(model, images, targets, num_masks):
    more = {"num_masks": num_masks}
    maps, paper = [], []
    for seed in (1, 0):
        rise = RISE(model, num_masks=num_masks, seed=seed)
        ours, own = maps_of(rise, images)
        masks = smooth_masks(tf.range(num_masks), 224, 224, 7, 0.5, seed)
        maps.append(ours)
        # What normalization="expected" gives, without all those passes anew.
        paper.append(ours * tf.reduce_mean(masks, axis=0).numpy() / 0.5)
    compare("itself", "RISE, another seed", *maps, (own, own), **more)
    setting = 'RISE, another seed, normalization="expected"'
    compare("itself", setting, *paper, (own, own), **more)
    masks = masks[..., None]
    theirs, seconds = xplique_rise(model, images, targets, num_masks, 32, masks)
    same = "fed the same masks, each with a shift of its own"
    compare("xplique", "Rise", ours, theirs, (own, seconds), change=same, **more)
    del masks
    # It takes no seed, and a new global one would start the masks of its graph anew:
    # the second maps go on where the first ended.
    tf.random.set_seed(0)
    chunks = []
    for _ in range(2):
        theirs, seconds = xplique_rise(model, images, targets, num_masks)
        chunks.append(theirs)
        compare("xplique", "Rise", ours, theirs, (own, seconds), change=None, **more)
    setting = "xplique's Rise, other masks"
    compare("xplique", setting, *chunks, (seconds, seconds), change=None, **more)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", metavar="DIR")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--num-masks", type=int, default=4000)
    arguments = parser.parse_args()
    _, images = load_images(arguments.images, arguments.count)
    model = tss.demo.load_model()
    logits = tss.demo.load_model(classifier_activation=None)
    targets = model.predict(images, verbose=0).argmax(axis=1)
    if "gradcam" in arguments.methods:
        compare_gradcam(model, logits, images, targets)
    if "scorecam" in arguments.methods:
        compare_scorecam(model, logits, images, targets)
    if "rise" in arguments.methods:
        compare_rise(model, images, targets, arguments.num_masks)


if __name__ == "__main__":
    main()

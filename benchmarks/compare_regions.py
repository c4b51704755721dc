"""LIME and XRAI beside their best known implementations.

    peers/bin/python benchmarks/compare_regions.py [--images DIR] [--count 8]
        [--methods lime xrai] [--num-samples 1000]

`peers` is the environment of benchmarks/peers_requirements.txt. Prints a JSON line for
each pair of settings: Spearman's rank correlation over the pixels of two maps of one
photo, for every photo and their median. The model is the demo's EfficientNet-Lite0,
the class the predicted one. The others are fed our segments, on/off samples, fill and
attributions where `fed` says so; `change` says what was mended in them.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import time
from importlib import metadata

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import saliency.core as pair
import tensorflow as tf
from lime import lime_image
from photos import read_folder
from scipy import stats
from skimage.morphology import dilation, disk
from sklearn.linear_model import Ridge
from xplique.attributions import Lime as XpliqueLime

import tf_superpixel_saliency as tss
from tf_superpixel_saliency.explainers import LIME, XRAI
from tf_superpixel_saliency.ops.binary_samples import binary_samples, unpack
from tf_superpixel_saliency.ops.regions import rank_regions

METHODS = ("lime", "xrai")
GREY = 127.0


def load_images(folder, count):
    """Names and (N, 224, 224, 3) photos, spread over a folder or scikit-image's."""
    if not folder:
        return tss.demo.load_photos()
    return read_folder(folder, count, spread=True)


def compare(peer, setting, ours, theirs, **more):
    """Print the rank correlations of two lists of (map (H, W), seconds)."""
    pairs = [(one[0], other[0]) for one, other in zip(ours, theirs)]
    values = [
        float(stats.spearmanr(np.ravel(one), np.ravel(other)).statistic)
        for one, other in pairs
    ]
    apart = [np.abs(one - other).max() / np.abs(one).max() for one, other in pairs]
    seconds = [round(sum(one[1] for one in maps), 1) for maps in (ours, theirs)]
    line = {
        "benchmark": "compare_regions",
        "peer": peer if peer == "itself" else f"{peer} {metadata.version(peer)}",
        "setting": setting,
        **more,
        "median": round(float(np.median(values)), 4),
        "lowest": round(min(values), 4),
        "spearman": [round(value, 4) for value in values],
        "largest_difference": float(f"{max(apart):.2g}"),
        "seconds_ours": seconds[0],
        "seconds_theirs": seconds[1],
        "tensorflow": tf.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    print(json.dumps(line), flush=True)


def timed(function, *args, **kwargs):
    start = time.perf_counter()
    return np.asarray(function(*args, **kwargs)), time.perf_counter() - start


def run(explainer, images):
    """Maps with their seconds, and segments, photo by photo."""
    explainer(images[:1])  # traced before the clock runs
    maps, segments = [], []
    for image in images:
        start = time.perf_counter()
        out = explainer(image[None])
        maps.append((out["maps"][0, ..., 0].numpy(), time.perf_counter() - start))
        segments.append(out["segments"][0].numpy())
    return maps, segments


# -- LIME -----------------------------------------------------------------------------


class Given:
    """Stands in for a random state: gives the samples that it holds."""

    def __init__(self, states):
        self.states = states

    def randint(self, low, high, size):
        assert (low, high, size) == (0, 2, self.states.size)
        return self.states.ravel().copy()


def states_of(segments, num_samples):
    """Our on/off samples for one photo, (n, p) int32."""
    groups = int(segments.max()) + 1
    words = binary_samples(num_samples, tf.constant(groups), 0)
    return unpack(words).numpy()[:, :groups].astype(np.int32)


def package_lime(predict, image, target, segments, states):
    explainer = lime_image.LimeImageExplainer()
    explainer.random_state = Given(states)
    explanation = explainer.explain_instance(
        np.float64(image),
        lambda rows: predict(np.float32(rows)).numpy(),
        labels=(target,),
        top_labels=None,
        num_samples=len(states),
        batch_size=32,
        segmentation_fn=lambda _: segments,
        random_seed=0,
    )
    coefficients = np.zeros(states.shape[1])
    for group, weight in explanation.local_exp[target]:
        coefficients[group] = weight
    return coefficients[segments]


def kept_cosine(image, states, rows):
    """The kernel of `lime` for xplique: on the on/off samples, and the right way."""
    del image, rows
    kept = tf.reduce_mean(tf.cast(states, tf.float32), axis=1)
    return tf.sqrt(tf.exp(-(((1 - tf.sqrt(kept)) / 0.25) ** 2)))


def xplique_lime(model, image, target, segments, states, kernel):
    explainer = XpliqueLime(
        model,
        batch_size=32,
        interpretable_model=Ridge(alpha=1),
        similarity_kernel=kernel,
        distance_mode="cosine",
        kernel_width=0.25,
        pertub_func=lambda num_features, nb_samples: tf.constant(states),
        map_to_interpret_space=lambda image: tf.constant(segments),
        ref_value=np.full(3, GREY, np.float32),
        nb_samples=len(states),
    )
    one_hot = tf.one_hot([target], model.output_shape[-1])
    return explainer.explain(image[None], one_hot)[0, ..., 0].numpy()


def compare_lime(model, images, targets, num_samples):
    predict = tf.function(
        lambda rows: model(rows, training=False), reduce_retracing=True
    )
    build = functools.partial(LIME, model, num_samples=num_samples)
    ours, segments = run(build(), images)
    fed = "segments, samples, fill"
    more = {"num_samples": num_samples}
    more["groups"] = [int(one.max()) + 1 for one in segments]
    states = [states_of(one, num_samples) for one in segments]
    cases = list(zip(images, targets, segments, states))
    theirs = [timed(package_lime, predict, *case) for case in cases]
    compare("lime", "LIME", ours, theirs, fed=fed, change=None, **more)
    again, _ = run(build(seed=1), images)
    compare("itself", "LIME, another seed", ours, again, **more)
    grey, _ = run(build(fill=GREY), images)
    for change, kernel in ((None, None), ("the kernel of lime", kept_cosine)):
        theirs = [timed(xplique_lime, model, *case, kernel) for case in cases]
        compare("xplique", "Lime", grey, theirs, fed=fed, change=change, **more)


# -- XRAI -----------------------------------------------------------------------------


def gradients_of(model):
    """What PAIR's methods call: images (k, H, W, C) → the score's gradients."""

    @tf.function(reduce_retracing=True)
    def gradient(rows, target):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            score = tf.gather(model(rows, training=False), target, axis=1)
        return tape.gradient(score, rows)

    def call(rows, call_model_args, expected_keys):
        rows = tf.constant(rows, tf.float32)
        gradients = gradient(rows, tf.constant(call_model_args)).numpy()
        return {expected_keys[0]: gradients}

    return call


def pair_map(image, attribution, algorithm="full", **kwargs):
    """PAIR's map of an attribution (H, W, C), its regions or `segments`."""
    settings = pair.XRAIParameters(algorithm=algorithm)
    settings = {"extra_parameters": settings, "base_attribution": attribution, **kwargs}
    return timed(pair.XRAI().GetMask, image, None, **settings)


def pair_attribution(image, target, call):
    """PAIR's own IntegratedGradients, 100 steps from each of two baselines."""
    settings = pair.XRAIParameters(algorithm="fast", return_ig_attributions=True)
    out = pair.XRAI().GetMaskWithDetails(
        image,
        call,
        call_model_args=int(target),
        segments=masks_of(np.zeros((1, *image.shape[:2]), int)),
        batch_size=32,
        extra_parameters=settings,
    )
    return np.mean(out.ig_attribution, axis=0)


def masks_of(partitions):
    """Each region's mask, dilated as PAIR does it."""
    masks = [one == label for one in partitions for label in range(one.max() + 1)]
    return [dilation(mask, footprint=disk(5)) for mask in masks]


def attributions_of(model, images, targets, num_steps=50):
    """Ours, what XRAI ranks regions by: (H, W, 1) a photo."""
    attribute = tf.function(XRAI(model, num_steps=num_steps).attribute)
    spec = tf.TensorSpec((None, *images.shape[1:])), tf.TensorSpec([None], tf.int32)
    attribute = attribute.get_concrete_function(*spec, None)
    return [
        attribute(tf.constant(images[[i]]), tf.constant(targets[[i]], tf.int32))[0][0]
        for i in range(len(images))
    ]


def ranked(attributions, partitions, min_pixels=1, algorithm="full", radius=5):
    """XRAI's second half: maps with their seconds."""
    settings = {"min_pixels": min_pixels, "algorithm": algorithm, "dilation": radius}
    rank = tf.function(lambda a, p: rank_regions(a, p, **settings)[0])
    return [
        timed(rank, one[..., 0], several)
        for one, several in zip(attributions, partitions)
    ]


def compare_xrai(model, images, targets):
    explainer = XRAI(model)
    partitions = explainer.superpixels(images).numpy()
    masks = [masks_of(several) for several in partitions]
    more = {"regions": [len(several) for several in masks]}
    ours, _ = run(explainer, images)
    attributions = attributions_of(model, images, targets)
    # PAIR takes the highest of three channels, here equal ones.
    given = [np.repeat(one, 3, axis=-1) for one in attributions]
    for algorithm in ("full", "fast"):
        maps = ranked(attributions, partitions, 50, algorithm)
        theirs = [
            pair_map(image, one, algorithm, segments=several)
            for image, one, several in zip(images, given, masks)
        ]
        setting = f"XRAI {algorithm}, regions of 50 pixels"
        fed = "regions, attributions"
        compare("saliency", setting, maps, theirs, fed=fed, **more)
    large = ranked(attributions, partitions, 50)
    compare("itself", "XRAI, at least 1 or 50 pixels", ours, large, **more)
    finer = attributions_of(model, images, targets, 100)
    finer = ranked(finer, partitions)
    compare("itself", "XRAI, 50 or 100 steps", ours, finer, **more)
    call = gradients_of(model)
    own = [pair_attribution(*pair, call) for pair in zip(images, targets)]
    cases = list(zip(images, own))
    theirs = [pair_map(*case, segments=m) for case, m in zip(cases, masks)]
    compare("saliency", "XRAI", ours, theirs, fed="regions", change=None, **more)
    theirs = [pair_map(*case) for case in cases]
    compare("saliency", "XRAI", ours, theirs, fed=None, change=None, **more)
    whole = ranked(attributions, partitions, radius=0)
    compare("itself", "XRAI, regions dilated by 5 pixels or not", ours, whole, **more)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", metavar="DIR")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--num-samples", type=int, default=1000)
    arguments = parser.parse_args()
    _, images = load_images(arguments.images, arguments.count)
    model = tss.demo.load_model()
    targets = model.predict(images, verbose=0).argmax(axis=1)
    if "lime" in arguments.methods:
        compare_lime(model, images, targets, arguments.num_samples)
    if "xrai" in arguments.methods:
        compare_xrai(model, images, targets)


if __name__ == "__main__":
    main()

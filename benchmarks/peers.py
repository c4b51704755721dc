"""Gradient explanations beside those of other libraries, in bare gradients.

    peers/bin/python benchmarks/peers.py [--images DIR] [--count 4] [--samples 25]
        [--repeats 3] [--write README.md]

In the environment of benchmarks/peers_requirements.txt. One model, EfficientNet-Lite0,
the same photos and samples, all in one process and in turn. `ratio` is the time an
image over that of as many bare compiled gradients as the method takes, at the batch
size at which they are cheapest, the median over the turns: 1 is what the gradients
alone cost. `correlation` is that of Σ_channels |map| with ours without super-pixels
(IntegratedGradients by the trapezoid), the least of all photos, as a check that the
same thing is computed. Each library is used as its documentation shows, on batches
where it takes them; where it leaves the gradient to the user (PAIR), it gets a compiled
one. JSON lines; `--write` puts the table between the markers of a file.
"""

import argparse
import functools
import json
import pathlib

import numpy as np
import tensorflow as tf
from bare_gradient import (
    BATCH_SIZES,
    bare_gradient,
    bare_prices,
    load_images,
    many,
    milliseconds,
    seconds,
)
from machine import provenance, write_between_markers

import tf_superpixel_saliency as tss

METHODS = ("SimpleGradient", "SmoothGrad", "IntegratedGradients")
NOISE = 0.15  # of an image's max − min


def ours(model, images, targets, samples, superpixels=None, **kwargs):
    def run(explainer):
        return explainer(images, targets)["maps"].numpy()

    shared = {"superpixels": superpixels, **kwargs}
    explainers = {
        "SimpleGradient": tss.SimpleGradient(model, superpixels=superpixels),
        "SmoothGrad": tss.SmoothGrad(
            model, num_samples=samples, noise_level=NOISE, **shared
        ),
        "IntegratedGradients": tss.IntegratedGradients(
            model, num_steps=samples, superpixels=superpixels
        ),
    }
    return {name: functools.partial(run, one) for name, one in explainers.items()}


def xplique(model, images, targets, samples):
    from xplique import attributions

    labels = np.eye(model.output_shape[-1], dtype=np.float32)[targets]
    # Its noise is absolute, one number for all images.
    noise = NOISE * float(np.mean(np.ptp(images, axis=(1, 2, 3))))
    shared = {"batch_size": 16, "reducer": None}
    explainers = {
        "SimpleGradient": attributions.Saliency(model, **shared),
        "SmoothGrad": attributions.SmoothGrad(
            model, nb_samples=samples, noise=noise, **shared
        ),
        "IntegratedGradients": attributions.IntegratedGradients(
            model, steps=samples, **shared
        ),
    }
    return {
        name: lambda one=one: np.asarray(one.explain(images, labels))
        for name, one in explainers.items()
    }


def pair(model, images, targets, samples):
    import saliency.core as saliency

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, *images.shape[1:])),
            tf.TensorSpec((), tf.int32),
        ]
    )
    def gradient(batch, target):
        with tf.GradientTape() as tape:
            tape.watch(batch)
            score = model(batch, training=False)[:, target]
        return tape.gradient(score, batch)

    def call_model(batch, call_model_args, expected_keys):
        del expected_keys
        batch = tf.cast(batch, tf.float32)
        found = gradient(batch, call_model_args).numpy()
        return {saliency.base.INPUT_OUTPUT_GRADIENTS: found}

    simple, integrated = saliency.GradientSaliency(), saliency.IntegratedGradients()
    functions = {
        "SimpleGradient": simple.GetMask,
        "SmoothGrad": functools.partial(
            simple.GetSmoothedMask,
            nsamples=samples,
            stdev_spread=NOISE,
            magnitude=False,
        ),
        "IntegratedGradients": functools.partial(
            integrated.GetMask, x_steps=samples, batch_size=8
        ),
    }

    def run(function):
        pairs = zip(images, tf.constant(targets, tf.int32))
        return np.stack(
            [function(image, call_model, target) for image, target in pairs]
        )

    return {name: functools.partial(run, one) for name, one in functions.items()}


def tf_keras_vis(model, images, targets, samples):
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.scores import CategoricalScore

    saliency = Saliency(model, clone=False)
    run = functools.partial(
        saliency,
        CategoricalScore(list(map(int, targets))),
        images,
        keepdims=True,
        normalize_map=False,
        gradient_modifier=lambda gradients: gradients,  # signed, as the others
    )
    return {
        "SimpleGradient": run,
        "SmoothGrad": functools.partial(
            run, smooth_samples=samples, smooth_noise=NOISE
        ),
    }


def tf_explain(model, images, targets, samples):
    from tf_explain.core.integrated_gradients import IntegratedGradients
    from tf_explain.core.smoothgrad import SmoothGrad
    from tf_explain.core.vanilla_gradients import VanillaGradients

    def smoothed(image, target):
        noise = NOISE * float(np.ptp(image))
        noisy = SmoothGrad.generate_noisy_images(image, samples, noise)
        return SmoothGrad.get_averaged_gradients(noisy, model, target, samples)

    def integrated(image, target):
        path = IntegratedGradients.generate_interpolations(image, samples)
        # It leaves out the factor (image − baseline).
        return image * IntegratedGradients.get_integrated_gradients(
            path, model, target, samples
        )

    functions = {
        "SimpleGradient": lambda image, target: VanillaGradients.compute_gradients(
            image, model, target
        ),
        "SmoothGrad": smoothed,
        "IntegratedGradients": integrated,
    }

    def run(function):
        pairs = zip(images[:, None], map(int, targets))
        return np.concatenate([np.asarray(function(*pair)) for pair in pairs])

    return {name: functools.partial(run, one) for name, one in functions.items()}


def libraries(model, images, targets, samples):
    """Library → method → a function that returns maps, (N, H, W, C)."""
    given = (model, images, targets, samples)
    return {
        "ours": ours(*given),
        "ours, Quickshift": ours(*given, tss.Quickshift()),
        "ours, other seed": {"SmoothGrad": ours(*given, seed=1)["SmoothGrad"]},
        "xplique": xplique(*given),
        "PAIR saliency": pair(*given),
        "tf-keras-vis": tf_keras_vis(*given),
        "tf-explain": tf_explain(*given),
    }


def least_correlation(maps, expected):
    heat = [
        np.abs(values).sum(-1).reshape(len(values), -1) for values in (maps, expected)
    ]
    return min(np.corrcoef(a, b)[0, 1] for a, b in zip(*heat))


def measured(model, images, samples, repeats):
    """A line a library and method, and the price of a bare gradient in ms."""
    targets = model.predict(images, verbose=0).argmax(1)
    runs, maps = {}, {}
    gradient = bare_gradient(model)
    for size in BATCH_SIZES:
        batch = tf.constant(images[np.arange(size) % len(images)])
        runs["bare", size] = functools.partial(many, gradient, batch, samples)
    for library, functions in libraries(model, images, targets, samples).items():
        for method, function in functions.items():
            runs[library, method] = function
            maps[library, method] = np.asarray(function())
    # By the rule that most of the others have.
    reference = {method: maps["ours", method] for method in METHODS}
    trapezoid = tss.IntegratedGradients(
        model, num_steps=samples, quadrature="trapezoid"
    )
    reference["IntegratedGradients"] = trapezoid(images, targets)["maps"].numpy()
    times = seconds(runs, repeats)
    price = next(iter(bare_prices(times, samples).values()))
    lines = []
    for (library, method), found in maps.items():
        spent = times[library, method] / len(images)
        gradients = 1 if method == "SimpleGradient" else samples
        lines.append(
            {
                "library": library,
                "method": method,
                "gradients": gradients,
                "ms": milliseconds(spent),
                "ratio": round(float(np.median(spent / gradients / price)), 2),
                "correlation": round(least_correlation(found, reference[method]), 3),
            }
        )
    return lines, milliseconds(price)


def table(lines, price, command):
    """The lines as Markdown, with where and when they were measured."""
    cells = {(line["library"], line["method"]): line for line in lines}
    names = list(dict.fromkeys(line["library"] for line in lines))
    text = ["| | " + " | ".join(METHODS) + " |", "|---|" + "--:|" * len(METHODS)]
    for name in names:
        row = []
        for method in METHODS:
            line = cells.get((name, method))
            shown = "–" if line is None else f"{line['ratio']:.2f}"
            if line is not None:
                shown += f" ({line['correlation']:.2f})"
            row.append(shown)
        text.append(f"| {name} | " + " | ".join(row) + " |")
    where = provenance(
        "tensorflow", "keras", "xplique", "saliency", "tf-keras-vis", "tf-explain"
    )
    text += ["", f"A bare gradient: {price} ms an image. `{command}`, {where}."]
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--samples", type=int, default=25)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", metavar="FILE", type=pathlib.Path)
    arguments = parser.parse_args()
    model = tss.demo.load_model()
    images = load_images(arguments.images, arguments.count, 224)
    lines, price = measured(model, images, arguments.samples, arguments.repeats)
    for line in lines:
        print(json.dumps(line | {"bare_ms": price}), flush=True)
    photos = " --images PHOTOS" if arguments.images else ""
    command = (
        f"python benchmarks/peers.py{photos} --count {arguments.count} --samples "
        f"{arguments.samples} --repeats {arguments.repeats}"
    )
    text = table(lines, price, command)
    print(text)
    if arguments.write:
        write_between_markers(arguments.write, "peers", text)


if __name__ == "__main__":
    main()

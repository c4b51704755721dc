"""What an explanation costs, in bare compiled gradients of the same model.

    python benchmarks/bare_gradient.py [--model efficientnet-lite0|resnet50|PATH.keras]
        [--images DIR] [--count 8] [--num 50] [--repeats 5]
        [--superpixels quickshift|slic]

Bare: `tf.GradientTape` around the model in a `tf.function`, at the batch size of 1, 8,
16 and 32 that is fastest an image, as many of them as the method takes. Each method is
run with super-pixels (SLIC below 64 pixels, else Quickshift), everything included, on
one image and on all of them in one batch, with the model frozen and as it is. All in
one process, in turn.

A JSON line a figure: `ms` is the median over the repeats, `ratio` the median of the
ratios to the bare gradients of the same turn, since a machine's speed drifts, `least`
and `most` the extremes of that ratio. A last line compares the frozen gradient with the
model's own.
"""

import argparse
import functools
import json
import os
import pathlib
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from photos import read_folder

import tf_superpixel_saliency as tss

BATCH_SIZES = (1, 8, 16, 32)


def load_model(name):
    if name.endswith(".keras"):
        return keras.saving.load_model(name, compile=False)
    if name == "resnet50":  # what it answers doesn't matter to its speed
        return keras.applications.ResNet50(weights=None)
    return tss.demo.load_model(name)


def load_images(folder, count, size):
    """(count, size, size, 3) photos of a folder, or scikit-image's over again."""
    if folder:
        return read_folder(folder, count, size, spread=True)[1]
    photos = tss.demo.load_photos(size)[1]
    return photos[np.arange(count) % len(photos)]


def bare_gradient(model):
    @tf.function(input_signature=[tf.TensorSpec((None, *model.input_shape[1:]))])
    def gradient(images):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            score = tf.reduce_sum(tf.reduce_max(model(images, training=False), 1))
        return tape.gradient(score, images)

    return gradient


def seconds(runs, repeats):
    """Times of functions run in turn, the first of each left out: name → (repeats,)."""
    times = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat:
                times[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in times.items()}


def many(gradient, batch, number):
    """About so many gradients, in batches."""
    for _ in range(max(1, round(number / len(batch)))):
        gradient(batch)


def bare_prices(times, number):
    """Seconds an image at each batch size, (repeats,), the cheapest first."""
    prices = {}
    for size in BATCH_SIZES:
        taken = size * max(1, round(number / size))
        prices[size] = times["bare", size] / taken
    return dict(sorted(prices.items(), key=lambda item: np.median(item[1])))


def superpixels(name, size):
    """The layer of a name, or the one that suits a size."""
    layers = {"quickshift": tss.Quickshift, "slic": lambda: tss.SLIC(100)}
    return layers[name or ("quickshift" if size > 64 else "slic")]()


def methods(model, layer, number, fold):
    """Name → (explainer, how many gradients it takes an image)."""
    shared = {"superpixels": layer, "fold_batch_norms": fold}
    return {
        "SimpleGradient": (tss.SimpleGradient(model, **shared), 1),
        "SmoothGrad": (tss.SmoothGrad(model, num_samples=number, **shared), number),
        "IntegratedGradients": (
            tss.IntegratedGradients(model, num_steps=number, **shared),
            number,
        ),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--images", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--num", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--superpixels", choices=("quickshift", "slic"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    layer = superpixels(arguments.superpixels, model.input_shape[1])
    images = load_images(arguments.images, arguments.count, model.input_shape[1])

    gradient = bare_gradient(model)
    runs = {}
    for size in BATCH_SIZES:
        batch = tf.constant(images[np.arange(size) % len(images)])
        runs["bare", size] = functools.partial(many, gradient, batch, arguments.num)
    numbers = {}
    for fold in (True, False):
        found = methods(model, layer, arguments.num, fold)
        for name, (explainer, number) in found.items():
            for size in sorted({1, len(images)}):
                key = (name, "frozen" if fold else "as it is", size)
                runs[key] = functools.partial(explainer, images[:size])
                numbers[key] = number
    times = seconds(runs, arguments.repeats)
    prices = bare_prices(times, arguments.num)
    for size, price in prices.items():
        line = {"model": arguments.model, "what": "bare gradient", "batch_size": size}
        print(json.dumps({**line, "ms": milliseconds(price)}), flush=True)
    price = next(iter(prices.values()))
    for key, number in numbers.items():
        name, how, size = key
        spent = times[key] / size
        ratios = spent / number / price
        line = {"model": arguments.model, "what": name, "model_is": how}
        line |= {"images": size, "gradients": number, "ms": milliseconds(spent)}
        line |= {"ratio": round(float(np.median(ratios)), 3)}
        line |= {"least": round(ratios.min(), 3), "most": round(ratios.max(), 3)}
        print(json.dumps(line))
    compare(model, images, arguments.model)


def milliseconds(times):
    return round(1e3 * float(np.median(times)), 2)


def compare(model, images, name):
    frozen = tss.SimpleGradient(model)
    found = frozen(images)["maps"].numpy()
    expected = tss.SimpleGradient(model, fold_batch_norms=False)(images)["maps"].numpy()
    both = zip(found, expected)
    correlations = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in both]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "model": name,
                "what": "frozen gradient against the model's own",
                "batch_norms_folded": frozen.freezing.num_folded,
                "least_correlation": round(float(min(correlations)), 7),
                "peak_memory_mb": round(memory),
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()

"""What accuracy of IntegratedGradients costs: the error of the grouped map.

    python benchmarks/quadrature.py [--model efficientnet-lite0|PATH.keras]
        [--images DIR] [--count 50] [--reference 2048] [--repeats 3]

For each rule and number of gradients: ‖map − reference‖ / ‖reference‖ of the maps in
super-pixels, the reference being that many midpoints, from a black baseline; median
and 90th percentile over the images, the completeness error as a part of
f(x) − f(baseline), and the seconds an image, of runs in turn. Then the same for
`tolerance`, with the numbers of gradients taken. A JSON line a figure.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from bare_gradient import load_images, load_model

import tf_superpixel_saliency as tss

RULES = ("trapezoid", "midpoint", "gauss_legendre", "adaptive")
NUM_STEPS = (20, 40, 80)
TOLERANCES = (0.1, 0.05)


def sizes(values):
    """‖·‖ of each image's map."""
    return np.sqrt(np.square(np.float64(values)).sum((1, 2, 3)))


def explained(explainer, images, batch):
    """Maps, completeness errors and numbers of gradients, image by image."""
    outs = []
    for first in range(0, len(images), batch):
        out = explainer(images[first : first + batch])
        kept = ("maps", "completeness_error", "num_steps")
        outs.append({key: out[key].numpy() for key in kept})
    return {key: np.concatenate([out[key] for out in outs]) for key in outs[0]}


def seconds(explainers, image, repeats):
    """Median seconds of one image, the explainers in turn."""
    times = {name: [] for name in explainers}
    for _ in range(repeats):
        for name, explainer in explainers.items():
            start = time.perf_counter()
            explainer(image)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--images", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--reference", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    size = model.input_shape[1]
    images = load_images(arguments.images, arguments.count, size)
    layer = tss.Quickshift() if size > 64 else tss.SLIC(100)

    def explainer(**kwargs):
        return tss.IntegratedGradients(model, layer, **kwargs)

    fine = explainer(num_steps=arguments.reference, quadrature="midpoint")
    reference = explained(fine, images, 4)["maps"]
    gain = np.abs(np.float64(reference).sum((1, 2, 3)))
    explainers = {
        (rule, number): explainer(num_steps=number, quadrature=rule)
        for rule in RULES
        for number in NUM_STEPS
    }
    explainers |= {("tolerance", t): explainer(tolerance=t) for t in TOLERANCES}
    found = {name: explained(one, images, 4) for name, one in explainers.items()}
    spent = seconds(explainers, images[:1], arguments.repeats)
    for (rule, setting), out in found.items():
        error = sizes(out["maps"] - reference) / sizes(reference)
        completeness = out["completeness_error"] / gain
        line = {
            "model": arguments.model,
            "images": len(images),
            "rule": rule,
            "setting": setting,
            "gradients": round(float(np.median(out["num_steps"])), 1),
            "error": round(float(np.median(error)), 4),
            "error_90": round(float(np.quantile(error, 0.9)), 4),
            "completeness": round(float(np.median(completeness)), 4),
            "seconds": round(spent[rule, setting], 3),
            "tensorflow": tf.__version__,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

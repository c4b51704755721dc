"""What accuracy of IntegratedGradients costs: the error of the grouped map.

    python benchmarks/quadrature.py [--model efficientnet-lite0|PATH.keras]
        [--images DIR] [--count 50] [--size SIDE] [--reference 2048] [--repeats 3]
        [--store DIR]

For each rule and number of gradients: ‖map − reference‖ / ‖reference‖ of the maps in
super-pixels, the reference being that many midpoints, from a black baseline; median,
90th percentile, root mean square and largest over the images, the completeness error
as a part of f(x) − f(baseline), and the seconds an image, of runs in turn. Then the
same for `tolerance`, with the numbers of gradients taken. A JSON line a figure.

An image is more than a minute of work for a large network: `--store` keeps each
image's reference and what was found, in two files, and a run that was killed goes on
from there.
"""

import argparse
import functools
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


def fine_map(fine, image):
    """The map of the explainer with the most gradients."""
    return fine(image)["maps"].numpy()


def measured(explainer, reference, image):
    """[error, completeness error, gradients] of an explainer on (1, H, W, C)."""
    out = explainer(image)
    error = sizes(out["maps"] - reference) / sizes(reference)
    completeness = float(out["completeness_error"][0])
    completeness /= np.abs(np.float64(reference).sum())
    return [float(error[0]), completeness, float(out["num_steps"][0])]


class Store:
    """The references, and what was found of each image, of runs with the same settings.

    Without a folder nothing is kept.
    """

    def __init__(self, folder, settings):
        self.folder = folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "settings.json"
        if path.exists() and json.loads(path.read_text()) != settings:
            raise SystemExit(f"{folder} is of {path.read_text()}, not {settings}")
        path.write_text(json.dumps(settings))

    def reference(self, number, make):
        """The reference of an image: the one kept, or a new one."""
        if self.folder is None:
            return make()
        path = self.folder / f"{number:04d}.npy"
        if not path.exists():
            partial = path.with_suffix(".partial.npy")
            np.save(partial, make())
            partial.replace(path)
        return np.load(path)

    def found(self, number, explainers, measure):
        """What `measure` says of each explainer, where it was not kept."""
        path = self.folder and self.folder / f"{number:04d}.json"
        found = json.loads(path.read_text()) if path and path.exists() else {}
        missing = [name for name in explainers if name not in found]
        found |= {name: measure(explainers[name]) for name in missing}
        if path and missing:
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(found))
            partial.replace(path)
        return found


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
    parser.add_argument("--size", type=int, metavar="SIDE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--store", metavar="DIR", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.size and arguments.model == "efficientnet-lite0":
        model = tss.demo.load_model(input_shape=(arguments.size, arguments.size, 3))
    else:
        model = load_model(arguments.model)
    size = model.input_shape[1]
    images = load_images(arguments.images, arguments.count, size)
    layer = tss.Quickshift() if size > 64 else tss.SLIC(100)

    def explainer(**kwargs):
        return tss.IntegratedGradients(model, layer, **kwargs)

    explainers = {
        f"{rule} {number}": explainer(num_steps=number, quadrature=rule)
        for rule in RULES
        for number in NUM_STEPS
    }
    explainers |= {f"tolerance {t}": explainer(tolerance=t) for t in TOLERANCES}
    fine = explainer(num_steps=arguments.reference, quadrature="midpoint")
    settings = [arguments.model, str(arguments.images), size, arguments.reference]
    store, found = Store(arguments.store, settings), []
    for number in range(len(images)):
        image = images[number : number + 1]
        reference = store.reference(number, functools.partial(fine_map, fine, image))
        measure = functools.partial(measured, reference=reference, image=image)
        found.append(store.found(number, explainers, measure))
    spent = seconds(explainers, images[:1], arguments.repeats)
    for name in explainers:
        rows = np.array([row[name] for row in found])
        error, completeness, gradients = np.median(rows, axis=0)
        rule, setting = name.split()
        line = {
            "model": arguments.model,
            "side": size,
            "images": len(images),
            "rule": rule,
            "setting": float(setting),
            "gradients": gradients,
            "error": round(error, 4),
            "error_90": round(float(np.quantile(rows[:, 0], 0.9)), 4),
            "error_rms": round(float(np.sqrt(np.square(rows[:, 0]).mean())), 4),
            "error_most": round(float(rows[:, 0].max()), 4),
            "completeness": round(completeness, 4),
            "seconds": round(spent[name], 3),
            "tensorflow": tf.__version__,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

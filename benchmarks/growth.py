"""How an explanation's cost grows, with the bare gradient as the floor.

    python benchmarks/growth.py [--repeats 3] [--quick] [--lines FILE]
        [--figure docs/images/growth.png] [--write docs/speed.md]

SmoothGrad with Quickshift on EfficientNet-Lite0 over the image's size, the batch and
the number of samples, and with a grid of squares over the number of groups. The floor
is as many bare compiled gradients of the same image size, at the batch size at which
they are cheapest. All in one process, each curve in turn; a JSON line a point, medians
over the repeats; peak memory is the operating system's, of the process so far.
"""

import argparse
import functools
import json
import pathlib
import resource

import numpy as np
import tensorflow as tf
from bare_gradient import bare_gradient, load_images, seconds
from machine import provenance, write_between_markers

import tf_superpixel_saliency as tss

SIDES = (96, 128, 160, 224, 320)
BATCHES = (1, 2, 4, 8, 16)
SAMPLES = (1, 5, 10, 25, 50, 100)
GROUPS = (1, 16, 196, 3136, 50176)
BARE_BATCHES = (1, 4, 8, 16)
SIDE, SAMPLED = 224, 25  # where the other curves stand
CURVES = {
    "image size": "side in pixels",
    "batch": "images at once",
    "samples": "samples an image",
    "groups": "groups an image",
}


def images_of(side, count):
    return load_images(None, count, side)


def bare_runs(model, sides):
    """(side, batch size) → the gradient of that many images alone."""
    gradient = bare_gradient(model)
    return {
        (side, size): functools.partial(gradient, tf.constant(images_of(side, size)))
        for side in sides
        for size in BARE_BATCHES
    }


def explained(model, superpixels, samples=SAMPLED, side=SIDE, batch=1):
    explainer = tss.SmoothGrad(model, superpixels, num_samples=samples)
    return functools.partial(explainer, images_of(side, batch))


def points(quick):
    """Curve → value → (image size, images, samples, super-pixel layer)."""
    sides, batches, samples, groups = SIDES, BATCHES, SAMPLES, GROUPS
    if quick:
        sides, batches, samples, groups = (
            sides[:3:2],
            batches[:2],
            samples[:2],
            groups[:2],
        )
    return {
        "image size": {s: (s, 1, SAMPLED, tss.Quickshift()) for s in sides},
        "batch": {b: (SIDE, b, SAMPLED, tss.Quickshift()) for b in batches},
        "samples": {n: (SIDE, 1, n, tss.Quickshift()) for n in samples},
        "groups": {g: (SIDE, 1, SAMPLED, _squares(g)) for g in groups},
    }


def _squares(groups):
    return tss.SquareGrid(size=round(SIDE / groups**0.5))


def measured(quick, repeats):
    model = tss.demo.load_model(input_shape=(None, None, 3))
    for curve, settings in points(quick).items():
        runs = {
            value: explained(model, layer, samples, side, batch)
            for value, (side, batch, samples, layer) in settings.items()
        }
        # In turn with the explanations: what else the machine does hits both.
        runs |= bare_runs(model, {side for side, *_ in settings.values()})
        times = seconds(runs, repeats)
        medians = {key: float(np.median(value)) for key, value in times.items()}
        for value, (side, batch, samples, _) in settings.items():
            price = min(medians[side, size] / size for size in BARE_BATCHES)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            yield {
                "curve": curve,
                "value": value,
                "ms": round(1e3 * medians[value] / batch, 1),
                "floor_ms": round(1e3 * price * samples, 1),
                "ratio": round(medians[value] / batch / samples / price, 3),
                "peak_memory_mb": round(peak),
            }


def draw(lines, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator

    figure, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for ax, (curve, label) in zip(axes.flat, CURVES.items()):
        found = [line for line in lines if line["curve"] == curve]
        values = [line["value"] for line in found]
        floors = [line["floor_ms"] for line in found]
        ax.fill_between(values, floors, color="0.9")
        ax.plot(values, floors, "--", color="0.4", label="bare gradients")
        ax.plot(
            values,
            [line["ms"] for line in found],
            "o-",
            color="tab:blue",
            label="SmoothGrad and super-pixels",
        )
        ax.set(xscale="log", xlabel=label, ylabel="ms an image")
        ax.set_xticks(values, [f"{value:,}" for value in values])
        ax.xaxis.set_minor_locator(plt.NullLocator())
        if ax in (axes[0, 0], axes[1, 0]):
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            ax.yaxis.set_minor_formatter(lambda value, _: "")
        else:
            ax.set_ylim(0, 1.25 * max(max(floors), *(line["ms"] for line in found)))
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def table(lines, command):
    text = ["| curve | value | ms an image | bare gradients, ms | ratio |"]
    text.append("|---|--:|--:|--:|--:|")
    for line in lines:
        text.append(
            f"| {line['curve']} | {line['value']} | {line['ms']} | "
            f"{line['floor_ms']} | {line['ratio']:.2f} |"
        )
    return "\n".join([*text, "", f"`{command}`, {provenance('tensorflow', 'keras')}."])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two points a curve")
    parser.add_argument("--lines", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--figure", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--write", metavar="FILE", type=pathlib.Path)
    arguments = parser.parse_args()
    lines = []
    for line in measured(arguments.quick, arguments.repeats):
        lines.append(line)
        print(json.dumps(line), flush=True)
    if arguments.lines:
        arguments.lines.write_text("".join(json.dumps(line) + "\n" for line in lines))
    if arguments.figure:
        draw(lines, arguments.figure)
    if arguments.write:
        command = f"python benchmarks/growth.py --repeats {arguments.repeats}"
        write_between_markers(arguments.write, "growth", table(lines, command))


if __name__ == "__main__":
    main()

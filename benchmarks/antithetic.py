"""What pairs of opposite noise take off SmoothGrad's error.

    python benchmarks/antithetic.py [--model efficientnet-lite0|PATH.keras]
        [--images DIR] [--count 8] [--samples 64]

For each image the variance of the grouped map under opposite noise over that under
noise of its own for each sample, at equal numbers of samples, summed over the groups;
and the relative error of both. A JSON line an image.
"""

import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from bare_gradient import load_images, load_model

import tf_superpixel_saliency as tss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--images", metavar="DIR", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--samples", type=int, default=64)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    size = model.input_shape[1]
    images = load_images(arguments.images, arguments.count, size)
    layer = tss.Quickshift() if size > 64 else tss.SLIC(100)
    outs = [
        tss.SmoothGrad(
            model, layer, num_samples=arguments.samples, antithetic=antithetic
        )(images)
        for antithetic in (True, False)
    ]
    opposite, own = (
        np.square(np.float64(out["standard_error"])).sum((1, 2, 3)) for out in outs
    )
    for i, ratio in enumerate(opposite / own):
        line = {
            "model": arguments.model,
            "image": i,
            "samples": arguments.samples,
            "variance_ratio": round(float(ratio), 3),
            "relative_error": round(float(outs[0]["relative_error"][i]), 3),
            "relative_error_own_noise": round(float(outs[1]["relative_error"][i]), 3),
            "tensorflow": tf.__version__,
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

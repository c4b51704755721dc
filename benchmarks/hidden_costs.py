"""What an explanation costs beside its gradients, each part in a process of its own.

    python benchmarks/hidden_costs.py [import] [first-call] [memory] [host]
        [precision] [chunks] [xla]

`import`: processor time of `import tensorflow`, which brings Keras, and of this
package after it. `first-call`: seconds of the first and the second call, then the same
in two processes that keep in a folder what XLA compiled: one fills it, one finds it.
`memory`: the operating system's peak over the size of a dataset. `host`: Felzenszwalb
segmented ahead against one batch after the other. `precision`: the difference that half
precision makes to maps. `chunks`: "auto" against fixed sizes. `xla`: SimpleGradient
compiled with `jit_compile=True` against not, on this machine. JSON lines.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
KEPT = "HIDDEN_COSTS_FOLDER"
FOLDER = os.environ.get(KEPT)


def report(**line):
    print(json.dumps(line), flush=True)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure_import():
    start = time.process_time()
    import tensorflow  # noqa: F401

    brought_keras = "keras" in sys.modules
    import keras  # noqa: F401

    middle = time.process_time()
    import tf_superpixel_saliency  # noqa: F401

    end = time.process_time()
    tensorflow_s, ours_s = middle - start, end - middle
    report(
        what="import",
        tensorflow_s=round(tensorflow_s, 2),
        keras_in_it=brought_keras,
        ours_s=round(ours_s, 2),
        share=round(ours_s / tensorflow_s, 3),
    )


def methods(tss, model):
    shared = {"superpixels": tss.Quickshift()}
    return {
        "SimpleGradient": tss.SimpleGradient(model, **shared),
        "SmoothGrad": tss.SmoothGrad(model, **shared),
        "IntegratedGradients": tss.IntegratedGradients(model, **shared),
        "SimpleGradient, SLIC": tss.SimpleGradient(model, superpixels=tss.SLIC()),
    }


def timed(function, *args):
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def measure_first_call(kept=None):
    if kept:
        os.environ["TF_XLA_FLAGS"] = f"--tf_xla_persistent_cache_directory={FOLDER}"
    import tf_superpixel_saliency as tss

    images = tss.demo.load_photos()[1][:1]
    model = tss.demo.load_model()
    for name, explainer in methods(tss, model).items():
        processor = time.process_time()
        first = timed(explainer, images)
        processor = time.process_time() - processor
        second = timed(explainer, images)
        report(
            what="first call",
            compiled=kept or "not kept",
            method=name,
            first_s=round(first, 2),
            first_processor_s=round(processor, 2),
            second_s=round(second, 2),
        )


def measure_memory(count):
    import numpy as np
    import tensorflow as tf

    import tf_superpixel_saliency as tss

    rng = np.random.default_rng(0)
    model = tss.demo.load_model(input_shape=(96, 96, 3))
    explainer = tss.SimpleGradient(model, tss.Quickshift())

    def images():
        for _ in range(count):
            yield rng.uniform(0, 255, (96, 96, 3)).astype(np.float32)

    spec = tf.TensorSpec((96, 96, 3), tf.float32)
    data = tf.data.Dataset.from_generator(images, output_signature=spec).batch(32)
    explained = sum(len(out["status"]) for out in explainer.explain_batches(data))
    report(what="memory", images=explained, peak_mb=peak_mb())


def measure_host():
    import numpy as np

    import tf_superpixel_saliency as tss

    images = np.concatenate([tss.demo.load_photos()[1]] * 8)
    explainer = tss.SmoothGrad(tss.demo.load_model(), tss.Felzenszwalb(), 4)
    batches = [images[start : start + 4] for start in range(0, len(images), 4)]

    def in_turn():
        for batch in batches:
            explainer(batch)

    def ahead():
        for _ in explainer.explain_batches(images, batch_size=4):
            pass

    in_turn(), ahead()
    times = [(timed(in_turn), timed(ahead)) for _ in range(5)]
    ratios = sorted(after / before for before, after in times)
    report(what="Felzenszwalb ahead", ratio=round(ratios[2], 3))


def measure_precision():
    import numpy as np

    import tf_superpixel_saliency as tss

    images = tss.demo.load_photos()[1]
    model = tss.demo.load_model()
    for superpixels in (None, tss.Quickshift()):
        shared = {"num_samples": 25, "superpixels": superpixels}
        expected = tss.SmoothGrad(model, **shared)(images)
        for dtype in ("mixed_float16", "mixed_bfloat16"):
            out = tss.SmoothGrad(model, model_dtype=dtype, **shared)(images)
            maps = [np.float64(one["maps"]) for one in (out, expected)]
            flat = [values.reshape(len(images), -1) for values in maps]
            norms = [np.linalg.norm(values, axis=1) for values in flat]
            errors = np.linalg.norm(flat[0] - flat[1], axis=1) / norms[1]
            pairs = zip(*flat)
            correlations = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
            report(
                what=dtype,
                superpixels=type(superpixels).__name__,
                median_error=round(float(np.median(errors)), 4),
                largest_error=round(float(errors.max()), 4),
                least_correlation=round(float(min(correlations)), 4),
            )


def measure_chunks(name):
    import numpy as np
    from bare_gradient import load_images, load_model

    import tf_superpixel_saliency as tss

    model = load_model(name)
    images = load_images(None, 1, model.input_shape[1])
    sizes = ("auto", 2, 4, 8, 16, 32, 48)
    explainers = {
        size: tss.SmoothGrad(model, num_samples=48, chunk_size=size) for size in sizes
    }
    for explainer in explainers.values():
        explainer(images)
    times = {size: [] for size in sizes}
    for _ in range(5):
        for size, explainer in explainers.items():
            usage = resource.getrusage(resource.RUSAGE_SELF)
            processor, start = time.process_time(), time.perf_counter()
            explainer(images)
            spent = time.perf_counter() - start, time.process_time() - processor
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            times[size].append((*spent, faults - usage.ru_minflt))
    medians = {size: np.median(values, axis=0) / 48 for size, values in times.items()}
    best = min(medians[size][0] for size in sizes[1:])
    for size, (wall, processor, faults) in medians.items():
        report(
            what="chunk",
            model=name.split("/")[-1],
            chunk_size=size,
            ms=round(1e3 * wall, 2),
            processor_ms=round(1e3 * processor, 2),
            page_faults=round(faults),
            to_best_fixed=round(wall / best, 3),
        )


def measure_xla():
    import numpy as np

    import tf_superpixel_saliency as tss

    model, images = tss.demo.load_model(), tss.demo.load_photos()[1]
    plain, compiled = (tss.SimpleGradient(model, tss.Quickshift()) for _ in range(2))
    compiled.compile(jit_compile=True)
    for count in (1, 4):
        times = [
            (timed(plain, images[:count]), timed(compiled, images[:count]))
            for _ in range(6)
        ][1:]
        milliseconds = 1e3 * np.median(times, axis=0) / count
        report(
            what="xla",
            images=count,
            plain_ms=round(milliseconds[0], 1),
            compiled_ms=round(milliseconds[1], 1),
            ratio=round(float(np.median([b / a for a, b in times])), 2),
        )


PARTS = {
    "import": (measure_import, [()] * 3),
    "first-call": (measure_first_call, [(), ("fills the folder",), ("finds it",)]),
    "memory": (measure_memory, [(64,), (512,), (2048,)]),
    "host": (measure_host, [()]),
    "precision": (measure_precision, [()]),
    "chunks": (measure_chunks, [("efficientnet-lite0",), ("resnet50",)]),
    "xla": (measure_xla, [()]),
}


def main():
    if sys.argv[1:2] == ["--run"]:
        part, *arguments = json.loads(sys.argv[2])
        PARTS[part][0](*arguments)
        return
    chosen = sys.argv[1:] or list(PARTS)
    unknown = [part for part in chosen if part.split("=")[0] not in PARTS]
    if unknown:
        raise SystemExit(f"unknown: {unknown}. There are {', '.join(PARTS)}.")
    with tempfile.TemporaryDirectory() as folder:
        run_each(chosen, folder)


def run_each(chosen, folder):
    for part in chosen:
        part, _, model = part.partition("=")  # chunks=PATH.keras
        for arguments in [(model,)] if model else PARTS[part][1]:
            command = [
                sys.executable,
                __file__,
                "--run",
                json.dumps([part, *arguments]),
            ]
            subprocess.run(command, check=True, env={**os.environ, KEPT: folder})


if __name__ == "__main__":
    main()

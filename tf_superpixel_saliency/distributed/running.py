"""Explaining a data set on Ray: from the list of images to a folder of results."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tqdm.auto import tqdm

from tf_superpixel_saliency.distributed import results, sources
from tf_superpixel_saliency.distributed.reading import Preparation
from tf_superpixel_saliency.distributed.sources import Columns
from tf_superpixel_saliency.distributed.worker import Job, Worker
from tf_superpixel_saliency.evaluation.storage import PARTIAL, PartStore
from tf_superpixel_saliency.evaluation.tables import provenance
from tf_superpixel_saliency.evaluation.writers import only_writer
from tf_superpixel_saliency.explainers import Explainer, classifier
from tf_superpixel_saliency.explainers.settings import array_digest, plain, settings
from tf_superpixel_saliency.image_files import MAX_PIXELS
from tf_superpixel_saliency.ops import checks

# Blocks that Ray looks after; a block is some shards, of which a worker that takes
# over a killed one's finds those that are done.
_MOST_BLOCKS = 10_000
# A worker that dies at the same shard again and again would never end.
_RETRIES = 3
_STORE_BYTES = 100 * 2**20  # the least that Ray takes is 75 MiB; only lists go there


class RunSummary(NamedTuple):
    """What became of the images.

    Attributes:
        images: how many were asked for.
        explained: those that have a map now, `found` included.
        found: those of shards that an earlier run had finished.
        failed: {key: reason}.
        status: {key: flags} of those explained whose `status` isn't 0.
        output: the folder of the results.
    """

    images: int
    explained: int
    found: int
    failed: dict
    status: dict
    output: pathlib.Path


def explain_dataset(
    source,
    output,
    explainer: Explainer | Callable[[], Explainer],
    *,
    target: int = -1,
    size: int | str | None = "model",
    channels: int | None = None,
    squeeze: bool = False,
    value_range=(0, 255),
    image_column: str | None = None,
    key_column: str | None = None,
    images_per_shard: int = 64,
    batch_size: int = 8,
    address: str | None = None,
    num_workers: int | None = None,
    cpus_per_worker: int = 1,
    gpus_per_worker: float = 0,
    max_pixels: int = MAX_PIXELS,
    settings_told: dict | None = None,
    verbose: bool = True,
) -> RunSummary:
    """Explain every image of a data set with Ray; needs the extra `ray`.

    The images are divided into shards in a fixed order. Each worker, an actor of Ray
    Data, makes the explainer once, takes shard after shard, and writes the results of
    each as a Parquet file of the shard's own name, whole or not at all. So a shard
    that is made twice, after its worker was killed, is there once; and the same call
    goes on where it was interrupted.

    Args:
        source: a folder, which is searched through for images, a file, a glob or a
            list of them: images, Parquet files or TFRecords (not compressed).
        output: folder of the results, to which all machines write.
        explainer: an explainer that can be saved as `.keras`, which every worker gets
            a copy of, or a function without arguments that makes one in a worker.
        target: the class to explain in all images, −1 for the predicted one.
        size: side of the square that images are cropped and resized to; "model" is
            the model's own, None leaves each image its height and width (the graph is
            then traced once a size). A function's explainer needs a number or None.
        channels: 1 or 3; None for the model's own, 3 where it isn't known.
        squeeze: squeeze the whole image into the square, in place of its central part.
        value_range: (low, high) that the pixels' 0…255 is scaled to.
        image_column: of Parquet ("image" unless given) or the feature of TFRecords
            ("image/encoded"): the bytes of image files.
        key_column: the same of the images' keys; None for "file:number". Keys of
            image files are their paths below the folder.
        images_per_shard: how much is done again where a worker is killed.
        batch_size: images of a shard that go through the model together.
        address: of a Ray cluster, such as "head:6379", or "auto" on one of its
            machines. None uses the one that this process is connected to, or that
            RAY_ADDRESS names, or starts one here and ends it.
        num_workers: None for as many as the cluster's processors allow.
        cpus_per_worker, gpus_per_worker: what Ray reserves for a worker; its
            TensorFlow has as many threads as processors.
        max_pixels: larger images are refused.
        settings_told: what a function's explainer depends on, as JSON holds it; kept
            with the results, and held against those of an earlier run.
        verbose: a progress bar.

    Returns:
        A `RunSummary`. Images that can't be read have their reason there, and their
        row in the results.

    Raises:
        ImportError: Ray isn't installed.
        ValueError: there are no images, or `output` holds results of other images or
            settings.
        RuntimeError: a worker failed for another reason than an image, which it names;
            or another process writes to `output`.
    """
    _check_ray()
    checks.checked_targets(target, 1)
    checks.checked_count("images_per_shard", images_per_shard)
    checks.checked_count("batch_size", batch_size)
    checks.checked_count("cpus_per_worker", cpus_per_worker)
    runs = sources.find_runs(source)
    prepared = Preparation(
        *_shape(explainer, size, channels),
        bool(squeeze),
        tuple(float(bound) for bound in value_range),
        checks.checked_count("max_pixels", max_pixels),
    )
    shipped = _shipped(explainer)
    about = {
        **_about(explainer, settings_told),
        "preparation": prepared._asdict(),
        "target": target,
        "images_sha256": sources.digest(runs),
        "images_per_shard": images_per_shard,
    }
    folder = pathlib.Path(output).absolute()
    _check_output(folder, about)
    job = Job(
        str(folder),
        shipped,
        _columns(runs, image_column, key_column),
        prepared,
        target,
        batch_size,
        cpus_per_worker,
        {**about, "versions": provenance()["versions"]},
    )
    shards = sources.shards(runs, images_per_shard)
    resources = num_workers, cpus_per_worker, gpus_per_worker
    try:
        with only_writer(folder):
            return _run(job, shards, address, resources, verbose)
    except BlockingIOError:
        raise RuntimeError(
            f"another process explains images into {folder}. Wait for it, or use "
            "another output."
        ) from None


def _check_ray():
    try:
        import pyarrow.parquet  # noqa: F401
        import ray.data  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "explain_dataset needs Ray: run pip install "
            f'"tf-superpixel-saliency[ray]" ({error}).'
        ) from None


def _shape(explainer, size, channels):
    """(size, channels) of what the model takes."""
    known = (None, None, None)
    if isinstance(explainer, Explainer):
        known = classifier.input_shape(explainer.model)
    if size == "model":
        if known[0] is None or known[0] != known[1]:
            raise ValueError(
                'size="model" needs an explainer whose model takes squares of one size '
                f"and says so, but its size is {known[:2]}. Give size=224, or "
                "size=None to leave every image its own."
            )
        size = known[0]
    if size is not None:
        size = checks.checked_count("size", size)
    return size, channels or known[2] or 3


def _about(explainer, told):
    if not isinstance(explainer, Explainer):
        return {"settings": told or {}, "model_sha256": None}
    weights = b"".join(map(array_digest, explainer.model.get_weights()))
    return {
        "settings": {
            "method": type(explainer).__name__,
            "superpixels": plain(explainer.superpixels),
            **settings(explainer),
            **(told or {}),
        },
        "model_sha256": hashlib.sha256(weights).hexdigest(),
    }


def _check_output(folder, about):
    """Refuse a folder of other results; what it is made from is written there."""
    about = json.loads(json.dumps(about))
    if folder.is_dir() and not (folder / "settings.json").exists():
        if any(folder.iterdir()):
            raise ValueError(
                f"{str(folder)!r} holds something else. Choose a new folder."
            )
    PartStore(folder, about)


def _shipped(explainer):
    """What workers make the explainer of: a function, or the bytes of a file."""
    if not isinstance(explainer, Explainer):
        if callable(explainer):
            return explainer
        raise TypeError(
            "explainer must be an explainer such as tss.SmoothGrad(model), or a "
            f"function that makes one, but got {explainer!r}."
        )
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "explainer.keras")
        try:
            explainer.save(path)
        except ValueError as error:
            raise ValueError(
                f"{error} For explain_dataset, pass a function that makes the "
                "explainer, which is called once in every worker."
            ) from None
        return path.read_bytes()


def _columns(runs, image, key):
    is_records = runs[0].path.lower().endswith(sources.RECORD_SUFFIXES)
    return Columns(image or ("image/encoded" if is_records else "image"), key)


@contextlib.contextmanager
def _cluster(address) -> Iterator[None]:
    """Ray, started or connected to here unless it is already."""
    import ray

    if ray.is_initialized():
        yield
        return
    # Ray tells where each of its processes is; the progress bar is ours.
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    address = address or os.environ.get("RAY_ADDRESS")
    if address is None:
        ray.init(
            address="local",  # not one that someone else has started on this machine
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            num_cpus=os.cpu_count(),
            **quiet,
        )
    else:
        ray.init(address=address, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def _run(job, shards, address, resources, verbose) -> RunSummary:
    """Explain the shards that aren't there yet."""
    total = sum(shard.count for shard in shards)
    failed: dict = {}
    status: dict = {}
    left, found = [], 0
    for shard in shards:
        path = results.shard_path(job.output, shard.number)
        if path.exists():
            told = results.read_summary(path)
            failed |= told["failed"]
            status |= told["status"]
            found += told["images"] - len(told["failed"])
        else:
            left.append(shard)
    done = total - sum(shard.count for shard in left)
    with tqdm(total=total, initial=done, unit="image", disable=not verbose) as bar:
        for told in _results(job, left, address, *resources) if left else ():
            failed |= told["failed"]
            status |= told["status"]
            bar.update(told["images"])
    for partial in pathlib.Path(job.output).glob(f"{PARTIAL}*"):
        partial.unlink(missing_ok=True)  # of workers that were killed meanwhile
    explained = total - len(failed)
    folder = pathlib.Path(job.output)
    return RunSummary(total, explained, found, failed, status, folder)


def _results(job, shards, address, num_workers, cpus, gpus):
    """What became of each shard, as Ray's workers finish them."""
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    with _cluster(address):
        data = ray.data.from_items(
            [{"shard": shard.as_text()} for shard in shards],
            override_num_blocks=min(len(shards), _MOST_BLOCKS),
        )
        data.context.enable_progress_bars = False
        if num_workers is None:
            num_workers = max(1, int(ray.cluster_resources().get("CPU", 1) // cpus))
        with warnings.catch_warnings():  # Ray 2.60 announces what 2.64 will not take
            warnings.simplefilter("ignore", DeprecationWarning)
            explained = data.map_batches(
                Worker,
                fn_constructor_args=(job,),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=min(num_workers, len(shards))),
                num_cpus=cpus,
                num_gpus=gpus or None,
                # It would restart a worker, and repeat what it did, without end.
                ray_remote_args_fn=lambda: {"max_task_retries": _RETRIES},
            )
        try:
            for row in explained.iter_rows():
                yield json.loads(row["told"])
        except ray.exceptions.RayError as error:
            raise RuntimeError(
                f"A worker failed, and so did those that took over from it: {error}\n"
                f"What is finished is in {job.output}: the same call goes on from "
                "there."
            ) from error

"""An explainer seen from outside of the graph: calls, `predict`, XLA or not."""

from __future__ import annotations

import threading
import warnings
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.explainers import (
    ahead,
    classifier,
    model_inputs,
    replicas,
    sources,
)
from tf_superpixel_saliency.ops import checks


class CompiledModel(keras.Model):
    """A `keras.Model` whose direct call is checked on the host and then compiled.

    Keras runs a bare `__call__` eagerly, which takes some fifty times as long for
    twenty noise samples. Here it goes through one `tf.function` for each image size.
    A subclass has `model`, `superpixels` and `call(images, targets, segments)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._direct = _DirectCalls()
        self._auto_jit = True

    def __call__(self, images, targets=None, segments=None, inputs=None, **kwargs):
        everything = sources.unpack(images, targets, segments, inputs)
        if sources.is_symbolic(*everything):
            images, *others = everything
            given = dict(zip(sources.KEYS[1:], others))
            given = {key: value for key, value in given.items() if value is not None}
            return super().__call__(images, **given, **kwargs)
        return self._explain(self._checked(*everything))

    def _explain(self, tensors) -> dict:
        out = self._outputs(tensors)
        warn_about_status(out["status"].numpy(), stacklevel=4)
        return out

    def _outputs(self, tensors, strategy=None) -> dict:
        """Outputs of a checked batch, on the devices of a strategy where one is given.

        Without one on the device at hand.
        """
        if not self.run_eagerly:
            return self._direct.function(self, tensors, strategy)(tensors)
        if strategy is not None:
            call = partial(_call, self.call)
            return replicas.shared(call, strategy, tensors)
        return super().__call__(**tensors)

    def _strategy(self):
        """That of the scope it was made in, or is used in, where it has more devices.

        `predict` is mostly called outside of the scope.
        """
        strategy = self.distribute_strategy
        return strategy if strategy.num_replicas_in_sync > 1 else None

    def _checked(self, images, targets, segments, inputs=None) -> dict:
        inputs = checks.named_inputs(inputs)
        images = checks.checked_images(images, self._image_shape(inputs))
        if self.superpixels is not None and segments is None:
            self.superpixels.check_range(images)
        targets = checks.checked_targets(targets, len(images), self._num_classes())
        checked = {"images": images, "targets": tf.constant(targets)}
        if segments is not None:
            segments = checks.checked_segments(segments, images.shape)
            checked["segments"] = tf.constant(segments)
        inputs = checks.checked_inputs(inputs, len(images))
        model_inputs.image_input(self.model, inputs)
        model_inputs.check_image_dtype(self.model, inputs)
        return {**checked, "inputs": inputs} if inputs else checked

    def _image_shape(self, inputs=()) -> tuple:
        """(H, W, C) of the pictures, None where a size is free or isn't known."""
        height, width, channels = classifier.input_shape(self.model, inputs)
        return height, width, channels if self.preprocess is None else None

    def _num_classes(self):
        try:
            shape = self.model.output_shape
        except (AttributeError, ValueError, RuntimeError):
            return None
        return shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None

    def predict(
        self,
        x,
        batch_size=None,
        verbose="auto",
        steps=None,
        callbacks=None,
        targets=None,
        segments=None,
        inputs=None,
    ):
        """`keras.Model.predict` over arrays or a dataset: NumPy outputs.

        An explainer that was made in the scope of a `tf.distribute.MirroredStrategy`
        shares every batch among its devices; so does `explain_batches`.

        Args:
            x: images (N, H, W, C), a dictionary of "images", "targets", "segments"
                and "inputs", or a `tf.data.Dataset` (or `PyDataset`, generator) of
                batches of either.
            batch_size, verbose, steps, callbacks: as in Keras.
            targets, segments, inputs: as at a direct call, where `x` is an array.

        Returns:
            A dictionary of arrays. All outputs stay in memory: for more than fits,
            use `explain_batches`.

        Raises:
            ValueError: as at a direct call; a dataset of (x, y) pairs.
        """
        if not sources.is_array(x):
            x = sources.check_source(x)
            if self._strategy() is not None:
                return self._predict_on_replicas(x, None, verbose, steps, callbacks)
            if isinstance(x, tf.data.Dataset):
                x = ahead.segmented_dataset(self, x) or x
            out = super().predict(x, verbose=verbose, steps=steps, callbacks=callbacks)
            warn_about_status(out["status"])
            return out
        checked = self._checked(*sources.unpack(x, targets, segments, inputs))
        if self._strategy() is not None:
            return self._predict_on_replicas(
                checked, batch_size or 32, verbose, steps, callbacks
            )
        arrays = tf.nest.map_structure(lambda value: value.numpy(), checked)
        count = len(arrays["images"])
        batch_size = batch_size or 32
        padding = -count % min(batch_size, count) if self.jit_compile else 0
        if padding:  # XLA compiles once a shape: fill the last batch
            arrays = _filled(arrays, count + padding)
        out = super().predict(
            ahead.segmented_dataset(self, arrays, batch_size) or arrays,
            batch_size=batch_size,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
        )
        out = {key: value[:count] for key, value in out.items()}
        warn_about_status(out["status"])
        return out

    def _predict_on_replicas(self, data, batch_size, verbose, steps, callbacks):
        if steps is None:
            steps = replicas.number_of_batches(data, batch_size)
        batches = sources.batches(data, batch_size)
        outputs = (self._arrays(sources.as_tensors(**batch)) for batch in batches)
        out = replicas.predict(self, outputs, steps, verbose, callbacks)
        warn_about_status(out["status"], stacklevel=4)
        return out

    def _arrays(self, tensors):
        out = self._outputs(tensors, self._strategy())
        return {key: value.numpy() for key, value in out.items()}

    def explain_batches(self, data, batch_size=32):
        """Explain batch by batch, for data of any size: memory stays flat.

        Under XLA a batch that is smaller than one before is filled up, so that
        nothing is compiled anew. Super-pixels that run on the host segment the next
        batch meanwhile.

        Args:
            data: as `x` of `predict`, or any iterable of batches.
            batch_size: for arrays; a dataset brings its own.

        Yields:
            The dictionary of outputs of each batch, as NumPy arrays.

        Raises:
            ValueError: as `predict`: a bad image raises where `data` is an array, and
                has its `status` where it comes from a dataset.
        """
        prepare = self._checked if sources.is_array(data) else sources.as_tensors
        batches = (prepare(**batch) for batch in sources.batches(data, batch_size))
        most = 0
        for tensors in ahead.segmented_batches(self, batches):
            count = len(tensors["images"])
            most = max(most, count)
            if self.jit_compile and 0 < count < most:
                tensors = _filled(tensors, most)
            out = {k: value[:count] for k, value in self._arrays(tensors).items()}
            warn_about_status(out["status"])
            yield out

    def compile(self, *args, jit_compile="auto", **kwargs):
        """As `keras.Model.compile`; `jit_compile=True` compiles the maps with XLA.

        "auto" does so where a GPU is. On a CPU XLA makes the gradient of convolutions
        many times slower, so it is never the default there.
        """
        self._auto_jit = jit_compile == "auto"
        super().compile(*args, jit_compile=jit_compile, **kwargs)
        self._direct = _DirectCalls()

    @property
    def jit_compile(self):
        """Whether XLA compiles the explanation, at a call as under `predict`."""
        if self._auto_jit:
            return bool(tf.config.list_physical_devices("GPU")) and (
                not self._is_distributed() and self._all_layers_support_jit()
            )
        return self._jit_compile

    def _is_distributed(self):
        return tf.distribute.has_strategy() or self._strategy() is not None

    @jit_compile.setter
    def jit_compile(self, value):
        if value and not self._auto_jit and not self._all_layers_support_jit():
            warnings.warn(
                "jit_compile=True is left aside: a layer runs on the host or does not "
                "support XLA.",
                stacklevel=2,
            )
            value = False
        self._jit_compile = value

    def _all_layers_support_jit(self):
        return all(layer.supports_jit for layer in self._flatten_layers())


class _DirectCalls:
    """One `tf.function` for each image size: one trace whatever the batch."""

    def __init__(self):
        self._functions = {}
        self._lock = threading.Lock()

    def function(self, explainer, checked, strategy=None):
        signature = {key: _free_batch(value) for key, value in checked.items()}
        key = str(signature), strategy
        with self._lock:
            if key not in self._functions:
                self._functions[key] = self._build(explainer, signature, strategy)
            return self._functions[key]

    @staticmethod
    def _build(explainer, signature, strategy):
        # TensorFlow counts the traces of a method for all of its objects together,
        # and would warn of several explainers as of retracing; a partial has no
        # code that others share.
        call = partial(_call, explainer.call)
        jit_compile = True if explainer.jit_compile else None
        if strategy is not None:
            if jit_compile:  # XLA compiles for one device
                call = tf.function(call, jit_compile=True, autograph=False)
            call, jit_compile = partial(replicas.shared, call, strategy), None
        return tf.function(
            call,
            input_signature=[signature],
            jit_compile=jit_compile,
            # As under Keras' `predict`; and errors keep their own text.
            autograph=False,
        )


def _call(call, tensors):
    return call(**tensors)


def _filled(tensors, rows):
    """A batch repeated from its start to a number of rows, numpy or tensors."""
    count = len(tensors["images"])
    order = np.arange(rows) % count

    def fill(value):
        return tf.gather(value, order) if tf.is_tensor(value) else value[order]

    return tf.nest.map_structure(fill, tensors)


def _free_batch(value):
    if isinstance(value, dict):
        return {name: _free_batch(one) for name, one in value.items()}
    return tf.TensorSpec((None, *value.shape[1:]), value.dtype)


def warn_about_status(status, stacklevel=3):
    """Warn of images whose maps are not to be trusted, with their number and why."""
    for flag, text in checks.STATUS_TEXTS.items():
        count = int(np.count_nonzero(np.asarray(status) & flag))
        if count:
            warnings.warn(
                f"{count} of {len(status)} images: {text}. See the output `status`.",
                stacklevel=stacklevel,
            )

"""A float32 model run in half precision, its weights read where they are."""

from __future__ import annotations

import copy

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers import model_inputs
from tf_superpixel_saliency.explainers.classifier import in_inference
from tf_superpixel_saliency.explainers.layer_graph import described, is_built

POLICIES = ("mixed_float16", "mixed_bfloat16")


class MixedPrecision:
    """A Keras model under a mixed dtype policy, as a function of its inputs.

    Layers in float32 compute in half precision, but for those that make the model's
    outputs, as Keras advises; layers of another type stay as they are. The model
    itself is not changed: its layers are built once more from their configuration, and
    run with the weights that the model has at that call.

    Args:
        model: a built `keras.Model` that Keras can build from its configuration.
        policy: "mixed_float16" or "mixed_bfloat16".

    Raises:
        ValueError: another policy, or a model that can't be built again.
    """

    def __init__(self, model, policy: str):
        if policy not in POLICIES:
            raise ValueError(
                f"model_dtype must be one of {POLICIES}, or None for the model as it "
                f"is, but got {policy!r}."
            )
        if not isinstance(model, keras.Model) or not is_built(model):
            raise ValueError(
                f"model_dtype={policy!r} needs a functional or sequential Keras model "
                f"whose inputs are known, but got {described(model)}. Build the model "
                "under the policy, as in Keras, and leave model_dtype away."
            )
        self.compute_dtype = keras.DTypePolicy(policy).compute_dtype
        self._model = model
        self._mixed = _built_again(model, policy)

    def __call__(self, images, training=False, **given) -> tf.Tensor:
        """(N, H, W, C) and further inputs by name → what the model returns."""
        del training  # for those who look for it: it is always inference
        weights = zip(self._mixed.variables, self._model.variables)
        mapping = [(mine, tf.convert_to_tensor(theirs)) for mine, theirs in weights]
        inputs = model_inputs.arranged(self._mixed, images, given)
        with keras.StatelessScope(state_mapping=mapping):
            return in_inference(inputs, lambda x: self._mixed(x, training=False))


def _built_again(model, policy):
    last = {tensor._keras_history.operation.name for tensor in model.outputs}
    config = copy.deepcopy(keras.saving.serialize_keras_object(model))
    for entry in _layers_of(config, last):
        entry["config"]["dtype"] = policy
    try:
        mixed = keras.saving.deserialize_keras_object(config)
        shapes = [tuple(weight.shape) for weight in mixed.variables]
    except Exception as error:
        raise ValueError(
            f"{described(model)} can't be built again from its configuration, as "
            f"model_dtype={policy!r} needs: {type(error).__name__}: {error}. Build "
            "the model under the policy, as in Keras, and leave model_dtype away."
        ) from error
    if shapes != [tuple(weight.shape) for weight in model.variables]:
        raise ValueError(
            f"{described(model)} has other weights when it is built again from its "
            "configuration. Build the model under the policy, as in Keras, and leave "
            "model_dtype away."
        )
    return mixed


def _layers_of(config, left_out):
    """The configurations of a model's float32 layers, those of models inside too."""
    if isinstance(config, list):
        for one in config:
            yield from _layers_of(one, left_out)
        return
    if not isinstance(config, dict):
        return
    inner = config.get("config")
    if isinstance(inner, dict):
        is_layer = "class_name" in config and "dtype" in inner
        if is_layer and config["class_name"] != "InputLayer":
            if inner.get("name") not in left_out and _is_float32(inner["dtype"]):
                yield config
    for value in config.values():
        yield from _layers_of(value, left_out)


def _is_float32(dtype):
    if isinstance(dtype, dict):  # a policy with its own configuration
        dtype = dtype.get("config", {}).get("name")
    return dtype == "float32"

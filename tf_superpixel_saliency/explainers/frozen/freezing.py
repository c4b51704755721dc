"""Whether a model can be run frozen, found out once and told with the reason."""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

from tf_superpixel_saliency.explainers.classifier import Inference
from tf_superpixel_saliency.explainers.frozen.model import FrozenModel
from tf_superpixel_saliency.explainers.frozen.probe import check_on_probe
from tf_superpixel_saliency.explainers.frozen.steps import CannotFreeze
from tf_superpixel_saliency.explainers.mixed_precision import MixedPrecision
from tf_superpixel_saliency.explainers.state import DroppedWrites


class Freezing(NamedTuple):
    """How an explainer runs its model.

    Attributes:
        num_folded: batch norms folded into the layers before them.
        num_convolutions: convolutions whose gradient is computed as a convolution.
        has_affine_start: whether the transpose of the first layers is shared by the
            samples of an image.
        error: the largest relative difference seen on random images.
        reason: why the model is run as it is; empty where it is frozen.
    """

    num_folded: int
    num_convolutions: int
    has_affine_start: bool
    error: float
    reason: str


class Freezer:
    """Freezes a model at its first use.

    Args:
        model: what `classifier.as_function` takes.
        enabled: False leaves the model as it is.
    """

    def __init__(self, model, enabled):
        self._model = model
        self._frozen = None
        self.freezing = None
        if not enabled:
            self._leave("fold_batch_norms=False")

    def _leave(self, reason):
        self.freezing = Freezing(0, 0, False, 0.0, reason)

    def frozen(self, size=(None, None)) -> FrozenModel | None:
        """The frozen model, or None; decided at the first call.

        Args:
            size: (H, W) of the images, to try it with.
        """
        if self.freezing is None:
            try:
                self._freeze(size)
            except CannotFreeze as reason:
                self._leave(str(reason))
        return self._frozen

    def _freeze(self, size):
        if isinstance(self._model, MixedPrecision):
            raise CannotFreeze(f"it is run in {self._model.compute_dtype}")
        if not isinstance(self._model, keras.Model):
            raise CannotFreeze("only Keras models show their layers")
        try:
            frozen = FrozenModel(self._model)
            with tf.init_scope(), DroppedWrites():  # eager, while a graph is traced
                error = self._try(frozen, size)
        except CannotFreeze:
            raise
        except Exception as error:  # from a layer on random images, or Keras' inside
            raise CannotFreeze(
                f"the trial failed: {type(error).__name__}: {error}"
            ) from error
        self._frozen = frozen
        self.freezing = Freezing(
            num_folded=frozen.num_folded,
            num_convolutions=frozen.num_convolutions,
            has_affine_start=frozen.has_affine_start,
            error=error,
            reason="",
        )

    def _try(self, frozen, size):
        model = self._model
        return check_on_probe(
            model,
            Inference(lambda inputs: model(inputs, training=False)),
            Inference(lambda inputs: frozen(inputs, frozen.prepare())),
            size,
        )

"""Classifiers of a line or two, whose predictions can be worked out by hand."""

import numpy as np


class Additive:
    """Class 1 scores Σ weights·image, class 0 the negative; counts what it is given."""

    def __init__(self, weights):
        self.weights = np.asarray(weights, np.float64)
        self.shapes = []

    def __call__(self, images):
        assert images.dtype == np.float32
        self.shapes.append(images.shape)
        score = np.tensordot(images.astype(np.float64), self.weights, 3)
        return np.stack([-score, score], axis=1)

    @property
    def rows(self):
        return sum(shape[0] for shape in self.shapes)


def softmax_network(shape, classes=4, seed=0):
    """A small random network: tanh of a linear layer, then a softmax."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(int(np.prod(shape)), 16)) / np.sqrt(np.prod(shape))
    second = rng.normal(size=(16, classes)) * 2

    def predict(images):
        hidden = np.tanh(images.reshape(len(images), -1).astype(np.float64) @ first)
        logits = hidden @ second
        values = np.exp(logits - logits.max(axis=1, keepdims=True))
        return values / values.sum(axis=1, keepdims=True)

    return predict

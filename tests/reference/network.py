"""Slow twin of a small classifier: convolutions by loops, backward pass by hand."""

import numpy as np


class Network:
    """x·scale + offset, two convolutions with ReLU, a dense layer, softmax; float64.

    Args:
        scale, offset: of the images.
        convolutions: two (kernel (h, w, in, out), bias (out,), stride).
        dense: (kernel, bias) on the flattened features.
    """

    def __init__(self, scale, offset, convolutions, dense):
        self.scale = scale
        self.offset = offset
        self.convolutions = [
            (np.array(kernel, np.float64), np.array(bias, np.float64), stride)
            for kernel, bias, stride in convolutions
        ]
        self.dense = tuple(np.array(value, np.float64) for value in dense)

    def _forward(self, images):
        inputs, active = [], []
        x = np.array(images, np.float64) * self.scale + self.offset
        for kernel, bias, stride in self.convolutions:
            inputs.append(x)
            x = _convolve(x, kernel, stride) + bias
            active.append(x > 0)
            x = np.maximum(x, 0)
        logits = x.reshape(len(x), -1) @ self.dense[0] + self.dense[1]
        return logits, x.shape, inputs, active

    def logits(self, images):
        return self._forward(images)[0]

    def probabilities(self, images):
        logits = self.logits(images)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def score(self, images, targets):
        """(N,): the probability of each image's class."""
        return self.probabilities(images)[np.arange(len(images)), targets]

    def gradient(self, images, targets):
        """(N, H, W, C): ∇ of the probability of each image's class."""
        _, shape, inputs, active = self._forward(images)
        p = self.probabilities(images)
        hot = np.eye(p.shape[1])[targets]
        chosen = (p * hot).sum(axis=1, keepdims=True)
        back = chosen * (hot - p) @ self.dense[0].T
        back = back.reshape(shape)
        for (kernel, _, stride), x, on in zip(
            reversed(self.convolutions), reversed(inputs), reversed(active)
        ):
            back = _convolve_backward(back * on, kernel, stride, x.shape)
        return back * self.scale


def _places(shape, kernel, stride):
    height = (shape[1] - kernel.shape[0]) // stride + 1
    width = (shape[2] - kernel.shape[1]) // stride + 1
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            window = (
                slice(None),
                slice(top, top + kernel.shape[0]),
                slice(left, left + kernel.shape[1]),
            )
            yield i, j, window


def _convolve(x, kernel, stride):
    rows = (x.shape[1] - kernel.shape[0]) // stride + 1
    columns = (x.shape[2] - kernel.shape[1]) // stride + 1
    out = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i, j, window in _places(x.shape, kernel, stride):
        out[:, i, j] = np.tensordot(x[window], kernel, axes=3)
    return out


def _convolve_backward(back, kernel, stride, shape):
    out = np.zeros(shape)
    for i, j, window in _places(shape, kernel, stride):
        out[window] += np.tensordot(back[:, i, j], kernel, axes=(1, 3))
    return out

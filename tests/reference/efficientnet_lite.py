"""EfficientNet-Lite in NumPy, straight from the tensors of PyTorch's file.

Slow and plain: batch norms are folded into the convolutions first, padding is
written out, and expansion and widths come from the shapes of the tensors.
"""

from __future__ import annotations

import numpy as np

# (kernel, stride) of each stage's first block, and blocks a stage, from the paper's
# table of EfficientNet-B0; Lite1 and Lite2 have more blocks in the middle stages.
KERNELS = (3, 3, 5, 3, 5, 5, 3)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
BLOCKS = {
    "efficientnet-lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet-lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet-lite2": (1, 3, 3, 4, 4, 5, 1),
}


def folded(tensors, conv, norm):
    """Convolution and batch norm as one: kernel (O, I, h, w) and bias (O,)."""
    part = {
        name: tensors[f"{norm}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    }
    scale = part["weight"] / np.sqrt(part["running_var"] + 1e-3)
    kernel = tensors[f"{conv}.weight"] * scale[:, None, None, None]
    return kernel, part["bias"] - part["running_mean"] * scale


def windows(x, size, stride):
    """Pixels under each kernel element, TensorFlow's "same" padding: (h, w, H, W, C).

    The outputs are ceil(length / stride), and an odd pixel of padding goes last.
    """
    for axis in (0, 1):
        outputs = -(-x.shape[axis] // stride)
        padding = max(0, (outputs - 1) * stride + size - x.shape[axis])
        widths = [(0, 0)] * 3
        widths[axis] = (padding // 2, padding - padding // 2)
        x = np.pad(x, widths)
    rows = (x.shape[0] - size) // stride + 1
    columns = (x.shape[1] - size) // stride + 1
    return np.stack(
        [
            np.stack(
                [
                    x[i : i + rows * stride : stride, j : j + columns * stride : stride]
                    for j in range(size)
                ]
            )
            for i in range(size)
        ]
    )


def conv(x, kernel, bias, stride=1):
    """(H, W, I) → (H', W', O)."""
    under = windows(x, kernel.shape[-1], stride)
    return np.einsum("hwyxi,oihw->yxo", under, kernel, optimize=True) + bias


def depthwise(x, kernel, bias, stride):
    """(H, W, C) → (H', W', C), each channel by itself."""
    under = windows(x, kernel.shape[-1], stride)
    return np.einsum("hwyxc,chw->yxc", under, kernel[:, 0]) + bias


def relu6(x):
    return np.clip(x, 0, 6)


def block(x, tensors, number, stride):
    """Inverted residual block: (H, W, I) → (H', W', O)."""
    name = f"_blocks.{number}"
    y = x
    if f"{name}._expand_conv.weight" in tensors:
        y = relu6(conv(y, *folded(tensors, f"{name}._expand_conv", f"{name}._bn0")))
    y = relu6(
        depthwise(
            y, *folded(tensors, f"{name}._depthwise_conv", f"{name}._bn1"), stride
        )
    )
    y = conv(y, *folded(tensors, f"{name}._project_conv", f"{name}._bn2"))
    return x + y if y.shape == x.shape else y


def logits(image, tensors, model):
    """(H, W, 3) in 0…255 → (1000,)."""
    x = (np.asarray(image, np.float64) - 127) / 128
    x = relu6(conv(x, *folded(tensors, "_conv_stem", "_bn0"), 2))
    number = 0
    for kernel, first_stride, count in zip(KERNELS, STRIDES, BLOCKS[model]):
        for repeat in range(count):
            found = tensors[f"_blocks.{number}._depthwise_conv.weight"].shape[-1]
            assert found == kernel
            x = block(x, tensors, number, first_stride if repeat == 0 else 1)
            number += 1
    assert f"_blocks.{number}._bn1.weight" not in tensors
    x = relu6(conv(x, *folded(tensors, "_conv_head", "_bn1"))).mean(axis=(0, 1))
    return tensors["_fc.weight"] @ x + tensors["_fc.bias"]

"""2^x and roots in float64, of operations that XLA turns into vector code.

XLA's CPU backend calls the C library for `pow`, and in older versions for `exp`, one
number at a time. What is here is elementwise arithmetic alone, and several times as
fast; NaN stays NaN.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_MANTISSA_BITS = 52
# Adding it leaves an integer's two's complement in the lowest bits of the sum.
_SHIFTER = 1.5 * 2.0**_MANTISSA_BITS


def _chebyshev(degree):
    """Coefficients of 2^x on [-1/2, 1/2], lowest first."""
    series = np.polynomial.Chebyshev.interpolate(np.exp2, degree, [-0.5, 0.5])
    return series.convert(kind=np.polynomial.Polynomial).coef


def _horner(coefficients, x):
    total = tf.constant(coefficients[-1], x.dtype)
    for coefficient in coefficients[-2::-1]:
        total = total * x + tf.constant(coefficient, x.dtype)
    return total


def exp2(x: tf.Tensor, degree: int = 10) -> tf.Tensor:
    """2^x for x of at most 1023, and 2^-1000 below that.

    Args:
        x: float64 of any shape.
        degree: of the polynomial. Relative error 3e-9 at 6, 6e-11 at 7, 1e-12 at 8 and
            below 1e-15 at 11.

    Returns:
        float64 of that shape.
    """
    x = tf.maximum(x, tf.constant(-1000.0, x.dtype))
    # Rounded by its own operation: XLA would cancel (x + shifter) - shifter.
    whole = tf.round(x)
    fraction = _horner(_chebyshev(degree), x - whole)
    exponent = tf.bitcast(whole + tf.constant(_SHIFTER, x.dtype), tf.int64)
    shifted = tf.bitwise.left_shift(exponent, tf.constant(_MANTISSA_BITS, tf.int64))
    return tf.bitcast(tf.bitcast(fraction, tf.int64) + shifted, x.dtype)


def inverse_root(x: tf.Tensor, degree: int) -> tf.Tensor:
    """x^(−1/degree) of positive numbers in float32's normal range, to some 1e-14.

    A line through the bits of x, as of its logarithm, is right to a tenth. With z so
    far and r = 1 − x·z^degree, the exact root is z·(1 − r)^(−1/degree), of which four
    terms are taken: once in float32, once in float64.

    Args:
        x: float64 of any shape, in 1e-37…1e38.
        degree: a Python integer, at least 1.

    Returns:
        float64 of that shape.
    """
    share = 1.0 / degree
    first = share
    second = first * (1 + share) / 2
    third = second * (2 + share) / 3

    def refined(z, x):
        rest = 1.0 - x * _whole_power(z, degree)
        return z + z * rest * (first + rest * (second + rest * third))

    rough = tf.cast(x, tf.float32)
    bits = tf.cast(tf.bitcast(rough, tf.int32), tf.float32)
    # 0.045 is the mean error of taking a mantissa for its logarithm.
    bits = (1 + share) * (127 - 0.045) * 2.0**23 - share * bits
    start = tf.bitcast(tf.cast(bits, tf.int32), tf.float32)
    return refined(tf.cast(refined(start, rough), tf.float64), x)


def _whole_power(x, exponent):
    """x^exponent by squaring, for a Python integer of at least 1."""
    if exponent == 1:
        return x
    half = _whole_power(x, exponent // 2)
    return half * half * x if exponent % 2 else half * half


def round_to_float32(x: tf.Tensor) -> tf.Tensor:
    """The nearest float32, ties to even, as a float64.

    In integers, because XLA may drop a cast there and back as needless.

    Args:
        x: float64 of any shape, in float32's range of normal numbers.

    Returns:
        float64 of that shape, with the 29 lowest bits clear.
    """
    bits = tf.bitcast(x, tf.int64)

    def word(value):
        return tf.constant(value, tf.int64)

    odd = tf.bitwise.bitwise_and(tf.bitwise.right_shift(bits, word(29)), word(1))
    bits = bits + (odd + word(2**28 - 1))
    return tf.bitcast(tf.bitwise.bitwise_and(bits, word(-(2**29))), x.dtype)

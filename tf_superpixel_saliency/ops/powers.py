"""2^x, log2 and powers in float64, of operations that XLA turns into vector code.

XLA's CPU backend calls the C library for `pow`, and in older versions for `exp`, one
number at a time. These polynomials are elementwise arithmetic alone, and several
times as fast; NaN stays NaN.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_MANTISSA_BITS = 52
_BIAS = 1023
# Adding it leaves an integer's two's complement in the lowest bits of the sum.
_SHIFTER = 1.5 * 2.0**_MANTISSA_BITS
_EXACT_BITS = int(np.float64(2.0**_MANTISSA_BITS).view(np.uint64))


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
        degree: of the polynomial. Relative error 2e-11 at 7, 8e-13 at 8 and below
            1e-15 at 11.

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


def log2(x: tf.Tensor) -> tf.Tensor:
    """Logarithm to base 2 of normal positive numbers, to some 1e-13.

    Splits x = 2^e·m with m in [√½, √2], and sums the series
    log2(m) = 2/ln 2·(s + s³/3 + s⁵/5 + …) with s = (m − 1)/(m + 1).

    Args:
        x: float64 of any shape, positive and normal.

    Returns:
        float64 of that shape.
    """

    def word(value):
        return tf.constant(value % 2**64, tf.uint64)

    bits = tf.bitcast(x, tf.uint64)
    width, bias = word(_MANTISSA_BITS), word(_BIAS)
    # Starts the mantissa's range at √½, so that s is small on both sides of 1.
    start = int(np.float64(np.sqrt(0.5)).view(np.uint64)) - (_BIAS << _MANTISSA_BITS)
    exponent = tf.bitwise.right_shift(bits - word(start), width)
    mantissa_bits = bits - tf.bitwise.left_shift(exponent - bias, width)
    mantissa = tf.bitcast(mantissa_bits, x.dtype)
    # An integer below 2^52 in the lowest bits of 2^52 is their sum: a cast that
    # every processor has vectors for.
    whole = tf.bitwise.bitwise_or(exponent, word(_EXACT_BITS))
    whole = tf.bitcast(whole, x.dtype) - (2.0**_MANTISSA_BITS + _BIAS)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    series = [2.0 / np.log(2.0) / power for power in range(1, 16, 2)]
    return whole + s * _horner(series, s * s)


def power(x: tf.Tensor, exponent: float) -> tf.Tensor:
    """x^exponent of normal positive numbers, to some 1e-13, relative.

    Args:
        x: float64 of any shape, positive and normal.
        exponent: a Python number.

    Returns:
        float64 of that shape.
    """
    return exp2(tf.constant(exponent, x.dtype) * log2(x))


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

"""Photo files → pixels inside of a graph, equal to what Pillow decodes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_superpixel_saliency.serving.orientation import jpeg_orientation, upright

_HEADER = 32


def decode_photo(data: tf.Tensor, max_pixels: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode a JPEG, PNG, GIF, BMP or WebP file as the command reads it.

    JPEGs are turned upright, transparency is laid over white, 16-bit gray is scaled
    down, of an animation it is the first image. Pixels equal Pillow's, but for: the
    orientation of files other than JPEG, which is left aside; one colour that stands
    for transparency in PNG or GIF, which stays a colour, or is black in a GIF.

    Args:
        data: () string. WebP needs a TensorFlow whose `tf.io.decode_image` reads it.
        max_pixels: the largest H·W. Small files can hold huge images.

    Returns:
        (H, W, 3) uint8, and whether it is an image, whole and not too large; the
        pixels are one black one otherwise.
    """
    header, max_pixels = _header(data), np.int64(max_pixels)
    is_jpeg = _begins(header, b"\xff\xd8\xff")
    is_small = tf.reduce_prod(_told_size(header)) <= max_pixels
    pixels, readable = tf.cond(
        is_jpeg,
        lambda: _attempt(lambda file: _jpeg(file, max_pixels), data),
        lambda: tf.cond(is_small, lambda: _other(data, header), _nothing),
    )
    pixels = tf.cond(is_jpeg, lambda: _turned(pixels, data), lambda: pixels)
    is_small = tf.reduce_prod(tf.shape(pixels, tf.int64)[:2]) <= max_pixels
    return tf.ensure_shape(pixels, [None, None, 3]), readable & is_small


def _attempt(decode, data, dtype=tf.uint8):
    """What `decode` makes of data, or nothing where it fails.

    The one way to catch an operation's error inside of a graph. The function is
    prepared anew at every run, so it has to be small: one operation or two.
    """
    decode = tf.autograph.experimental.do_not_convert(decode)
    decoded = tf.data.Dataset.from_tensors(data).map(decode).ignore_errors()
    return decoded.reduce(_nothing(dtype), lambda _, pixels: (pixels, True))


def _nothing(dtype=tf.uint8):
    return tf.zeros([1, 1, 3], dtype), tf.constant(False)


def _header(data):
    filled = tf.strings.join([tf.strings.substr(data, 0, _HEADER), b"\0" * _HEADER])
    return tf.cast(tf.io.decode_raw(filled, tf.uint8)[:_HEADER], tf.int64)


def _begins(header, signature):
    return tf.reduce_all(tf.equal(header[: len(signature)], list(signature)))


def _told_size(header):
    """(2,) int64 from the header of a PNG, GIF, BMP or WebP; 0 for other files."""

    def numbers(place, size, little):
        values = tf.reshape(header[place : place + 2 * size], [2, size])
        powers = [256**power for power in range(size)]
        return tf.reduce_sum(values * (powers if little else powers[::-1]), 1)

    # 14 bits each of the lossy format (RFC 6386, 9.1) and, less 1, of the lossless
    # one, behind each other; 24 bits each, less 1, of a canvas.
    bits = tf.reduce_sum(header[21:25] * [256**power for power in range(4)])
    lossless = tf.stack([bits % 2**14, bits // 2**14 % 2**14]) + 1

    size = tf.zeros(2, tf.int64)
    for signature, told in (
        (b"\x89PNG", numbers(16, 4, little=False)),
        (b"GIF8", numbers(6, 2, little=True)),
        (b"BM", numbers(18, 4, little=True)),
    ):
        size = tf.where(_begins(header, signature), told, size)
    is_webp = _begins(header, b"RIFF") & _begins(header[8:], b"WEBP")
    for kind, told in (
        (b"VP8 ", numbers(26, 2, little=True) % 2**14),
        (b"VP8L", lossless),
        (b"VP8X", numbers(24, 3, little=True) + 1),
    ):
        size = tf.where(is_webp & _begins(header[12:], kind), told, size)
    # A BMP's height is negative where its rows go downwards.
    return tf.minimum(size, 2**32 - size)


def _jpeg(data, max_pixels):
    size = tf.cast(tf.image.extract_jpeg_shape(data)[:2], tf.int64)
    small = tf.debugging.assert_less_equal(tf.reduce_prod(size), max_pixels)
    with tf.control_dependencies([small]):
        data = tf.identity(data)
    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")


def _turned(pixels, data):
    return upright(pixels, jpeg_orientation(data))


def _other(data, header):
    # Behind a PNG's size: bits of a channel, and 0 for gray.
    is_gray = _begins(header, b"\x89PNG") & tf.equal(header[25], 0)
    return tf.cond(
        is_gray & tf.equal(header[24], 16),
        lambda: _deep_gray(data),
        lambda: tf.cond(
            _begins(header, b"BM"),
            lambda: _attempt(lambda file: _decode(file, 3), data),
            lambda: _over_white(*_attempt(lambda file: _decode(file, 0), data)),
        ),
    )


def _decode(data, channels):
    return tf.io.decode_image(data, channels, expand_animations=False)


def _deep_gray(data):
    values, readable = _attempt(_decode_deep, data, tf.uint16)
    values = tf.cast(values[..., :1], tf.float64)
    top = tf.where(tf.reduce_max(values) > 255, 65535.0, 255.0)
    # tf.round and NumPy's rint both go to the even neighbour.
    scaled = tf.round(values * (255.0 / tf.cast(top, tf.float64)))
    return tf.repeat(tf.cast(scaled, tf.uint8), 3, axis=-1), readable


def _decode_deep(data):
    return tf.io.decode_png(data, channels=1, dtype=tf.uint16)


def _over_white(pixels, readable):
    """(H, W, 1 to 4) uint8 → (H, W, 3): gray spread out, alpha blended with white."""
    channels = tf.shape(pixels)[-1]
    gray = channels < 3
    colours = tf.cond(
        gray, lambda: tf.repeat(pixels[..., :1], 3, -1), lambda: pixels[..., :3]
    )
    has_alpha = tf.equal(channels % 2, 0)
    colours = tf.cond(
        has_alpha, lambda: _blended(colours, pixels[..., -1:]), lambda: colours
    )
    return colours, readable


def _blended(colours, alpha):
    # In Pillow's integers: a product with 128/255, rounded, by shifts.
    colours, alpha = tf.cast(colours, tf.int32), tf.cast(alpha, tf.int32)
    total = 128 * (colours * alpha + 255 * (255 - alpha)) + (128 << 7)
    shift = tf.bitwise.right_shift
    return tf.cast(shift(shift(shift(total, 8) + total, 8), 7), tf.uint8)

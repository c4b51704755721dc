"""Photo files in the graph: the pixels that the command reads, bad files flagged."""

import functools
import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tf_superpixel_saliency as tss
from tests.explainers.networks import as_arrays, relative_error
from tests.serving.models import cat, encoded, named_classifier, smooth
from tests.serving.server import Server
from tf_superpixel_saliency.cli.photos import read_photo
from tf_superpixel_saliency.serving.decoding import decode_photo
from tf_superpixel_saliency.serving.image_bytes import Photos

RNG = np.random.default_rng(0)
CAT = cat()
ALPHA = RNG.integers(0, 256, CAT.size[::-1], dtype=np.uint8)
WITH_ALPHA = Image.fromarray(np.dstack([np.asarray(CAT), ALPHA]))
DEEP = RNG.integers(0, 65536, (40, 35)).astype(np.uint16)


def turned(orientation, order):
    """A JPEG with an orientation among other tags, in one of TIFF's byte orders."""
    pack = "<" if order == b"II" else ">"
    entries = [(0x010F, 2, 4, b"cam\0"), (0x0112, 3, 1, None), (0x0213, 3, 1, None)]
    body = struct.pack(pack + "H", len(entries))
    for tag, kind, count, value in entries:
        value = value or struct.pack(
            pack + "HH", orientation if tag == 0x0112 else 1, 0
        )
        body += struct.pack(pack + "HHI", tag, kind, count) + value
    header = order + struct.pack(pack + "HI", 42, 8) + body + struct.pack(pack + "I", 0)
    return encoded(CAT, "JPEG", exif=b"Exif\0\0" + header)


FILES = {
    "jpeg": encoded(CAT, "JPEG"),
    "jpeg progressive": encoded(CAT, "JPEG", progressive=True, quality=60),
    "jpeg gray": encoded(CAT.convert("L"), "JPEG"),
    "jpeg cmyk": encoded(CAT.convert("CMYK"), "JPEG"),
    "png": encoded(CAT, "PNG"),
    "png gray": encoded(CAT.convert("L"), "PNG"),
    "png 1 bit": encoded(CAT.convert("1"), "PNG"),
    "png palette": encoded(CAT.quantize(16), "PNG", bits=4),
    "png palette, clear": encoded(CAT.quantize(32), "PNG", transparency=3),
    "png rgba": encoded(WITH_ALPHA, "PNG"),
    "png gray, alpha": encoded(WITH_ALPHA.convert("LA"), "PNG"),
    "png 16 bit gray": encoded(Image.fromarray(DEEP), "PNG"),
    "png 16 bit gray, dark": encoded(Image.fromarray(DEEP // 257), "PNG"),
    "bmp": encoded(CAT, "BMP"),
    "bmp alpha": encoded(WITH_ALPHA, "BMP"),
    "gif": encoded(CAT.quantize(64), "GIF"),
    "gif animated": encoded(
        CAT.quantize(64), "GIF", save_all=True, append_images=[CAT.rotate(90)]
    ),
    "wide": encoded(CAT.resize((90, 20)), "PNG"),
    "tall": encoded(CAT.resize((21, 80)), "PNG"),
    "small": encoded(CAT.resize((13, 9)), "PNG"),
    "one pixel": encoded(CAT.resize((1, 1)), "PNG"),
    **{f"II {number}": turned(number, b"II") for number in (1, 3, 6, 8, 0, 9)},
    **{f"MM {number}": turned(number, b"MM") for number in range(2, 9)},
}


@functools.cache
def reader(shape=(32, 32, 3), resize="crop", value_range=(0, 255), limit=10**7):
    photos = Photos(shape, resize, value_range, limit)
    return tf.function(
        photos, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )


@pytest.mark.cases(1)
@pytest.mark.parametrize("resize", ["crop", "squeeze"])
def test_files_become_what_the_command_reads(resize):
    images, readable = as_arrays_of(reader(resize=resize)(list(FILES.values())))
    assert readable.all()
    for image, (name, file) in zip(images, FILES.items()):
        wanted = read_photo(io.BytesIO(file), 32, squeeze=resize == "squeeze")
        # Float64 rounded once, in either: the last bit at most.
        np.testing.assert_allclose(image, wanted, rtol=1.2e-7, atol=1e-9, err_msg=name)


def as_arrays_of(outputs):
    return [output.numpy() for output in outputs]


def test_the_turned_photos_differ():
    images, _ = as_arrays_of(reader()([turned(n, b"MM") for n in range(1, 9)]))
    for first in range(8):
        for second in range(first):
            assert np.abs(images[first] - images[second]).max() > 10


def test_gray_models_get_luma():
    images, _ = reader((32, 32, 1))(list(FILES.values())[:6])
    for image, file in zip(images, FILES.values()):
        wanted = read_photo(io.BytesIO(file), 32, channels=1)
        np.testing.assert_allclose(image, wanted, rtol=4e-7)


def test_pixels_are_scaled_to_the_models_range():
    file = [FILES["png"]]
    plain = reader()(file)[0].numpy()
    scaled = reader(value_range=(-1, 1))(file)[0].numpy()
    np.testing.assert_allclose(scaled, plain / 127.5 - 1, atol=1e-6)


def test_a_model_that_is_not_square_gets_the_largest_part_of_its_shape():
    photo = np.asarray(CAT)[:100, :120]  # of 3 : 4 it holds 90 × 120
    file = encoded(Image.fromarray(photo), "PNG")
    image = reader((30, 40, 3))([file])[0][0].numpy()
    means = photo[5:95].reshape(30, 3, 40, 3, 3).mean((1, 3))
    np.testing.assert_allclose(image, means, rtol=1e-6)
    squeezed = reader((20, 40, 3), resize="squeeze")([file])[0][0].numpy()
    means = photo.reshape(20, 5, 40, 3, 3).mean((1, 3))
    np.testing.assert_allclose(squeezed, means, rtol=1e-6)


def bomb(kind):
    """A small file that claims 10⁵ × 10⁵ pixels, or as many as the format can say."""
    file = bytearray(FILES[kind])
    if kind == "png":
        file[16:24] = struct.pack(">II", 100_000, 100_000)
    elif kind == "gif":
        file[6:10] = struct.pack("<HH", 60_000, 60_000)
    elif kind == "bmp":
        file[18:26] = struct.pack("<ii", 100_000, -100_000)
    else:
        place = file.index(b"\xff\xc0")
        file[place + 5 : place + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(file)


def test_what_can_not_be_read_is_flagged():
    png, jpeg = FILES["png"], FILES["jpeg"]
    bad = [
        b"", b"x", b"no image at all, but longer than any header that is looked at",
        b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\0\x10Exif\0\0MM", b"\x89PNG", b"GIF89a",
        b"BM", png[:2000], jpeg[: len(jpeg) // 2], jpeg[:-2], png[:700] + png[710:],
        encoded(CAT, "TIFF"), bomb("png"), bomb("gif"), bomb("bmp"), bomb("jpeg"),
    ]  # fmt: skip
    images, readable = as_arrays_of(reader()([*bad, png]))
    assert readable.tolist() == [False] * len(bad) + [True]
    assert not images[:-1].any() and images[-1].any()


@functools.cache
def limited_decoder():
    return tf.function(
        lambda data: decode_photo(data, 1000),
        input_signature=[tf.TensorSpec((), tf.string)],
        autograph=False,
    )


@functools.cache
def reads_webp():
    """Whether this TensorFlow does."""
    try:
        return bool(tf.io.decode_image(encoded(CAT, "WEBP")).shape)
    except tf.errors.InvalidArgumentError:
        return False


@pytest.mark.parametrize(
    "settings",
    [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0"}],
    ids=["lossy", "lossless", "extended"],
)
@pytest.mark.parametrize("size", [(40, 25), (8, 125)])
def test_webps_up_to_the_limit_are_read(settings, size):
    fits = encoded(CAT.resize(size), "WEBP", **settings)
    assert limited_decoder()(fits)[1] == reads_webp()
    above = encoded(CAT.resize((size[0], size[1] + 1)), "WEBP", **settings)
    pixels, readable = limited_decoder()(above)
    # Nothing was unpacked: 2.5 kB of WebP can hold 64 million pixels.
    assert not readable and pixels.shape == (1, 1, 3)


@pytest.mark.thorough
def test_photos_up_to_the_limit_are_read():
    pixels = CAT.width * CAT.height
    files = [FILES[kind] for kind in ("png", "jpeg", "gif", "bmp")]
    for limit, wanted in ((pixels, True), (pixels - 1, False)):
        assert reader(limit=limit)(files)[1].numpy().tolist() == [wanted] * 4


# Bytes of the header above, counted from its byte order.
DAMAGES = {
    "byte order": (0, b"XX"),
    "byte orders mixed": (0, b"II"),
    "magic number": (2, b"\0\0"),
    "directory behind the end": (4, b"\xff" * 4),
    "directory in itself": (4, b"\0\0\0\1"),
    "no entries": (8, b"\0\0"),
    "tag": (22, b"\0\1"),
    "type is a long": (24, b"\0\4"),
    "type is text": (24, b"\0\2"),
    "orientation": (30, b"\0\x0b"),
    "length of the segment": (-8, b"\0\x0a"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_header_is_left_aside_as_by_the_command(damage):
    place, value = DAMAGES[damage]
    file = bytearray(turned(6, b"MM"))
    place += file.index(b"Exif\0\0") + 6
    file[place : place + len(value)] = value
    file = bytes(file)
    image, readable = as_arrays_of(reader()([file]))
    try:
        wanted = read_photo(io.BytesIO(file), 32)
    except ValueError:
        assert not readable[0]
    else:
        assert readable[0]
        np.testing.assert_allclose(image[0], wanted, rtol=1.2e-7, atol=1e-9)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    return Server(tss.export(smooth(named_classifier()), folder, warm_up=()))


@pytest.mark.thorough
def test_one_bad_file_harms_no_other(server):
    files = [FILES["jpeg"], b"no image", FILES["png rgba"]]
    targets = np.int32([-1, 3, 0])
    out = server.predict(
        "explain_image_bytes", {"image_bytes": files, "targets": targets}
    )
    assert out["status"].tolist() == [0, 16, 0]
    assert np.isnan(out["heatmaps"][1]).all() and np.isnan(out["scores"][1])
    assert not out["segments"][1].any() and out["targets"][1] == 3
    images = np.stack([prepared(files[row]) for row in (0, 2)])
    expected = as_arrays(smooth(named_classifier())(images, targets[[0, 2]]))
    for key in out:
        np.testing.assert_allclose(out[key][[0, 2]], expected[key], rtol=1e-5)
    alone = server.predict(
        "explain_image_bytes", {"image_bytes": files[2:], "targets": targets[2:]}
    )
    assert relative_error(out["heatmaps"][2:], alone["heatmaps"]).max() < 1e-5
    assert out["heatmaps"][0].any()


def prepared(file):
    """The largest central part of 12 × 11, resized: what the graph must give."""
    pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGBA"), np.float64)
    share = pixels[..., 3:] / 255
    pixels = np.rint(pixels[..., :3] * share + 255 * (1 - share))
    height, width = pixels.shape[:2]
    kept = height * 11 // 12
    left = (width - kept) // 2
    # Area means by hand, through a grid fine enough for both.
    fine = np.repeat(pixels[:, left : left + kept], 12, 0)
    rows = fine.reshape(12, height, kept, 3).mean(1)
    fine = np.repeat(rows, 11, 1)
    return fine.reshape(12, 11, kept, 3).mean(2).astype(np.float32)


def test_all_files_bad(server):
    inputs = {"image_bytes": [b"", b"x"], "targets": np.int32([-1, 2])}
    out = server.predict("explain_image_bytes", inputs)
    assert out["status"].tolist() == [16, 16] and out["targets"].tolist() == [-1, 2]


def test_a_class_out_of_range_is_said_of_a_good_file(server):
    inputs = {"image_bytes": [FILES["png"], b""], "targets": np.int32([9, 9])}
    out = server.predict("explain_image_bytes", inputs)
    assert out["status"].tolist() == [2, 16]

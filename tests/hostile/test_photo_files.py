"""Files of all kinds that are called photos: read right, or refused in words."""

import io
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tf_superpixel_saliency.cli import photos
from tf_superpixel_saliency.cli.errors import CommandError

SIZE = 9


def encoded(kind, mode, size=(14, 11)):
    """A small image as a file's bytes."""
    rng = np.random.default_rng(len(mode))
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    elif mode == "LAB":
        image = Image.frombytes("LAB", size, pixels.tobytes())
    else:
        image = Image.fromarray(pixels).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    target = io.BytesIO()
    settings = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
    image.save(target, kind, **settings)
    return target.getvalue()


SEEDS = {
    (kind, mode): encoded(kind, mode)
    for kind, modes in {
        "JPEG": ("RGB", "L", "CMYK"),
        "PNG": ("RGB", "RGBA", "P", "LA", "1", "I;16"),
        "GIF": ("P",),
        "BMP": ("RGB", "1"),
        "WEBP": ("RGB", "RGBA"),
        "TIFF": ("RGB", "CMYK", "F", "I;16", "LAB"),
    }.items()
    for mode in modes
}


@st.composite
def damaged_files(draw):
    """One of the files with bytes changed, put in, or cut off."""
    data = bytearray(draw(st.sampled_from(sorted(SEEDS.values()))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data) - 1)) if data else 0
        what = draw(st.sampled_from(("change", "insert", "cut", "header")))
        if what == "cut":
            del data[place:]
        elif what == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif data:
            place = place if what == "change" else place % min(64, len(data))
            data[place] = draw(st.integers(0, 255))
    return bytes(data)


@given(data=damaged_files() | st.binary(max_size=64))
def test_damaged_files_are_read_or_refused(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "damaged.jpg"
    path.write_bytes(data)
    try:
        photo = photos.read_photo(path, SIZE, max_pixels=1_000_000)
    except ValueError as error:
        assert str(error).strip()
        return
    assert photo.shape == (SIZE, SIZE, 3) and photo.dtype == np.float32
    assert np.isfinite(photo).all() and 0 <= photo.min() <= photo.max() <= 255


@pytest.mark.parametrize("kind, mode", sorted(SEEDS))
def test_the_bytes_tell_the_format_whatever_the_name(kind, mode, tmp_path):
    path = tmp_path / "photo.gif"
    path.write_bytes(SEEDS[kind, mode])
    photo = photos.read_photo(path, SIZE)
    assert photo.shape == (SIZE, SIZE, 3) and photo.std() > 1


def test_formats_that_run_programs_stay_closed(tmp_path):
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n%%EOF\n"
    (tmp_path / "photo.jpg").write_bytes(script)
    with Image.open(tmp_path / "photo.jpg") as image:
        assert image.format == "EPS"  # which Pillow by itself would hand on
    with pytest.raises(ValueError, match="not an image, or of a format"):
        photos.read_photo(tmp_path / "photo.jpg", SIZE)


def png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_bomb(width, height):
    """A PNG of few bytes that says it is huge, and would unpack to as much."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1 + width // 8) * 64, 9)
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )  # fmt: skip


def bombs():
    small = Image.new("P", (1, 1))
    gif = io.BytesIO()
    small.save(gif, "GIF")
    gif = bytearray(gif.getvalue())
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(encoded("BMP", "RGB"))
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    jpeg = bytearray(encoded("JPEG", "RGB"))
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 65500, 65500)
    return {
        "png": png_bomb(60_000, 60_000),
        "png below Pillow's own limit": png_bomb(11_000, 11_000),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "jpeg": bytes(jpeg),
        "zeros": bytes(1_000_000),
    }


@pytest.mark.parametrize("name, data", bombs().items(), ids=lambda x: str(x)[:28])
def test_bombs_are_refused_before_they_are_unpacked(name, data, tmp_path):
    (tmp_path / "bomb.png").write_bytes(data)
    text = "not an image" if name == "zeros" else "pixels"
    with pytest.raises(ValueError, match=text):
        photos.read_photo(tmp_path / "bomb.png", SIZE)


def test_the_pixel_limit_is_exact(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.png")
    assert photos.read_photo(tmp_path / "a.png", SIZE, max_pixels=200).shape
    with pytest.raises(ValueError, match="20 × 10 pixels are more than the 199"):
        photos.read_photo(tmp_path / "a.png", SIZE, max_pixels=199)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    side=st.integers(1, 12),
    channels=st.sampled_from((1, 3)),
    squeeze=st.booleans(),
)
def test_photos_of_any_proportions(size, side, channels, squeeze, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "flat.png"
    Image.new("RGB", size, (10, 200, 30)).save(path)
    photo = photos.read_photo(path, side, channels, squeeze)
    colour = [0.299 * 10 + 0.587 * 200 + 0.114 * 30] if channels == 1 else [10, 200, 30]
    expected = np.broadcast_to(np.float32(colour), (side, side, channels))
    np.testing.assert_allclose(photo, expected, rtol=1e-5)


def test_pipes_and_folders_are_no_photos(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")  # opened, it would wait for a writer forever
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    Image.new("RGB", (3, 3)).save(tmp_path / "folder.png" / "inside.png")
    files, missing = photos.find_photos([tmp_path])
    names = sorted(file.name for file in files)
    assert missing == {}
    assert names == ["device.png", "gone.png", "inside.png", "loop.png", "pipe.jpg"]
    for name in ("pipe.jpg", "device.png"):
        with pytest.raises(ValueError, match="a pipe or a device"):
            photos.read_photo(tmp_path / name, SIZE)
    for name in ("gone.png", "loop.png"):
        with pytest.raises(ValueError, match="can't be read"):
            photos.read_photo(tmp_path / name, SIZE)


ODD = st.text(min_size=1, max_size=20).map(
    lambda text: text.replace("/", "_").replace("\0", "_")
)


@given(stems=st.lists(ODD | st.just("x" * 250), min_size=1, max_size=6))
def test_results_have_names_of_their_own(stems):
    files = [pathlib.Path(f"{n}/{stem}.jpg") for n, stem in enumerate(stems)]
    names = list(photos.result_names(files))
    assert len({name.lower() for name in names}) == len(files)
    assert all(len(os.fsencode(f"{name}.npz")) <= 255 for name in names)
    given_names = {str(files[-1]): names[-1]}
    again = list(photos.result_names(files, given_names))
    assert again[-1] == names[-1] and len({n.lower() for n in again}) == len(files)
    assert photos.shown("".join(stems)).isprintable()


@given(data=st.binary(min_size=1, max_size=12))
def test_nothing_found_is_said_of_any_name(data):
    name = os.fsdecode(data.replace(b"\0", b"0").replace(b"/", b"_")) + ".none"
    with pytest.raises(CommandError, match="nothing to explain"):
        photos.find_photos([name])

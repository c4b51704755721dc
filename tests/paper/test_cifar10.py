"""Reading labelled images from folders and archives."""

import io
import tarfile

import numpy as np
import pytest

from tests.paper.datasets import write_png
from tf_superpixel_saliency.paper.cifar10 import load_images

# Written in no order; read in this order of Python's strings.
SORTED = [("cat", "10.png"), ("cat", "9.png"), ("dog", "1.png")]


@pytest.fixture
def folder(tmp_path):
    """(folder, pixels of (split, class, file))."""
    pixels = {}
    for seed, (name, file) in enumerate(reversed(SORTED)):
        for split in ("train", "test"):
            path = tmp_path / "data" / split / name / file
            pixels[split, name, file] = write_png(path, seed + 10 * len(split))
    return tmp_path / "data", pixels


def pack(folder, path, prefix="."):
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, prefix)
    return path


def check(data, pixels):
    assert data.classes == ("cat", "dog")
    for split in ("train", "test"):
        images = getattr(data, f"{split}_images")
        assert images.dtype == np.uint8
        expected = [pixels[split, name, file] for name, file in SORTED]
        np.testing.assert_array_equal(images, expected)
        labels = getattr(data, f"{split}_labels")
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, [0, 0, 1])


def test_a_folder_in_sorted_order(folder):
    check(load_images(folder[0]), folder[1])


def test_a_folder_inside_another(folder):
    check(load_images(folder[0].parent), folder[1])


@pytest.mark.parametrize("prefix", [".", "", "data"])
def test_an_archive_is_as_its_folder(folder, tmp_path, prefix):
    check(load_images(pack(folder[0], tmp_path / "data.tar.gz", prefix)), folder[1])


def test_hidden_and_other_files_are_passed_over(folder):
    path, pixels = folder
    (path / "train" / "cat" / ".10.png").write_bytes(b"a")
    (path / "train" / "cat" / "notes.txt").write_text("a")
    (path / "train" / "list.png").write_bytes(b"a")
    check(load_images(path), pixels)


def test_an_archive_is_never_extracted(folder, tmp_path):
    """Links are passed over, and paths that lead outside only name images."""
    path, pixels = folder
    secret = tmp_path / "secret.png"
    write_png(secret, 99)
    archive_path = pack(path, tmp_path / "data.tar")
    # A second archive: the same files, a link and a path out of the folder.
    with tarfile.open(tmp_path / "forged.tar", "w") as forged:
        with tarfile.open(archive_path) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member) if member.isreg() else None
                forged.addfile(member, file)
        link = tarfile.TarInfo("train/cat/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        forged.addfile(link)
        outside = tarfile.TarInfo("../../../train/dog/0.png")
        outside.size = 1
        forged.addfile(outside, io.BytesIO(b"a"))
    before = sorted(tmp_path.rglob("*"))
    check(load_images(tmp_path / "forged.tar"), pixels)
    assert sorted(tmp_path.rglob("*")) == before


def test_jpeg_as_pillow_decodes_it_and_grey_as_rgb(tmp_path):
    from PIL import Image

    for split in ("train", "test"):
        pixels = write_png(tmp_path / split / "b" / "0.png", 1, mode="L")
        colours = write_png(tmp_path / "colours.png", 2)
        (tmp_path / split / "a").mkdir()
        Image.fromarray(colours).save(tmp_path / split / "a" / "0.JPG", quality=90)
    data = load_images(tmp_path)
    with Image.open(tmp_path / "test" / "a" / "0.JPG") as image:
        np.testing.assert_array_equal(data.test_images[0], np.asarray(image))
    np.testing.assert_array_equal(data.train_images[1], np.stack([pixels] * 3, -1))


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="train/CLASS"):
        load_images(tmp_path / "missing")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_images(folder, split):
    (folder[0] / split).rename(folder[0] / "other")
    with pytest.raises(ValueError, match=f"no image as {split}/CLASS"):
        load_images(folder[0])


def test_classes_that_differ(folder):
    write_png(folder[0] / "test" / "fox" / "1.png", 0)
    with pytest.raises(ValueError, match=r"one of them alone: fox"):
        load_images(folder[0])


def test_images_of_two_sizes(folder):
    write_png(folder[0] / "test" / "dog" / "2.png", 0, size=(7, 5))
    with pytest.raises(ValueError, match=r"one size.*test/dog/2.png .*\(7, 5, 3\)"):
        load_images(folder[0])


def test_a_file_that_is_no_image(folder):
    (folder[0] / "train" / "dog" / "2.jpg").write_bytes(b"\xff\xd8\xff no image")
    with pytest.raises(ValueError, match=r"decode train/dog/2\.jpg"):
        load_images(folder[0])


def test_two_data_sets_in_one_folder(folder):
    write_png(folder[0] / "more" / "train" / "cat" / "9.png", 0)
    with pytest.raises(ValueError, match=r"two files train/cat/9\.png"):
        load_images(folder[0])


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08 cut"])
def test_a_file_that_is_no_archive(tmp_path, content):
    (tmp_path / "data.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"data\.tar\.gz"):
        load_images(tmp_path / "data.tar.gz")


def test_an_archive_cut_short(folder, tmp_path):
    path = pack(folder[0], tmp_path / "data.tar.gz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="as a folder or a tar archive"):
        load_images(path)

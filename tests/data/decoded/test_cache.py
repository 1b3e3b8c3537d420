"""Images are decoded once, kept while their files do not change, shared by runs, and in memory only batch by batch."""

import hashlib
import os
import pickle
import subprocess
import sys
import textwrap
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from medtail.data import (
    ImageArray,
    ImageBatches,
    ImageCollection,
    ImageFiles,
    batch_loader,
    load_pixels,
    open_collection,
)
from medtail.data.decoded.cache import PixelCache, default_cache_folder
from medtail.data.decoded.pixels import Pixels
from medtail.data.decoded.stores import Mapped
from medtail.data.formats.sources import UnreadableImageError


@pytest.fixture
def cache(tmp_path: Path) -> PixelCache:
    return PixelCache(tmp_path / "cache")


@pytest.fixture
def decoded(monkeypatch) -> list[int]:
    """The rows that are decoded from now on."""
    rows: list[int] = []
    read = ImageFiles.read
    monkeypatch.setattr(
        ImageFiles, "read", lambda self, row, **options: (rows.append(row), read(self, row, **options))[1]
    )
    return rows


def load(folder: Path, cache: PixelCache, **options: object) -> Pixels:
    """A set that does not fit into memory."""
    return load_pixels(
        open_collection(folder), image_size=12, channels=3, cache=cache, **{"memory_limit": 0, **options}
    )


def entries(cache: PixelCache) -> list[Path]:
    return [path for path in cache.folder.iterdir() if path.is_dir()]


def test_images_are_decoded_once_and_stay_what_they_are(class_folders: Path, cache, decoded, caplog) -> None:
    caplog.set_level("INFO", "medtail")
    plain = load_pixels(open_collection(class_folders), image_size=12, channels=3)
    decoded.clear()
    first = load(class_folders, cache)
    assert sorted(decoded) == list(range(52))
    again = load(class_folders, cache)
    assert len(decoded) == 52
    assert not first.resident
    rows = [51, 0, 7, 7]
    for pixels in (first, again):
        assert torch.equal(pixels.read(rows), plain.read(rows))
        assert torch.equal(pixels.without(np.arange(10)).read([0, 3]), plain.read([10, 13]))
    # Reported once, before it is written: 52 · 3 · 12 · 12 bytes.
    [line] = [record.message for record in caplog.records if record.name.startswith("medtail.data.decoded")]
    assert line.startswith(f"decoding 52 images once into {cache.folder}")
    assert "(0.0 MiB)" in line


def test_the_size_is_stated_and_the_disk_asked_before_anything_is_written(
    class_folders: Path, cache, decoded, monkeypatch, refuses
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 0, 10**8))
    sentence = refuses(load, class_folders, cache)
    assert "decoded pixels need 0.0 MiB in" in sentence and "only 95.4 MiB are free" in sentence
    assert "another folder for `cache`" in sentence and "`data.cache=never`" in sentence
    assert not decoded and not entries(cache)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call here")
def test_a_disk_that_fills_up_meanwhile_is_reported_in_one_sentence(
    class_folders: Path, cache, monkeypatch, refuses
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert "decoded pixels need" in refuses(load, class_folders, cache)
    assert not entries(cache)


def test_the_cache_may_not_lie_in_the_data(class_folders: Path, refuses) -> None:
    sentence = refuses(load, class_folders, PixelCache(class_folders / "nevus" / "cache"))
    assert "must lie outside the data folder" in sentence
    assert not (class_folders / "nevus" / "cache").exists()


def test_a_changed_file_is_decoded_anew(class_folders: Path, cache, decoded, draw) -> None:
    before = load(class_folders, cache)
    old = before.read([0])
    draw(999).save(class_folders / "melanoma" / "melanoma_00.png")
    decoded.clear()
    after = load(class_folders, cache)
    assert len(decoded) == 52
    expected = load_pixels(open_collection(class_folders), image_size=12, channels=3)
    assert torch.equal(after.read(np.arange(52)), expected.read(np.arange(52)))
    assert not torch.equal(after.read([0]), old)
    # Whoever reads the replaced entry continues to read it.
    assert torch.equal(before.read([0]), old)
    assert len(entries(cache)) == 1


def test_a_file_that_was_only_touched_is_not(class_folders: Path, cache, decoded) -> None:
    load(class_folders, cache)
    for path in class_folders.rglob("*.png"):
        os.utime(path, ns=(1, 1))
    decoded.clear()
    load(class_folders, cache)
    assert not decoded


def test_a_removed_or_added_image_makes_another_entry(class_folders: Path, cache, decoded) -> None:
    load(class_folders, cache)
    (class_folders / "nevus" / "nevus_39.png").unlink()
    decoded.clear()
    assert len(load(class_folders, cache)) == 51
    assert len(decoded) == 51


def test_forms_are_kept_side_by_side(class_folders: Path, cache, decoded) -> None:
    load(class_folders, cache)
    collection = open_collection(class_folders)
    other = load_pixels(collection, image_size=8, channels=1, cache=cache, memory_limit=0)
    cropped = load_pixels(collection, image_size=8, channels=1, fit="crop", cache=cache, memory_limit=0)
    assert other.read([0]).shape == (1, 1, 8, 8)
    assert not torch.equal(other.read([0]), cropped.read([0]))
    assert len(entries(cache)) == 3
    decoded.clear()
    load(class_folders, cache)
    assert not decoded


def test_sets_that_fit_into_memory_are_kept_where_asked(class_folders: Path, cache, decoded) -> None:
    load(class_folders, cache, memory_limit=2**30)
    assert not cache.folder.exists()
    keeps_all = PixelCache(cache.folder, keeps_all=True)
    first = load(class_folders, keeps_all, memory_limit=2**30)
    decoded.clear()
    again = load(class_folders, keeps_all, memory_limit=2**30)
    assert not decoded
    assert again.resident
    assert torch.equal(first.read(np.arange(52)), again.read(np.arange(52)))


def test_unreadable_images_are_remembered_until_they_are_fixed(
    class_folders: Path, cache, draw, refuses
) -> None:
    bad = class_folders / "nevus" / "nevus_03.png"
    bad.write_bytes(b"")
    sentence = refuses(load, class_folders, cache)
    assert sentence.startswith("1 of 52 images cannot be read")
    for _ in range(2):
        pixels = load(class_folders, cache, skip_unreadable=True)
        assert [(image.id, image.reason) for image in pixels.unreadable] == [
            ("nevus/nevus_03.png", "is empty (0 bytes)")
        ]
        assert refuses(load, class_folders, cache) == sentence
    draw(77).save(bad)
    assert not load(class_folders, cache).unreadable


def test_unreadable_images_are_tried_again_where_something_else_changed(
    class_folders: Path, cache, monkeypatch
) -> None:
    read = ImageFiles.read

    def without_package(self: ImageFiles, row: int, **options: object) -> np.ndarray:
        if row == 3:
            raise UnreadableImageError("x", "is compressed in a way that needs a package")
        return read(self, row, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ImageFiles, "read", without_package)
        for _ in range(2):
            assert [bad.row for bad in load(class_folders, cache, skip_unreadable=True).unreadable] == [3]
    assert not load(class_folders, cache, skip_unreadable=True).unreadable


def test_images_in_memory_are_known_by_their_pixels(cache) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)

    def read(array: np.ndarray) -> torch.Tensor:
        ids = [str(row) for row in range(20)]
        collection = ImageCollection.build(
            name="x", data="x", ids=ids, labels=["a"] * 20, source=ImageArray(array)
        )
        return load_pixels(collection, image_size=8, channels=1, memory_limit=0, cache=cache).read(
            np.arange(20)
        )

    np.testing.assert_array_equal(read(images)[:, 0], images)
    np.testing.assert_array_equal(read(images[::-1])[:, 0], images[::-1])
    assert len(entries(cache)) == 1


def test_what_an_interrupted_run_left_is_not_taken_for_an_entry(
    class_folders: Path, cache, monkeypatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ImageFiles, "read", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load(class_folders, cache)
    assert not entries(cache)
    [lock] = cache.folder.glob("*.lock")
    killed = cache.folder / f".{lock.stem}.new"  # nothing tidied up
    killed.mkdir()
    (killed / "pixels.npy").write_bytes(b"half")
    pixels = load(class_folders, cache)
    assert [path.name for path in entries(cache)] == [lock.stem]
    assert len(pixels.read(np.arange(52))) == 52


def overwrite(path: Path, place: int) -> None:
    """Change a few bytes, so that a part of an archive fails its checksum."""
    content = path.read_bytes()
    path.write_bytes(
        content[:place] + bytes(255 - value for value in content[place : place + 8]) + content[place + 8 :]
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "contents.npz").write_bytes(b"PK"),
        lambda entry: (entry / "pixels.npy").unlink(),
        lambda entry: overwrite(entry / "contents.npz", 200),
    ],
)
def test_a_damaged_entry_is_written_again(class_folders: Path, cache, damage: Callable, decoded) -> None:
    expected = load(class_folders, cache).read(np.arange(52)).clone()
    [entry] = entries(cache)
    damage(entry)
    decoded.clear()
    assert torch.equal(load(class_folders, cache).read(np.arange(52)), expected)
    assert len(decoded) == 52


def test_the_folder_is_the_users_cache(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_cache_folder() == tmp_path / "x" / "medtail"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_folder() == Path.home() / ".cache" / "medtail"


def test_workers_read_the_file_and_are_sent_no_pixels(class_folders: Path, cache) -> None:
    pixels = load(class_folders, cache)
    targets = open_collection(class_folders).targets
    loader = batch_loader(
        ImageBatches(pixels, np.arange(52), targets), sampler=range(52), batch_size=20, workers=2
    )
    assert loader.num_workers == 2
    read = torch.cat([batch["image"] for batch in loader])
    assert torch.equal(read, pixels.read(np.arange(52)))
    [entry] = entries(cache)
    sent = pickle.dumps(Mapped(entry / "pixels.npy"))
    assert len(sent) < 500
    assert torch.equal(pickle.loads(sent).read(np.array([5, 1])), pixels.read([5, 1]))


def start(code: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_runs_that_start_at_once_decode_once(class_folders: Path, cache) -> None:
    code = f"""
        from medtail.data import load_pixels, open_collection
        from medtail.data.decoded.cache import PixelCache
        from pathlib import Path
        import hashlib, logging, numpy as np
        logging.basicConfig(level="INFO")
        pixels = load_pixels(open_collection({str(class_folders)!r}), image_size=64, channels=3, memory_limit=0,
                             cache=PixelCache(Path({str(cache.folder)!r})))
        print(hashlib.sha256(pixels.read(np.arange(52)).numpy().tobytes()).hexdigest())
    """
    runs = [start(code) for _ in range(3)]
    ended = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], ended
    expected = load_pixels(open_collection(class_folders), image_size=64, channels=3).read(np.arange(52))
    assert {output for output, _ in ended} == {hashlib.sha256(expected.numpy().tobytes()).hexdigest() + "\n"}
    assert sum("decoding 52 images" in errors for _, errors in ended) == 1
    assert len(entries(cache)) == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured through /proc")
def test_memory_stays_flat_for_a_set_larger_than_the_limit(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    for number in range(2000):
        Image.fromarray(np.roll(noise, number, axis=0)).save(
            tmp_path / "data" / "ab"[number % 2] / f"{number}.png"
        )
    code = f"""
        import logging, re, threading, time
        from pathlib import Path
        import numpy as np
        from medtail.data import load_pixels, open_collection
        from medtail.data.decoded.cache import PixelCache

        logging.basicConfig(level="INFO")

        def anonymous():
            return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024

        def watch():
            while not done:
                peaks.append(anonymous())
                time.sleep(0.002)

        collection = open_collection({str(tmp_path / "data")!r})
        done, peaks, before = False, [], anonymous()
        watcher = threading.Thread(target=watch); watcher.start()
        pixels = load_pixels(collection, image_size=184, channels=3, memory_limit=2**20,
                             cache=PixelCache(Path({str(tmp_path / "cache")!r})))
        for start in range(0, 2000, 50):
            pixels.read(np.arange(start, start + 50))
        done = True; watcher.join()
        print(max(peaks) - before)
    """
    run = start(code)
    output, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert "(193.7 MiB)" in errors
    # A batch of 50 is 5 MiB; two threads decode.
    assert float(output) < 40

"""The inputs of the campaign, by kind."""

import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from faults.material import Material, edited_json, edited_table, pixels
from faults.running import Fault, Outcome
from PIL import Image

FILES = (
    "recipe.yaml",
    "dataset.json",
    "splits.csv",
    "metrics.csv",
    "environment.json",
    "summary.json",
    "angles.csv",
    "predictions/test.parquet",
    "predictions/validation.parquet",
    "features/test.npz",
    "checkpoints/best.ckpt",
)

#: Which commands read a file: with it damaged they refuse, or say what they said of the sound run.
READERS = {
    "recipe.yaml": ("predict", "compare", "adapt"),
    "dataset.json": ("evaluate", "predict", "compare"),
    "checkpoints/best.ckpt": ("predict",),
    "predictions/test.parquet": ("evaluate", "compare"),
    "predictions/validation.parquet": ("evaluate validation", "adapt"),
}

WEIRD: tuple[Any, ...] = (None, -1, 0, "x", [], {}, 1e300, True, [["x"]])


def anything(_: Outcome) -> bool:
    """Whatever was accepted is right."""
    return True


def finite(outcome: Outcome) -> bool:
    """Numbers were printed, and all of them are finite."""
    return bool(outcome.output) and "nan" not in outcome.output.lower() and ",," not in outcome.output


def damaged_files(material: Material) -> Iterator[Fault]:
    """Files of a run that are empty, cut off, garbage, overwritten, of another kind or of another run."""

    def overwritten(path: Path, place: float) -> None:
        content = bytearray(path.read_bytes())
        start = int(len(content) * place)
        content[start : start + 64] = bytes(255 - value for value in content[start : start + 64])
        path.write_bytes(bytes(content))

    damages: dict[str, Callable[[Path, str], object]] = {
        "empty": lambda folder, name: (folder / name).write_bytes(b""),
        "cut off": lambda folder, name: (folder / name).write_bytes(
            (folder / name).read_bytes()[: (folder / name).stat().st_size // 2]
        ),
        "garbage": lambda folder, name: (folder / name).write_bytes(bytes(range(256)) * 8),
        "a list": lambda folder, name: (folder / name).write_text("[]"),
        "deep": lambda folder, name: (folder / name).write_text("[" * 100_000),
        "missing": lambda folder, name: (folder / name).unlink(),
        "a folder": lambda folder, name: ((folder / name).unlink(), (folder / name).mkdir()),
        "a pipe": lambda folder, name: ((folder / name).unlink(), os.mkfifo(folder / name)),
        **{
            f"overwritten at {place}": lambda folder, name, place=place: overwritten(folder / name, place)
            for place in (0.0, 0.2, 0.5, 0.8, 0.97)
        },
    }
    for name in FILES:
        for what, damage in damages.items():
            for verb in READERS.get(name, ("adapt",)):
                folder, prepare = material.copy(lambda place, damage=damage, name=name: damage(place, name))
                yield Fault(
                    f"{name} {what}",
                    material.verbs(folder)[verb],
                    prepare,
                    lambda outcome, verb=verb, folder=folder: same_words(material, verb, folder, outcome),
                )


def same_words(material: Material, verb: str, folder: Path, outcome: Outcome) -> bool:
    """A command said of a changed run what it said of the sound one."""
    words = outcome.output.replace(str(folder), "RUN").replace(folder.name, "run")
    return words == material.said[verb].replace(str(material.run), "RUN")


def changed_values(material: Material) -> Iterator[Fault]:
    """Values of a run's files that are missing, of another type, or text where numbers belong."""
    for key in json.loads((material.run / "dataset.json").read_text()):
        if key in ("name", "data", "digest"):
            continue
        for value in WEIRD[:7]:
            folder, prepare = material.copy(
                edited_json(
                    "dataset.json", lambda content, key=key, value=value: content.update({key: value})
                )
            )
            yield Fault(
                f"dataset.json {key}={value!r}",
                material.verbs(folder)["predict" if value == 1e300 else "evaluate"],
                prepare,
                lambda outcome, folder=folder: same_words(material, "evaluate", folder, outcome),
            )
    for key in ("class_names", "class_counts", "mean", "multi_label", "image_size", "channels"):
        folder, prepare = material.copy(
            edited_json("dataset.json", lambda content, key=key: content.pop(key))
        )
        yield Fault(
            f"dataset.json without {key}",
            material.verbs(folder)["predict"],
            prepare,
            lambda outcome, folder=folder: same_words(material, "predict", folder, outcome),
        )
    newer = edited_json("dataset.json", lambda content: content.update(later=1))
    folder, prepare = material.copy(newer)
    yield Fault(
        "dataset.json of a newer version", material.verbs(folder)["evaluate"], prepare, sentence="later"
    )
    for name in ("test", "validation"):
        verb = "evaluate" if name == "test" else "adapt"
        changes = {
            "text in a probability": lambda t: t.assign(probability_nv="x"),
            "no id": lambda t: t.drop(columns="id"),
            "no target": lambda t: t.drop(columns="target"),
            "one class": lambda t: t.drop(columns=["probability_nv", "probability_mel"]),
            "repeated id": lambda t: t.assign(id=t["id"].iloc[0]),
            "missing probability": lambda t: t.assign(probability_nv=np.nan),
            "infinite probability": lambda t: t.assign(probability_nv=np.inf),
            "negative probability": lambda t: t.assign(probability_nv=-t["probability_nv"]),
            "target out of range": lambda t: t.assign(target=7),
            "target in text": lambda t: t.assign(target="nv"),
            "target in fractions": lambda t: t.assign(target=0.5),
            "no rows": lambda t: t.iloc[:0],
            "another class": lambda t: t.rename(columns={"probability_nv": "probability_bcc"}),
        }
        for what, change in changes.items():
            folder, prepare = material.copy(edited_table(f"predictions/{name}.parquet", change))
            yield Fault(f"{name}.parquet: {what}", material.verbs(folder)[verb], prepare)
    for name, columns in (
        ("metrics.csv", ("epoch", "train_loss", "validation_balanced_accuracy")),
        ("splits.csv", ("id", "split")),
    ):
        for column in columns:
            for what, change in {
                "without": lambda t, column=column: t.drop(columns=column),
                "text in": lambda t, column=column: t.assign(**{column: "x"}),
                "nothing in": lambda t, column=column: t.assign(**{column: None}),
            }.items():
                folder, prepare = material.copy(edited_table(name, change))
                yield Fault(f"{name} {what} {column}", material.verbs(folder)["adapt"], prepare, anything)
    for key in ("split", "n", "classes", "intervals", "balanced_accuracy", "auc"):
        folder, prepare = material.copy(
            edited_json("summary.json", lambda content, key=key: content.pop(key))
        )
        yield Fault(f"summary.json without {key}", material.verbs(folder)["adapt"], prepare)
    for key in ("seconds", "device", "started"):
        folder, prepare = material.copy(
            edited_json("environment.json", lambda content, key=key: content.pop(key))
        )
        yield Fault(f"environment.json without {key}", material.verbs(folder)["adapt"], prepare)
    yield from _changed_recipes(material)
    yield from _changed_checkpoints(material)


def _changed_recipes(material: Material) -> Iterator[Fault]:
    def edit(path: str, value: Any) -> Callable[[Path], None]:
        def change(folder: Path) -> None:
            content = yaml.safe_load((folder / "recipe.yaml").read_text())
            *sections, key = path.split(".")
            inner = content
            for section in sections:
                inner = inner[section]
            inner[key] = value
            (folder / "recipe.yaml").write_text(yaml.safe_dump(content))

        return change

    for path in (
        "recipe",
        "recipe.method",
        "data",
        "data.image_size",
        "backbone.name",
        "head.name",
        "loss",
        "loss.name",
        "optimizer",
        "training.seed",
        "training.batch_size",
        "method",
    ):
        for value in WEIRD[:6]:
            folder, prepare = material.copy(edit(path, value))
            verb = "compare" if path in ("recipe", "recipe.method", "training.seed") else "predict"
            harmless = path in ("training.seed", "recipe.method", "training.batch_size", "recipe")
            yield Fault(
                f"recipe.yaml {path}={value!r}",
                material.verbs(folder)[verb],
                prepare,
                anything
                if harmless
                else lambda outcome, f=folder: same_words(material, "predict", f, outcome),
            )


def _changed_checkpoints(material: Material) -> Iterator[Fault]:
    def edit(change: Callable[[dict], object], name: str = "best") -> Callable[[Path], None]:
        def apply(folder: Path) -> None:
            path = folder / "checkpoints" / f"{name}.ckpt"
            content = torch.load(path, weights_only=True)
            torch.save(content if (changed := change(content)) is None else changed, path)

        return apply

    def broken(content: dict) -> None:
        for value in content["state_dict"].values():
            if value.is_floating_point():
                value.fill_(float("nan"))

    first = "method.head.weight"
    changes: dict[str, Callable[[dict], object]] = {
        "without weights": lambda content: content.pop("state_dict") and None,
        "without one weight": lambda content: content["state_dict"].popitem() and None,
        "with a weight too many": lambda content: content["state_dict"].update(
            {"method.more": torch.ones(2)}
        ),
        "with weights of another shape": lambda content: content["state_dict"].update(
            {name: torch.ones(3, 3) for name in [next(iter(content["state_dict"]))]}
        ),
        "with text for weights": lambda content: content.update(state_dict={"a": "b"}),
        "with NaN": broken,
        "that is a list": lambda content: [1, 2],
        "that is a tensor": lambda content: torch.ones(3),
        "of another run": lambda content: torch.load(
            material.other / "checkpoints" / "best.ckpt", weights_only=True
        ),
    }
    assert first
    for what, change in changes.items():
        folder, prepare = material.copy(edit(change))
        yield Fault(f"best.ckpt {what}", material.verbs(folder)["predict"], prepare)
    arguments = ("--method", "ldam", "--set", "head.name=cosine", "--resume")
    for key in (
        "state_dict",
        "epoch",
        "loops",
        "callbacks",
        "optimizer_states",
        "lr_schedulers",
        "global_step",
        "pytorch-lightning_version",
    ):
        folder, prepare = material.copy(edit(lambda content, key=key: content.pop(key) and None, "last"))
        yield Fault(f"last.ckpt without {key}", material.training(folder, *arguments), prepare)
        if key in ("loops", "callbacks", "optimizer_states"):
            folder, prepare = material.copy(edit(lambda content, key=key: content.update({key: "x"}), "last"))
            yield Fault(f"last.ckpt with text for {key}", material.training(folder, *arguments), prepare)
    for what, content in (("empty", b""), ("garbage", b"PK\x03\x04" + bytes(99))):
        folder, prepare = material.copy(
            lambda place, content=content: (place / "checkpoints" / "last.ckpt").write_bytes(content)
        )
        yield Fault(f"last.ckpt {what}", material.training(folder, *arguments), prepare)
    for name in ("dataset.json", "recipe.yaml"):
        folder, prepare = material.copy(lambda place, name=name: (place / name).write_text("{"))
        yield Fault(f"resuming with a broken {name}", material.training(folder, *arguments), prepare)


def operating_points(material: Material) -> Iterator[Fault]:
    """Operating points that are damaged, for other classes, or of values that decide nothing."""
    sound = {
        "format": 1,
        "class_names": ["bkl", "mel", "nv"],
        "decision": {"name": "most_probable"},
        "steps": [],
        "sets": None,
        "condition": None,
        "run": "run",
        "goal": {},
        "validation": {},
        "notes": [],
    }
    for key in sound:
        for value in WEIRD[:6]:
            content = json.dumps({**sound, key: value})
            folder, prepare = material.copy(
                lambda place, content=content: (place / "operating_point.json").write_text(content)
            )
            yield Fault(
                f"operating point {key}={value!r}",
                (*material.verbs(folder)["predict"], "--operating-point"),
                prepare,
                finite,
            )
    for text in ("", "{", "[]", "null", "[" * 100_000, "NaN", '{"format": 1e999}', "\udcff"):
        folder, prepare = material.copy(
            lambda place, text=text: (place / "operating_point.json").write_bytes(
                text.encode("utf-8", "surrogatepass")
            )
        )
        yield Fault(f"operating point {text[:12]!r}", ("evaluate", folder, "--operating-point"), prepare)
    for text in (
        "",
        "a,b\n",
        "0,1\n1,0\n",
        "0,1,x\n1,0,1\n1,1,0\n",
        "0,1,nan\n1,0,1\n1,1,0\n",
        "\x00",
        "0,1,-5\n1,0,1\n1,1,0\n",
        "x" * 200_000,
        '"',
        "0,1,1e999\n1,0,1\n1,1,0\n",
    ):
        path, prepare = material.file("costs.csv", text)
        yield Fault(f"costs {text[:12]!r}", ("adapt", material.run, "--costs", path), prepare)


def tables(material: Material) -> Iterator[Fault]:
    """Tables of labels that are broken, hostile, or merely strange."""
    many = "\n".join(f"{number}.png,{name}" for number, name in enumerate("abc"))
    texts: dict[str, str | bytes] = {
        "empty": "",
        "only a header": "image,label\n",
        "no image column": f"file,label\n{many}",
        "no label column": f"image,class\n{many}",
        "a missing label": "image,label\n0.png,a\n1.png,\n2.png,b\n",
        "a row too long": "image,label\n0.png,a\n1.png,b,c,d\n",
        "an open quote": 'image,label\n0.png,"a\n1.png,b\n',
        "an image twice": "image,label\n0.png,a\n0.png,b\n",
        "a path outside": "image,label\n../../etc/passwd,a\n1.png,b\n",
        "an absolute path": "image,label\n/etc/passwd,a\n1.png,b\n",
        "a NUL in a path": "image,label\n0.png\0,a\n1.png,b\n",
        "a NUL in a label": "image,label\n0.png,a\0\n1.png,b\n",
        "not UTF-8": b"image,label\n0.png,caf\xe9\n1.png,b\n",
        "UTF-16": "image,label\n0.png,a\n".encode("utf-16"),
        "binary": bytes(range(256)) * 4,
        "a label of 5000 digits": f"image,label\n0.png,{'9' * 5000}\n1.png,1\n2.png,2\n",
        "a label of 5000 letters": f"image,label\n0.png,{'a' * 5000}\n1.png,1\n2.png,2\n",
        "a surrogate in a label": "image,label\n0.png,\udcff\n1.png,b\n",
        "one class": "image,label\n0.png,a\n1.png,a\n2.png,a\n",
        "one indicator column": "image,label_a\n0.png,1\n1.png,0\n",
        "indicators that are none": "image,label_a,label_b\n0.png,1,2\n1.png,0,1\n",
        "an unknown split": "image,label,split\n0.png,a,holdout\n1.png,b,train\n",
        "an empty patient": "image,label,patient\n0.png,a,\n1.png,b,2\n",
        "images that are nowhere": "image,label\nx.png,a\ny.png,b\n",
        "a folder for an image": "image,label\n.,a\n1.png,b\n",
        "a name that is too long": f"image,label\n{'x' * 300}.png,a\n1.png,b\n",
        "two columns of one name": "image,label,label\n0.png,a,b\n1.png,b,a\n",
    }
    for what, text in texts.items():
        for verb in (("inspect",), ("train", "--method", "ce", "--out", material.fresh())):
            folder, prepare = material.table(text)
            # inspect reports what train refuses: an unreadable image, one class.
            may = anything if verb[0] == "inspect" else None
            yield Fault(f"table: {what}", (verb[0], folder, *verb[1:]), prepare, may)
    strange = (
        "[/nv]",
        "[bold]",
        ":smile:",
        "=1+1",
        "a\nb",
        "\x1b[31mred",
        "é",
        "a,b",
        '"',
        "../x",
        "NaN",
        " ",
        "a" * 255,
    )
    for name in strange:
        quoted = name.replace('"', '""')
        folder, prepare = material.table(f'image,label\n0.png,"{quoted}"\n1.png,b\n2.png,c\n')
        yield Fault(f"class named {name[:12]!r}", ("inspect", folder), prepare, anything)
    for text in ("PAR1", "", "x" * 100):
        folder, prepare = material.table(text, "labels.parquet")
        yield Fault(f"parquet table {text[:4]!r}", ("inspect", folder), prepare)
    for text in (
        "0.png\n",
        "0.png x\n",
        "\0 1\n",
        "../a.png 1\n",
        f"0.png {'9' * 5000}\n",
        "",
        "0.png -1\n",
        b"\xff\xfe 1\n",
        "nowhere.png 1\n",
    ):
        folder, prepare = material.table(text, "set_train.txt")
        yield Fault(f"list {text[:12]!r}", ("inspect", folder), prepare)


def archives(material: Material) -> Iterator[Fault]:
    """Archives of the wrong types, shapes and sizes."""
    images = np.stack([pixels(seed, 8) for seed in range(6)])
    labels = np.array([0, 1, 2, 0, 1, 2])
    sound = {"train_images": images, "train_labels": labels}
    changes: dict[str, dict[str, Any]] = {
        "datetime labels": {"train_labels": labels.astype("datetime64[s]")},
        "void labels": {"train_labels": np.zeros(6, dtype="V4")},
        "structured labels": {"train_labels": np.zeros(6, dtype=[("a", "i4"), ("b", "f4")])},
        "object labels": {"train_labels": np.array(["a", 1, None] * 2, dtype=object)},
        "complex labels": {"train_labels": labels + 1j},
        "NaN labels": {"train_labels": np.array([0, 1, np.nan, 0, 1, 2])},
        "fractions": {"train_labels": labels + 0.5},
        "negative labels": {"train_labels": labels - 1},
        "huge labels": {"train_labels": np.array([0, 1, 1e300, 0, 1, 2])},
        "unsigned labels beyond int64": {
            "train_labels": np.array([0, 1, 2**64 - 1, 0, 1, 2], dtype=np.uint64)
        },
        "bytes that are no text": {"train_labels": np.array([b"\xff", b"a", b"b"] * 2)},
        "2-D class_names": {"class_names": np.array([["a", "b", "c"]])},
        "0-D class_names": {"class_names": np.array("a")},
        "object class_names": {"class_names": np.array(["a", "b", None], dtype=object)},
        "too few class_names": {"class_names": np.array(["a", "b"])},
        "repeated class_names": {"class_names": np.array(["a", "a", "b"])},
        "float images": {"train_images": images.astype(float)},
        "flat images": {"train_images": images[:, 0, 0]},
        "six axes": {"train_images": images[None, None]},
        "no images": {"train_images": images[:0], "train_labels": labels[:0]},
        "images of no size": {"train_images": images[:, :0]},
        "fewer labels": {"train_labels": labels[:4]},
        "no labels": {"train_labels": None},
        "labels of more than 0 and 1": {"train_labels": np.full((6, 3), 2)},
        "no train": {"train_images": None, "train_labels": None, "val_images": images, "val_labels": labels},
        "splits of two shapes": {"test_images": images[:, :4], "test_labels": labels},
        "labels of two types": {"test_images": images, "test_labels": labels.astype("datetime64[s]")},
    }
    for what, change in changes.items():
        content = io.BytesIO()
        np.savez(content, **{key: value for key, value in {**sound, **change}.items() if value is not None})
        path, prepare = material.file("set.npz", content.getvalue())
        yield Fault(f"npz: {what}", ("inspect", path), prepare)
    content = io.BytesIO()
    np.savez(content, **{**sound, "train_labels": np.array([b"a", b"b", b"c"] * 2)})
    path, prepare = material.file("set.npz", content.getvalue())
    yield Fault("npz: labels in bytes", ("inspect", path), prepare, anything)
    np.savez(content := io.BytesIO(), **sound)
    whole = content.getvalue()
    for what, text in {
        "empty": b"",
        "cut off": whole[: len(whole) // 2],
        "garbage": bytes(512),
        "an empty zip": b"PK\x05\x06" + bytes(18),
        **{
            f"overwritten at {place}": whole[:place] + bytes(8) + whole[place + 8 :]
            for place in (0, 8, 40, 200, len(whole) - 60)
        },
        "encrypted": _encrypted(whole),
        "of another compression": _compressed_as(whole, 99),
    }.items():
        path, prepare = material.file("set.npz", text)
        yield Fault(f"npz: {what}", ("inspect", path), prepare, anything if "overwritten" in what else None)
    for what, shape in {
        "a bomb": (3000, 1000, 1000),
        "one huge image": (1, 30_000, 30_000),
        "more than memory": (2**40, 28, 28),
    }.items():
        path, prepare = material.file("set.npz", _bomb(shape))
        yield Fault(f"npz: {what}", ("inspect", path), prepare)


def _bomb(shape: tuple[int, ...]) -> bytes:
    """An archive whose header promises zeros that are not all there."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, sides, kind in (("train_images", shape, "|u1"), ("train_labels", shape[:1], "|u1")):
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": kind, "fortran_order": False, "shape": sides}
            )
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(10_000_000))
    return content.getvalue()


def _encrypted(archive: bytes) -> bytes:
    changed = bytearray(archive)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = changed.find(signature)
        while start >= 0:
            changed[start + flags] |= 1
            start = changed.find(signature, start + 4)
    return bytes(changed)


def _compressed_as(archive: bytes, method: int) -> bytes:
    changed = bytearray(archive)
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = changed.find(signature)
        while start >= 0:
            struct.pack_into("<H", changed, start + place, method)
            start = changed.find(signature, start + 4)
    return bytes(changed)


def images(material: Material) -> Iterator[Fault]:
    """Images of every format that are broken, hostile, or no images at all."""
    sound: dict[str, bytes] = {}
    for name, kind in {
        "png": "PNG",
        "jpg": "JPEG",
        "tif": "TIFF",
        "bmp": "BMP",
        "gif": "GIF",
        "webp": "WEBP",
        "ppm": "PPM",
        "jp2": "JPEG2000",
    }.items():
        content = io.BytesIO()
        Image.fromarray(pixels(5, 16)).save(content, kind)
        sound[name] = content.getvalue()
    sound["dcm"] = dicom()
    for name, whole in sound.items():
        half = len(whole) // 2
        for what, content in {
            "empty": b"",
            "cut off": whole[:half],
            "garbage": bytes(range(256)),
            "its first bytes only": whole[:20],
            "overwritten": whole[:half] + bytes(16) + whole[half + 16 :],
            "a huge size": _with_huge_size(name, whole),
        }.items():
            path, prepare = material.file(f"image.{name}", content)
            yield Fault(f"{name} {what}", ("predict", material.run, path), prepare, finite)
    yield from _dicoms(material)
    yield from _volumes(material)
    for what, make in {
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "link to a device": lambda path: path.symlink_to("/dev/zero"),
        "link to itself": lambda path: path.symlink_to(path),
        "link to nothing": lambda path: path.symlink_to("nowhere"),
    }.items():
        for ending in (".png", "", ".dcm"):
            path = material.fresh() / f"image{ending}"
            yield Fault(
                f"{what} named image{ending}",
                ("predict", material.run, path),
                lambda path=path, make=make: (path.parent.mkdir(parents=True), make(path)),
            )
    for name in ("a\nb.png", "caf\udce9.png", "[nv].png", "=cmd.png", "-x.png", "é" * 80 + ".png", " .png"):
        folder = material.fresh()
        yield Fault(
            f"image named {name[:12]!r}",
            ("predict", material.run, folder),
            lambda folder=folder, name=name: (
                folder.mkdir(parents=True),
                shutil.copy(material.images / "0.png", folder / name),
            ),
            finite,
        )
    yield Fault("a NUL in a path", ("predict", material.run, "a\0b.png"))
    yield Fault("a path that is too long", ("predict", material.run, "x" * 5000))


def _with_huge_size(name: str, whole: bytes) -> bytes:
    if name == "png":
        import zlib

        header = whole[12:16] + struct.pack(">II", 60_000, 60_000) + whole[24:29]
        return whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:]
    if name == "bmp":
        return whole[:18] + struct.pack("<ii", 60_000, 60_000) + whole[26:]
    if name == "gif":
        return whole[:6] + struct.pack("<HH", 65_535, 65_535) + whole[10:]
    if name == "ppm":
        return b"P6 60000 60000 255\n" + whole[15:]
    return whole[:-8]


def dicom(**changes: Any) -> bytes:
    """A grey DICOM image of 16 × 16, with elements changed or (None) left out."""
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = changes.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = CTImageStorage
    dataset.Rows = dataset.Columns = 16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = np.arange(256, dtype="<u2").tobytes()
    with pydicom.config.disable_value_validation():
        for key, value in changes.items():
            if value is None:
                del dataset[key]
            elif key in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"):
                dataset.add_new(key, "DS", value)
            else:
                setattr(dataset, key, value)
        content = io.BytesIO()
        dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def _dicoms(material: Material) -> Iterator[Fault]:
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

    def codestream(kind: str, size: int) -> bytes:
        content = io.BytesIO()
        Image.new("L", (size, size)).save(content, kind, **({"no_jp2": True} if kind == "JPEG2000" else {}))
        return content.getvalue()

    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    window = {"WindowCenter": "100", "WindowWidth": "200"}
    changes: dict[str, dict[str, Any]] = {
        "JPEG bomb": {
            "TransferSyntaxUID": JPEGBaseline8Bit,
            "PixelData": encapsulate([codestream("JPEG", 12_000)]),
            **eight,
        },
        "JPEG 2000 bomb": {
            "TransferSyntaxUID": JPEG2000Lossless,
            "PixelData": encapsulate([codestream("JPEG2000", 12_000)]),
            **eight,
        },
        "JPEG without a size": {
            "TransferSyntaxUID": JPEGBaseline8Bit,
            "PixelData": encapsulate([b"\xff\xd8\xff\xe0\x00\x04ab"]),
            **eight,
        },
        "JPEG-LS of garbage": {
            "TransferSyntaxUID": JPEGLSLossless,
            "PixelData": encapsulate([bytes(64)]),
            **eight,
        },
        "RLE of garbage": {
            "TransferSyntaxUID": RLELossless,
            "PixelData": encapsulate([bytes(range(64))]),
            **eight,
        },
        "slope NaN": {"RescaleSlope": "NaN", "RescaleIntercept": "0", **window},
        "slope infinite": {"RescaleSlope": "Infinity", "RescaleIntercept": "0", **window},
        "slope 0": {"RescaleSlope": "0", "RescaleIntercept": "0", **window},
        "slope 1e300": {"RescaleSlope": "1e300", "RescaleIntercept": "0", **window},
        "intercept NaN": {"RescaleSlope": "1", "RescaleIntercept": "NaN", **window},
        "slope in text": {"RescaleSlope": "two", "RescaleIntercept": "0"},
        "centre NaN": {"WindowCenter": "NaN", "WindowWidth": "200"},
        "width NaN": {"WindowCenter": "100", "WindowWidth": "NaN"},
        "width 0": {"WindowCenter": "100", "WindowWidth": "0"},
        "width negative": {"WindowCenter": "100", "WindowWidth": "-5"},
        "no rows": {"Rows": None},
        "0 rows": {"Rows": 0},
        "65535 rows": {"Rows": 65_535},
        "2 samples": {"SamplesPerPixel": 2},
        "no pixels": {"PixelData": None},
        "too few pixels": {"PixelData": bytes(64)},
        "12 bits of 8": {"BitsStored": 24},
        "a million frames": {"NumberOfFrames": "1000000"},
        "frames in text": {"NumberOfFrames": "x"},
        "an unknown interpretation": {"PhotometricInterpretation": "XYZ"},
    }
    for what, change in changes.items():
        try:
            content = dicom(**change)
        except (ValueError, TypeError):  # pydicom does not write it
            continue
        path, prepare = material.file("image.dcm", content)
        may = (
            anything
            if what
            in (
                "JPEG-LS of garbage",
                "RLE of garbage",
                "slope in text",
                "12 bits of 8",
                "an unknown interpretation",
                "2 samples",
            )
            else None
        )
        yield Fault(f"dicom: {what}", ("predict", material.run, path), prepare, finite if may else None)


def _volumes(material: Material) -> Iterator[Fault]:
    import gzip

    import nibabel

    volume = nibabel.Nifti1Image(np.arange(512, dtype=np.float32).reshape(8, 8, 8), np.eye(4)).to_bytes()

    def changed(place: int, kind: str, value: float) -> bytes:
        content = bytearray(volume)
        struct.pack_into(kind, content, place, value)
        return bytes(content)

    contents = {
        "empty": b"",
        "cut off": volume[:600],
        "garbage": bytes(range(256)) * 4,
        "huge vox_offset": changed(108, "<f", 1e12),
        "infinite vox_offset": changed(108, "<f", float("inf")),
        "NaN vox_offset": changed(108, "<f", float("nan")),
        "negative vox_offset": changed(108, "<f", -5.0),
        "huge sides": changed(42, "<h", 32_767)[:44] + struct.pack("<hh", 32_767, 32_767) + volume[48:],
        "negative side": changed(42, "<h", -3),
        "unknown type": changed(70, "<h", 999),
    }
    folder = material.fresh()

    def prepare() -> None:
        for name, content in contents.items():
            for ending, packed in ((".nii", content), (".nii.gz", gzip.compress(content))):
                for label in ("a", "b"):
                    place = folder / f"{name} {ending}" / label
                    place.mkdir(parents=True)
                    (place / f"x{ending}").write_bytes(packed)

    for number, name in enumerate(contents):
        for ending in (".nii", ".nii.gz"):
            arguments = ("train", folder / f"{name} {ending}", "--method", "ce", "--out", material.fresh())
            first = number == 0 and ending == ".nii"
            yield Fault(f"volume{ending}: {name}", arguments, prepare if first else lambda: None)


SETTINGS = (
    "loss.reduction=none",
    "loss.reduction=nonsense",
    "training.seed=4294967296",
    "training.seed=99999999999999999999",
    "training.seed=-1",
    "augmentation.shift=4",
    "augmentation.shift=100000",
    "augmentation.shift=1000000000000",
    "augmentation.cutout=100000000000",
    "augmentation.crop=7",
    "augmentation.mixup={alpha: 1e-320}",
    "augmentation.mixup={alpha: 1e308}",
    "augmentation.mixup={alpha: .nan}",
    "augmentation.mixup={alpha: .inf}",
    "augmentation.gamma={high: .inf}",
    "augmentation.blur={sigma: 1e9}",
    "augmentation.affine={degrees: .nan}",
    "augmentation.contrast_gain={low: 1e308, high: 1e308}",
    "head={name: embedding, embedding_size: 100000000000}",
    "head={name: two_layer, embedding_size: 99999999999999999999}",
    "head.name=nonsense",
    "loss.name=nonsense",
    "loss.max_margin=.nan",
    "loss.max_margin=.inf",
    "loss.max_margin=x",
    "loss.max_margin=[1]",
    "loss.max_margin={a: 1}",
    "loss.scale=1e400",
    "loss.scale=2020-01-01",
    "loss.weighting=nonsense",
    "loss.=1",
    "=1",
    "loss",
    "loss.scale",
    "loss.scale=[",
    "loss.scale={",
    "loss.scale=*a",
    "loss.scale=&a [*a]",
    "loss.scale=!!python/object:os.system x",
    f"loss.scale={'[' * 1000}",
    f"loss.scale={'9' * 5000}",
    "optimizer.learning_rate=0",
    "optimizer.learning_rate=-1",
    "optimizer.learning_rate=.nan",
    "optimizer.learning_rate=.inf",
    "optimizer.name=nonsense",
    "optimizer.momentum=1",
    "optimizer.weight_decay=.inf",
    "schedule.name=nonsense",
    "schedule={name: step, milestones: x}",
    "schedule={name: step, milestones: [-1]}",
    "schedule.warmup_epochs=-1",
    "training.epochs=0",
    "training.epochs=1.5",
    "training.epochs=99999999999999999999999",
    "training.batch_size=1",
    "training.batch_size=x",
    "training.precision=64",
    "training.devices=1000",
    "training.devices=0",
    "training.workers=-1",
    "training.accumulate_batches=0",
    "training.gradient_clip_norm=.nan",
    "training.monitor=nonsense",
    "data.image_size=7",
    "data.image_size=1e9",
    "data.image_size=x",
    "data.channels=0",
    "data.channels=65",
    "data.channels=2",
    "data.max_pixels=0",
    "data.max_pixels=10",
    "data.validation_fraction=0",
    "data.validation_fraction=.nan",
    "data.test_fraction=0.5",
    "data.split_seed=-1",
    "data.split_seed=99999999999999999999",
    "data.positive=nonsense",
    "data.subsample={name: pareto, alpha: 1e-320}",
    "data.subsample={name: exponential, imbalance_factor: .inf}",
    "data.subsample={name: step, imbalance_factor: 1e300}",
    "data.subsample={name: nonsense}",
    "data.subsample={name: binary, beta: 2}",
    "data=1",
    "data=null",
    "training=[]",
    "nonsense.key=1",
    "method.name=nonsense",
    "method=null",
    "method={name: loss_conditional, distributions: {}, grid: {}}",
    "sampling.name=nonsense",
    "backbone.name=nonsense",
    "backbone.name=''",
    "backbone.frozen_epochs=-1",
    "backbone.weights=maybe",
    "recipe.method=x",
)

#: Settings of the list above with which a training may well succeed.
HARMLESS = (
    "augmentation.shift=",
    "augmentation.cutout=",
    "augmentation.mixup={alpha: 1e",
    "augmentation.blur=",
    "recipe.method",
    "data.test_fraction",
    "data.split_seed=9",
    "backbone.frozen",
    "augmentation.contrast_gain",
    "optimizer.weight_decay",
    "data.subsample={name: exp",
    "data.subsample={name: step",
    "data.channels=2",
    "data.channels=65",
    "training.workers",
    "training.batch_size=x",
    "loss.max_margin=.",
    "data.subsample={name: pareto",
)


def settings(material: Material) -> Iterator[Fault]:
    """Settings that are plausible, absurd or hostile."""
    for text in SETTINGS:
        out = material.fresh()
        may = anything if text.startswith(HARMLESS) else None
        yield Fault(
            f"--set {text[:60]}", material.training(out, "--method", "ldam", "--set", text), accepts=may
        )
    bomb = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 9)}]\n"
        for level in range(9)
    )
    for text in (
        "",
        "[]",
        "1",
        "null",
        "a: [",
        "\t",
        "\0",
        bomb,
        "[" * 50_000,
        "{" * 50_000,
        "a: " * 3000,
        "- " * 5000,
        "a: &a\n  b: *a",
        "x" * 10**6,
        "!!python/object/apply:os.system ['true']",
        "loss: {name: ce}",
        "? [a]\n: 1",
        "<<: 1",
        "a: 2020-99-99",
        b"\xff\xfe",
    ):
        path, prepare = material.file("recipe.yaml", text)
        yield Fault(f"recipe {text[:12]!r}", material.training(material.fresh(), "--recipe", path), prepare)
        path, prepare = material.file("grid.yaml", text)
        yield Fault(
            f"grid {text[:12]!r}",
            ("compare", material.folders, "--grids", path, "--out", material.fresh(), "--seeds", 1),
            prepare,
        )
    for path in ("/dev/zero.yaml", "nowhere.yaml", material.folders / "x.yaml"):
        yield Fault(f"recipe {path}", material.training(material.fresh(), "--recipe", path))
    pipe = material.fresh().with_suffix(".yaml")
    yield Fault(
        "a pipe for a recipe",
        material.training(material.fresh(), "--recipe", pipe),
        lambda: (pipe.parent.mkdir(exist_ok=True), os.mkfifo(pipe)),
    )


def outputs(material: Material) -> Iterator[Fault]:
    """Places that must not be written to, and options that do not go together."""
    image, run = material.images / "0.png", material.run
    for place in (
        image,
        material.images / "x.csv",
        run / "x.csv",
        run / "summary.json",
        run / "predictions" / "test.parquet",
        material.images,
        material.folders / "nv" / "x.csv",
        "/dev/full",
        "/nonexistent/\0",
        "/proc/x.csv",
    ):
        for extra in ((), ("--overwrite",)):
            yield Fault(f"predict --out {place}", ("predict", run, material.images, "--out", place, *extra))
            if material.images not in Path(place).parents:
                yield Fault(f"evaluate --out {place}", ("evaluate", run, "--out", place, *extra))
    taken = material.fresh() / "x.csv"
    yield Fault(
        "predict over a file",
        ("predict", run, material.images, "--out", taken),
        lambda: (taken.parent.mkdir(parents=True), taken.write_text("mine")),
        sentence="--overwrite",
    )
    yield Fault(
        "predict over a file, as asked",
        ("predict", run, material.images, "--out", taken, "--overwrite"),
        accepts=anything,
    )
    for arguments in (
        ("train",),
        ("train", "x"),
        ("nonsense",),
        ("train", material.folders, "--out", run, "--method", "ce"),
        ("train", material.folders, "--out", material.images / "0.png", "--method", "ce"),
        ("train", material.folders, "--out", material.fresh(), "--method", "ce", "--resume"),
        ("train", material.folders, "--out", material.fresh(), "--method", "ce", "--folds", "1"),
        ("train", material.folders, "--out", material.fresh(), "--method", "ce", "--folds", "100000"),
        ("train", material.folders, "--out", material.fresh(), "--method", "\0"),
        ("train", "\0", "--out", material.fresh(), "--method", "ce"),
        ("train", "caf\udce9", "--out", material.fresh(), "--method", "ce"),
        ("inspect", ""),
        ("inspect", "/dev/null"),
        ("inspect", "/dev/zero"),
        ("evaluate", ""),
        ("evaluate", "\0"),
        ("evaluate", material.folders),
        ("predict", run),
        ("predict", run, "nowhere"),
        ("predict", run, "/dev/zero"),
        ("predict", run, ""),
        ("predict", run, material.images, "--resume"),
        ("compare", run, run),
        ("compare", "nowhere"),
        ("compare", run, "--methods", "ce"),
        ("compare", run, "--reference", "nonsense"),
        ("compare", material.folders, "--methods", ",", "--out", material.fresh()),
        ("compare", material.folders, "--methods", "ce", "--seeds", "0", "--out", material.fresh()),
        ("compare", material.folders, "--grids", "vs", "--grid-points", "x", "--out", material.fresh()),
        ("adapt", run),
        ("adapt", run, "--recall", "x"),
        ("adapt", run, "--recall", "nv=2"),
        ("adapt", run, "--recall", "nv=nan"),
        ("adapt", run, "--prior", "1,2"),
        ("adapt", run, "--prior", "nan,nan,nan"),
        ("adapt", run, "--prior", "0,0,0"),
        ("adapt", run, "--prior", "1e400,1,1"),
        ("adapt", run, "--prior", "-1,1,1"),
        ("adapt", run, "--metric", "auc"),
        ("adapt", run, "--coverage", "2"),
        ("adapt", run, "--coverage", "nan"),
        ("adapt", run, "--calibrate", "x"),
        ("adapt", run, "--confidence", "0.9"),
        ("adapt", run, "--costs", "nowhere"),
        ("adapt", run, "--costs", "/dev/zero"),
        ("list",),
        ("list", "nonsense"),
        ("list", "losses", "--only", "x"),
        ("evaluate", run, "--data", "nowhere"),
        ("evaluate", run, "--data", "digits-lt"),
        ("evaluate", run, "--split", "train"),
        ("--max-pixels", "0", "inspect", material.folders),
        ("--max-pixels", "10", "train", material.folders, "--method", "ce", "--out", material.fresh()),
    ):
        yield Fault("arguments", arguments)


def small_sets(material: Material) -> Iterator[Fault]:
    """Sets that are too small to split."""
    for per_class in (1, 2):
        folder = material.fresh()

        def prepare(folder: Path = folder, per_class: int = per_class) -> None:
            for seed in range(3 * per_class):
                place = folder / "abc"[seed % 3]
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels(seed)).save(place / f"{seed}.png")

        yield Fault(
            f"{per_class} images of each class",
            ("train", folder, "--method", "ce", "--out", material.fresh()),
            prepare,
            sentence="validation",
        )
    rows = "\n".join(f"{number}.png,{name},p" for number, name in enumerate("abc"))
    folder, prepare = material.table(f"image,label,patient\n{rows}\n")
    yield Fault(
        "one patient",
        ("train", folder, "--method", "ce", "--out", material.fresh()),
        prepare,
        sentence="patient",
    )
    for split in (
        "train,train,train",
        "train,train,validation",
        "test,test,test",
        "validation,validation,test",
    ):
        rows = "\n".join(
            f"{n}.png,{c},{s}" for n, (c, s) in enumerate(zip("abc", split.split(","), strict=True))
        )
        folder, prepare = material.table(f"image,label,split\n{rows}\n")
        yield Fault(
            f"splits {split}", ("train", folder, "--method", "ce", "--out", material.fresh()), prepare
        )


KINDS: dict[str, Callable[[Material], Iterator[Fault]]] = {
    "damaged files of a run": damaged_files,
    "changed values in them": changed_values,
    "operating points and costs": operating_points,
    "tables and lists": tables,
    "archives": archives,
    "images": images,
    "settings and recipes": settings,
    "outputs and arguments": outputs,
    "sets too small to split": small_sets,
}

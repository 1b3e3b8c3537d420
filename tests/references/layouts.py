"""Small data sets in the layouts of published ones, made anew: the names of files and columns, and nothing else."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from references.data_sets import picture

#: Images of each data set.
COUNT = 24


def save_all(folder: Path, names: Sequence[str]) -> None:
    """Write a picture for each name, which differs from the others."""
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(folder / name)


def write_rows(path: Path, header: str, rows: Sequence[Sequence[object]], encoding: str = "utf-8") -> Path:
    """Write a table and return its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path.parent


ISIC = [f"ISIC_{number:07d}" for number in range(COUNT)]
NAMES = ["nv", "mel", "bcc"]


def one_hot(number: int, size: int) -> list[float]:
    return [float(place == number % 3) for place in range(size)]


def ham10000(folder: Path) -> Path:
    """Two folders of images, and a table of metadata beside them."""
    save_all(folder, [f"HAM10000_images_part_{1 + n // 12}/{name}.jpg" for n, name in enumerate(ISIC)])
    rows = [
        (f"HAM_{n // 2:07d}", name, NAMES[n // 2 % 3], "histo", 45.0, "male", "back")
        for n, name in enumerate(ISIC)
    ]
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization"
    return write_rows(folder / "HAM10000_metadata.csv", header, rows)


def isic_2018(folder: Path) -> Path:
    """Images and ground truth in folders of their own; groupings of lesions in another table."""
    truth = folder / "ISIC2018_Task3_Training_GroundTruth"
    save_all(folder / "ISIC2018_Task3_Training_Input", [f"{name}.jpg" for name in ISIC])
    rows = [(name, *one_hot(n // 2, 7)) for n, name in enumerate(ISIC)]
    write_rows(truth / f"{truth.name}.csv", "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC", rows)
    groups = [(name, f"HAM_{n // 2:07d}", "histopathology") for n, name in enumerate(ISIC)]
    write_rows(
        truth / "ISIC2018_Task3_Training_LesionGroupings.csv",
        "image,lesion_id,diagnosis_confirm_type",
        groups,
    )
    return folder


def isic_2019(folder: Path) -> Path:
    """A column for each class, of which UNK is empty in training; metadata in another table."""
    save_all(folder / "ISIC_2019_Training_Input", [f"{name}.jpg" for name in ISIC])
    rows = [(name, *one_hot(n // 2, 9)) for n, name in enumerate(ISIC)]
    header = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"
    write_rows(folder / "ISIC_2019_Training_GroundTruth.csv", header, rows)
    metadata = [(name, 55, "", f"BCN_{n // 2:07d}" if n % 5 else "", "male") for n, name in enumerate(ISIC)]
    header = "image,age_approx,anatom_site_general,lesion_id,sex"
    return write_rows(folder / "ISIC_2019_Training_Metadata.csv", header, metadata)


def isic_2020(folder: Path) -> Path:
    """Patients, and three columns that may be labels."""
    save_all(folder / "train", [f"{name}.jpg" for name in ISIC])
    kinds = ["nevus", "melanoma", "unknown"]
    rows = [
        (
            name,
            f"IP_{n // 2:07d}",
            "male",
            45.0,
            "torso",
            kind,
            "benign" if kind != "melanoma" else "malignant",
            int(kind == "melanoma"),
        )
        for n, name in enumerate(ISIC)
        for kind in [kinds[n // 2 % 3]]
    ]
    header = (
        "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target"
    )
    return write_rows(folder / "train.csv", header, rows)


def aptos(folder: Path) -> Path:
    """Grades of training images; a test table without, and a file to hand in."""
    codes = [f"{number:012x}" for number in range(1, COUNT + 1)]
    save_all(folder / "train_images", [f"{code}.png" for code in codes])
    save_all(folder / "test_images", ["ffffffffffff.png"])
    write_rows(folder / "test.csv", "id_code", [("ffffffffffff",)])
    write_rows(folder / "sample_submission.csv", "id_code,diagnosis", [("ffffffffffff", 0)])
    return write_rows(
        folder / "train.csv", "id_code,diagnosis", [(code, n % 3) for n, code in enumerate(codes)]
    )


ODIR = (
    "ID,Patient Age,Patient Sex,Left-Fundus,Right-Fundus,Left-Diagnostic Keywords,Right-Diagnostic Keywords,"
    "N,D,G,C,A,H,M,O"
)


def _odir_row(patient: int) -> tuple[object, ...]:
    labels = [int(place == patient % 3) for place in range(8)]
    labels[7] = int(patient % 4 == 0)
    return (
        patient,
        60,
        "Female",
        f"{patient}_left.jpg",
        f"{patient}_right.jpg",
        "cataract",
        "normal fundus",
        *labels,
    )


def odir(folder: Path) -> Path:
    """Two eyes per row, labels of the patient."""
    save_all(folder / "Training Images", [f"{n}_{side}.jpg" for n in range(12) for side in ("left", "right")])
    return write_rows(folder / "ODIR-5K_Training_Annotations.csv", ODIR, [_odir_row(n) for n in range(12)])


def odir_per_eye(folder: Path) -> Path:
    """As Kaggle has it: a row per eye, paths of another machine, lists that Python wrote."""
    save_all(
        folder / "preprocessed_images", [f"{n}_{side}.jpg" for n in range(12) for side in ("left", "right")]
    )
    rows = [
        (
            *_odir_row(n),
            f"../input/odir/{n}_{side}.jpg",
            f"['{'NDG'[n % 3]}']",
            '"[1, 0, 0]"',
            f"{n}_{side}.jpg",
        )
        for n in range(12)
        for side in ("left", "right")
    ]
    return write_rows(folder / "full_df.csv", f"{ODIR},filepath,labels,target,filename", rows)


def chexpert(folder: Path) -> Path:
    """Paths from above the folder, findings of 1, 0, -1 and nothing, patients in the path."""
    views = [f"patient{1 + n // 2:05d}/study1/view{1 + n % 2}_frontal.jpg" for n in range(COUNT)]
    save_all(folder / "train", views)
    findings = [("1.0", "0.0", "-1.0", ""), ("0.0", "1.0")]
    rows = [
        (
            f"CheXpert-v1.0-small/train/{view}",
            "Male",
            60,
            "Frontal",
            "AP",
            findings[0][n % 4],
            findings[1][n % 2],
        )
        for n, view in enumerate(views)
    ]
    return write_rows(folder / "train.csv", "Path,Sex,Age,Frontal/Lateral,AP/PA,Edema,Pneumonia", rows)


def chest_xray_14(folder: Path) -> Path:
    """Joined labels, and patients."""
    names = [f"{1 + n // 2:08d}_{n % 2:03d}.png" for n in range(COUNT)]
    save_all(folder, [f"images_{1 + n // 12:03d}/images/{name}" for n, name in enumerate(names)])
    labels = ["No Finding", "Effusion", "Effusion|Mass", "Mass"]
    rows = [(name, labels[n // 2 % 4], n % 2, 1 + n // 2, 58, "M", "PA") for n, name in enumerate(names)]
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    return write_rows(folder / "Data_Entry_2017.csv", header, rows)


def pad_ufes(folder: Path) -> Path:
    """Three folders of images; patients, lesions, and answers of True and False."""
    names = [f"PAT_{n // 4}_{n // 2}_{n}.png" for n in range(COUNT)]
    save_all(folder, [f"imgs_part_{1 + n % 3}/{name}" for n, name in enumerate(names)])
    rows = [
        (f"PAT_{n // 4}", n // 2, "False", 55, "ARM", ["NEV", "BCC", "ACK"][n // 4 % 3], "True", name)
        for n, name in enumerate(names)
    ]
    return write_rows(
        folder / "metadata.csv", "patient_id,lesion_id,smoke,age,region,diagnostic,biopsed,img_id", rows
    )


def busi(folder: Path) -> Path:
    """Class folders with masks beside the images."""
    for kind in ("benign", "malignant", "normal"):
        names = [f"{kind} ({number}){end}.png" for number in range(1, 5) for end in ("", "_mask")]
        save_all(folder / "Dataset_BUSI_with_GT" / kind, names)
    picture(99).save(folder / "Dataset_BUSI_with_GT" / "benign" / "benign (1)_mask_1.png")
    return folder / "Dataset_BUSI_with_GT"


def chest_xray(folder: Path) -> Path:
    """Split folders, with a copy of the set inside it."""
    base = [
        f"{split}/{kind}/{n}.png"
        for split in ("train", "val", "test")
        for kind in ("NORMAL", "PNEUMONIA")
        for n in range(3)
    ]
    save_all(folder / "chest_xray", [*base, *(f"chest_xray/{name}" for name in base)])
    return folder / "chest_xray"


def _archive(path: Path, labels: Callable[[int], np.ndarray], *shape: int) -> Path:
    generator = np.random.default_rng(0)
    content = {}
    for split, count in (("train", 12), ("val", 6), ("test", 6)):
        content[f"{split}_images"] = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
        content[f"{split}_labels"] = labels(count)
    np.savez(path, **content)
    return path


def medmnist(folder: Path) -> Path:
    """Ids in one column."""
    return _archive(folder / "bloodmnist.npz", lambda count: (np.arange(count) % 3)[:, None], 28, 28, 3)


def chestmnist(folder: Path) -> Path:
    """0 and 1 for each of 14 labels."""

    def labels(count: int) -> np.ndarray:
        return (np.arange(count)[:, None] % (2 + np.arange(14)) == 0).astype(np.uint8)

    return _archive(folder / "chestmnist.npz", labels, 28, 28)


def _records(count: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.random.default_rng(first).integers(0, 256, (count, 3072), dtype=np.uint8)
    return pixels, (first + np.arange(count)) % 3


def cifar_10_binary(folder: Path) -> Path:
    """One byte of label before the pixels."""
    for place, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        pixels, labels = _records(4, place)
        np.column_stack([labels, pixels]).astype(np.uint8).tofile(folder / f"{name}.bin")
    (folder / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n")
    return folder


def cifar_100_binary(folder: Path) -> Path:
    """Two bytes of labels, coarse and fine."""
    for name, count in (("train", 18), ("test", 6)):
        pixels, labels = _records(count, count)
        np.column_stack([labels * 0, labels, pixels]).astype(np.uint8).tofile(folder / f"{name}.bin")
    (folder / "fine_label_names.txt").write_text("apple\naquarium_fish\nbaby\n")
    return folder


def _pickled(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def cifar_10_pickles(folder: Path) -> Path:
    for place, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        pixels, labels = _records(4, place)
        _pickled(folder / name, {"batch_label": name, "labels": labels.tolist(), "data": pixels})
    _pickled(folder / "batches.meta", {"label_names": ["airplane", "automobile", "bird"], "num_vis": 3072})
    return folder


def cifar_100_pickles(folder: Path) -> Path:
    for name, count in (("train", 18), ("test", 6)):
        pixels, labels = _records(count, count)
        _pickled(
            folder / name, {"fine_labels": labels.tolist(), "coarse_labels": [0] * count, "data": pixels}
        )
    _pickled(folder / "meta", {"fine_label_names": ["apple", "aquarium_fish", "baby"]})
    return folder


#: Every layout under the name that docs/data.md gives it.
LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "HAM10000": ham10000,
    "ISIC 2018": isic_2018,
    "ISIC 2019": isic_2019,
    "ISIC 2020": isic_2020,
    "PAD-UFES-20": pad_ufes,
    "APTOS 2019": aptos,
    "ODIR-5K": odir,
    "ODIR-5K per eye": odir_per_eye,
    "CheXpert": chexpert,
    "ChestX-ray14": chest_xray_14,
    "chest_xray": chest_xray,
    "BUSI": busi,
    "MedMNIST": medmnist,
    "ChestMNIST": chestmnist,
    "CIFAR-10 binary": cifar_10_binary,
    "CIFAR-10 Python": cifar_10_pickles,
    "CIFAR-100 binary": cifar_100_binary,
    "CIFAR-100 Python": cifar_100_pickles,
}

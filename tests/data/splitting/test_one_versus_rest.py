"""One class against the rest."""

import numpy as np
import pytest

from medtail.data import ImageArray, ImageCollection, open_collection, positive_versus_rest


@pytest.fixture
def lesions() -> ImageCollection:
    labels = ["nv", "mel", "bcc", "mel", "nv"]
    return ImageCollection.build(
        name="lesions",
        data="lesions",
        ids=list("abcde"),
        labels=labels,
        source=ImageArray(np.arange(5 * 64, dtype=np.uint8).reshape(5, 8, 8)),
        groups=list("ppqrr"),
        group_column="patient",
        splits=["train", "train", "test", "test", "test"],
    )


def test_the_positive_class_is_one_and_the_rest_is_zero(lesions: ImageCollection) -> None:
    two = positive_versus_rest(lesions, "mel")
    assert two.class_names == ("not_mel", "mel")
    assert two.targets.tolist() == [0, 1, 0, 1, 0]
    assert two.table["label"].tolist() == ["not_mel", "mel", "not_mel", "mel", "not_mel"]
    assert two.class_counts("train").tolist() == [1, 1]


def test_everything_else_stays(lesions: ImageCollection) -> None:
    two = positive_versus_rest(lesions, "mel")
    kept = ["id", "group", "split"]
    assert two.table[kept].equals(lesions.table[kept])
    assert (two.source.read(3) == lesions.source.read(3)).all()
    assert lesions.class_names == ("bcc", "mel", "nv")
    assert two.fingerprint() != lesions.fingerprint()


def test_doing_it_twice_changes_nothing(lesions: ImageCollection) -> None:
    once = positive_versus_rest(lesions, "mel")
    assert positive_versus_rest(once, "mel").fingerprint() == once.fingerprint()


def test_of_two_classes_it_chooses_which_is_one(lesions: ImageCollection) -> None:
    two = lesions.select(np.flatnonzero(lesions.table["label"] != "bcc"))
    two = positive_versus_rest(positive_versus_rest(two, "mel"), "not_mel")
    assert two.class_names[1] == "not_mel"
    assert two.targets.tolist() == [1, 0, 0, 1]


def test_for_an_unknown_class_the_nearest_is_suggested(lesions: ImageCollection, refuses) -> None:
    assert refuses(positive_versus_rest, lesions, "mell") == (
        "`positive` must be a class of lesions (bcc, mel, nv), got 'mell'; did you mean mel?; name one of them"
    )


def test_several_labels_are_refused(refuses) -> None:
    films = ImageCollection.build_multi_label(
        name="films",
        data="films.csv",
        ids=["x", "y"],
        labels={"a": np.array([1, 0]), "b": np.array([1, 1])},
        source=ImageArray(np.zeros((2, 8, 8), np.uint8)),
    )
    assert "`positive` needs one label per image, got 'a' for the label_ columns" in refuses(
        positive_versus_rest, films, "a"
    )


def test_digits_keep_their_splits() -> None:
    assert positive_versus_rest(open_collection("digits-lt"), "0").class_counts("test").tolist() == [360, 40]

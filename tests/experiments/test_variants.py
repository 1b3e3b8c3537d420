"""Variants: from a file, as a product, and what may not be a row."""

from pathlib import Path

import pytest

from medtail.errors import InputError
from medtail.experiments.variants import Variant, check_different, product_of, read_variants, variants_of


def test_a_file_gives_labels_methods_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text(
        "- {method: ce}\n"
        "- {label: 'DAL, s = 8', method: dal, set: {loss.scale: 8, loss: {min_margin: 0}}, recipe: small_images}\n"
    )
    plain, scaled = read_variants(path)
    assert plain == Variant("ce", "ce")
    assert scaled == Variant("DAL, s = 8", "dal", {"loss": {"scale": 8, "min_margin": 0}}, "small_images")
    assert scaled.folder == "DAL,_s_=_8"


def test_the_product_varies_the_last_setting_fastest() -> None:
    variants = product_of(
        variants_of(["ce", "dal"]), {"training.epochs": [1], "optimizer.learning_rate": [0.1, 0.01]}
    )
    assert [variant.label for variant in variants] == [
        f"{method} training.epochs=1 optimizer.learning_rate={rate}"
        for method in ("ce", "dal")
        for rate in ("0.1", "0.01")
    ]
    assert variants[1].settings == {"training": {"epochs": 1}, "optimizer": {"learning_rate": 0.01}}
    assert product_of(variants, {}) == variants


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "must hold a list of entries with method, label, set, recipe"),
        ("{method: ce}", "must hold a list of entries"),
        ("[{label: a}]", "entry 1, method: field required"),
        ("[{method: ce, sets: {}}]", "entry 1 has sets; did you mean set?"),
        (
            "[{method: ce}, {method: focall}]",
            "entry 2: method of focall must be one of .*; did you mean focal?",
        ),
        ("[{method: ce, set: 3}]", "entry 1, set: input should be a valid dictionary"),
        ("[{method: ce}, {method: CE, label: Ce}]", "entry 2: method of Ce must be one of"),
        (
            "[{method: ce}, {method: dal, label: Ce}]",
            "labels must differ in more than blanks and case, 'ce' and 'Ce'",
        ),
        ("[{method: ce, label: '.ce'}]", "not begin with a dot"),
        ("[{method: ce, label: ' '}]", "label must be a name on one line"),
        ("a: [", "is not valid YAML; it holds a list of entries"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_variants(path)


def test_labels_that_give_one_folder_are_refused() -> None:
    with pytest.raises(InputError, match="labels must differ"):
        check_different([Variant("a b", "ce"), Variant("a_b", "ce")])
    with pytest.raises(InputError, match="did you mean dbm_bs"):
        variants_of(["dbm_sb"])

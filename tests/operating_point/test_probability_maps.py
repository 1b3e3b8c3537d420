"""Maps of probabilities: against naive loops, and the properties that make them exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from medtail.errors import InputError
from medtail.operating_point import PriorShift, TemperatureScaling, VectorScaling


def normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(axis=-1, keepdims=True)


def positive(shape: int | tuple[int, int]) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, shape, elements=st.floats(1e-3, 1.0)).map(normalised)


CLASSES = st.integers(2, 5)
PRIORS_AND_PROBABILITIES = CLASSES.flatmap(
    lambda size: st.tuples(positive(size), positive(size), positive(size), positive((6, size)))
)


@given(PRIORS_AND_PROBABILITIES)
def test_prior_shift_is_bayes_rule_entry_by_entry(given_values) -> None:
    source, target, _, probabilities = given_values
    expected = np.empty_like(probabilities)
    for row, entries in enumerate(probabilities):
        joint = [p * t / s for p, s, t in zip(entries, source, target, strict=True)]
        for column, value in enumerate(joint):
            expected[row, column] = value / sum(joint)
    np.testing.assert_allclose(PriorShift(source, target).apply(probabilities), expected, rtol=1e-9)


@given(PRIORS_AND_PROBABILITIES)
def test_prior_shifts_compose_invert_and_do_nothing_between_equals(given_values) -> None:
    first, second, third, probabilities = given_values
    through = PriorShift(second, third).apply(PriorShift(first, second).apply(probabilities))
    np.testing.assert_allclose(through, PriorShift(first, third).apply(probabilities), rtol=1e-9)
    back = PriorShift(second, first).apply(PriorShift(first, second).apply(probabilities))
    np.testing.assert_allclose(back, probabilities, rtol=1e-9)
    np.testing.assert_allclose(PriorShift(first, first).apply(probabilities), probabilities, rtol=1e-9)


@given(PRIORS_AND_PROBABILITIES, st.floats(0.1, 10))
def test_rows_stay_distributions_and_temperature_keeps_the_order(given_values, temperature: float) -> None:
    source, target, _, probabilities = given_values
    clear = probabilities[np.diff(np.sort(probabilities, axis=1), axis=1)[:, -1] > 1e-6]
    scaled = TemperatureScaling(temperature).apply(clear)
    np.testing.assert_array_equal(scaled.argmax(axis=1), clear.argmax(axis=1))
    for step in (
        PriorShift(source, target),
        TemperatureScaling(temperature),
        VectorScaling(source, np.log(target)),
    ):
        adapted = step.apply(probabilities)
        assert adapted.dtype == np.float64 and (adapted >= 0).all()
        np.testing.assert_allclose(adapted.sum(axis=1), 1, rtol=1e-12)


def test_certain_probabilities_stay_finite() -> None:
    certain = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    for step in (
        PriorShift([0.98, 0.01, 0.01], [0.01, 0.01, 0.98]),
        TemperatureScaling(100.0),
        VectorScaling([0.01, 1.0, 1.0], [0.0, 5.0, -5.0]),
    ):
        assert np.isfinite(step.apply(certain)).all()


@pytest.mark.parametrize("calibration", [TemperatureScaling, VectorScaling])
def test_the_fit_is_where_the_gradient_of_scipy_vanishes(calibration) -> None:
    """No nearby parameter has a lower likelihood, so the gradient by hand is right."""
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 3, 200)
    probabilities = normalised(generator.gamma(0.5, size=(200, 3)) + 0.01)
    probabilities[np.arange(200), targets] += generator.uniform(0, 0.5, 200)
    probabilities = normalised(probabilities)
    fitted = calibration.fit(targets, probabilities)

    def cost(step) -> float:
        likelihood = -np.log(step.apply(probabilities)[np.arange(200), targets]).sum()
        if calibration is TemperatureScaling:
            return float(likelihood)
        return float(likelihood + 0.5 * (((step.slopes - 1) ** 2).sum() + (step.offsets**2).sum()))

    best = cost(fitted)
    for _ in range(50):
        if calibration is TemperatureScaling:
            other = TemperatureScaling(fitted.temperature * np.exp(generator.normal(0, 0.05)))
        else:
            noise = generator.normal(0, 0.05, (2, 3))
            other = VectorScaling(fitted.slopes + noise[0], fitted.offsets + noise[1])
        assert cost(other) >= best - 1e-6


def test_a_class_with_three_cases_stays_near_where_it_was() -> None:
    generator = np.random.default_rng(1)
    targets = np.repeat([0, 1, 2], [300, 300, 3])
    probabilities = normalised(generator.gamma(1.0, size=(603, 3)))
    probabilities[targets == 2, 2] = 0.999
    fitted = VectorScaling.fit(targets, normalised(probabilities))
    assert np.isfinite(fitted.slopes).all() and abs(fitted.offsets[2]) < 5


def test_a_validation_split_without_a_mistake_has_a_temperature_all_the_same() -> None:
    """Its likelihood grows without end as T falls; the fit stays within its bounds."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    assert 0.01 <= TemperatureScaling.fit(np.array([0, 1, 0]), probabilities).temperature < 0.2


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda: PriorShift([0.5, 0.5], [0.4, 0.5]),
            "target must sum to 1, sums to 0.9; .* 0.444444,0.555556",
        ),
        (lambda: PriorShift([0.5, 0.5], [1.0, 0.0]), "target must be positive for every class, got 0"),
        (
            lambda: PriorShift([0.5, 0.5], [0.2, 0.3, 0.5]),
            "target must be one number for each of 2 classes, got 3",
        ),
        (lambda: PriorShift([0.5, np.nan], [0.5, 0.5]), "source must be positive for every class, got nan"),
        (lambda: TemperatureScaling(0.0), r"temperature must be a number in \(0, inf\), got 0"),
        (lambda: VectorScaling([1.0], [0.0, 1.0]), "slopes and offsets must each be one number per class"),
        (lambda: VectorScaling([-1.0, 1.0], [0.0, 1.0]), "slopes must be positive"),
    ],
)
def test_wrong_settings_are_one_sentence(build, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build()

"""The loss that a recipe describes, and the prior of the classes that its scores stand for after training."""

from typing import Any

import numpy as np

from medtail.losses import ClassificationLoss, create_loss
from medtail.methods import Condition, LossFamily, create_family
from medtail.recipes.schema import Recipe
from medtail.runs.facts import DatasetFacts, positive_class


def loss_of(
    recipe: Recipe, class_counts: np.ndarray, condition: Condition | None = None
) -> ClassificationLoss:
    """Return the loss of a recipe, at λ if the method has one.

    Args:
        recipe: Every setting.
        class_counts: ``(C,)``, training counts in class-id order.
        condition: λ of a loss-conditional method.

    Raises:
        InputError: A name or setting is wrong, or λ is not legal for the loss.
    """
    if condition is not None:
        return loss_family_of(recipe, class_counts)(**condition)
    # A table marks unknown labels; the data's facts count them.
    return create_loss(recipe.loss.name, unknown_labels="leave_out", **_arguments(recipe, class_counts))


def loss_family_of(recipe: Recipe, class_counts: np.ndarray) -> LossFamily:
    """Return the loss of a recipe as a function of λ."""
    return create_family(recipe.loss.name, **_arguments(recipe, class_counts))


def _arguments(recipe: Recipe, class_counts: np.ndarray) -> dict[str, Any]:
    return {
        "class_counts": class_counts,
        "settings": recipe.loss.settings,
        "num_epochs": recipe.training.epochs,
        "positive": positive_class(class_counts, recipe.data.positive),
    }


def score_prior(recipe: Recipe, facts: DatasetFacts, condition: Condition | None = None) -> np.ndarray:
    """Return the prior ``(C,)`` that the probabilities of a run stand for.

    It follows from the loss and from the class shares that the last epoch drew.

    Args:
        recipe: Of the run.
        facts: Of its data.
        condition: λ at which the run is read; None takes that of its saved predictions.
    """
    import torch

    from medtail.data.samplers import drawn_prior

    counts = facts.training_counts
    drawn = torch.from_numpy(drawn_prior(recipe.sampling.name, counts, recipe.training.epochs))
    loss = loss_of(recipe, counts, recipe.method.condition if condition is None else condition)
    log_prior = loss.log_score_prior(drawn) + torch.zeros(len(counts), dtype=torch.float64)
    prior: np.ndarray = log_prior.softmax(0).numpy()
    return prior

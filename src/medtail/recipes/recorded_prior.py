"""The prior that the saved probabilities of a run stand for, which its summary records: reading it needs no loss."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from medtail.recipes.compose import load_recipe
from medtail.runs.facts import DatasetFacts
from medtail.runs.run import Run
from medtail.runs.stored_files import damaged

_KEY = "score_prior"


def prior_summary(run: Run, facts: DatasetFacts) -> dict[str, Any]:
    """Return what ``summary.json`` says under ``score_prior``; nothing for several labels per image.

    Args:
        run: With its recipe.
        facts: Of its data.

    Returns:
        ``score_prior``: from the name of each class to its share, as :func:`medtail.recipes.score_prior.score_prior`
        computes it.
    """
    from medtail.recipes.score_prior import score_prior

    if facts.multi_label:
        # No loss says which shares of a label its probabilities stand for.
        return {}
    shares = score_prior(load_recipe(run.recipe), facts).tolist()
    return {_KEY: dict(zip(facts.class_names, shares, strict=True))}


def recorded_prior(run: Run) -> dict[str, Any]:
    """Return ``score_prior`` as the summary of a finished run has it; nothing where it has none.

    Raises:
        InputError: The summary is missing or damaged.
    """
    summary = run.read_summary()
    return {_KEY: summary[_KEY]} if _KEY in summary else {}


def saved_score_prior(run: Run, facts: DatasetFacts) -> np.ndarray:
    """Return the prior ``(C,)`` that the saved probabilities of a finished run stand for.

    Args:
        run: A finished run or cross-validation.
        facts: Of its data.

    Raises:
        InputError: The summary is missing or damaged; or it is of a run from before the prior was recorded, and its
            loss cannot be built.
    """
    recorded = recorded_prior(run).get(_KEY)
    if recorded is None:
        # The loss imports PyTorch.
        from medtail.recipes.score_prior import score_prior

        return score_prior(load_recipe(run.require(run.recipe)), facts)
    shares = [recorded.get(name) for name in facts.class_names] if isinstance(recorded, Mapping) else []
    if not shares or not all(isinstance(share, float) and 0 <= share <= 1 for share in shares):
        raise damaged(run.summary, f"must hold a share for each class under {_KEY}, got {str(recorded)[:80]}")
    return np.array(shares)

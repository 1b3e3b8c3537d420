"""Which optimizer trains a head on frozen features: one that finds the minimum where there is one."""

from medtail.errors import InputError
from medtail.methods import Method
from medtail.recipes.schema import Recipe


def with_chosen_optimizer(recipe: Recipe, method: Method) -> Recipe:
    """Return the recipe with ``optimizer.name=auto`` resolved for its method.

    Args:
        recipe: Every setting.
        method: What it trains.

    Raises:
        InputError: The recipe asks for L-BFGS, and the loss has no one minimum on the features.
    """
    choices = recipe.optimizer.choices()
    solved = method.is_convex_on_features and recipe.takes_whole_split
    chosen = choices[0] if solved else choices[-1]
    if chosen.whole_split and not method.is_convex_on_features:
        raise InputError(
            f"optimizer.name=lbfgs needs a loss that is convex in the outputs and a head that is linear, "
            f"loss {recipe.loss.name} on this head has more than one minimum; take sgd or adamw, or a loss such as ce, "
            f"balanced_softmax or weighted_ce with head.name=linear"
        )
    return recipe.model_copy(update={"optimizer": chosen})


def with_saved_optimizer(recipe: Recipe, saved: Recipe) -> Recipe:
    """Return the recipe with the optimizer that ``optimizer.name=auto`` stood for in a saved run.

    Args:
        recipe: That a run is to be continued with.
        saved: Of the run, resolved.
    """
    if saved.optimizer in recipe.optimizer.choices():
        return recipe.model_copy(update={"optimizer": saved.optimizer})
    return recipe

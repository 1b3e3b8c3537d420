"""Freezing modules for a while, and remembering what was frozen before."""

from collections.abc import Iterable
from typing import final

from torch import nn


@final
class Freezing:
    """Freeze modules together: no gradients, and batch-norm statistics that stay as they are.

    Parameters that were frozen before, such as the base weights of an adapter, stay frozen when the modules are not.

    Args:
        modules: The modules.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._modules = tuple(modules)
        self._frozen_here: list[nn.Parameter] = []
        self._is_frozen = False

    def set(self, frozen: bool) -> None:
        """Freeze the modules, or end that."""
        if frozen and not self._is_frozen:
            self._frozen_here = [
                parameter
                for module in self._modules
                for parameter in module.parameters()
                if parameter.requires_grad
            ]
        for parameter in self._frozen_here:
            parameter.requires_grad_(not frozen)
        if not frozen:
            self._frozen_here = []
        self._is_frozen = frozen

    def keep(self) -> None:
        """Leave frozen modules in evaluation mode, after all were set to another."""
        if self._is_frozen:
            for module in self._modules:
                module.eval()

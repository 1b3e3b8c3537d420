"""The settings a run was trained with, as its folder holds them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from medtail.runs.run import Run
from medtail.runs.stored_files import damaged


def migrated(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a recipe that an earlier version saved under the names of this one.

    Example:
        >>> migrated({"backbone": {"name": "resnet18", "pretrained": True}})
        {'backbone': {'name': 'resnet18', 'weights': 'published'}}
    """
    today = dict(settings)
    backbone, augmentation = settings.get("backbone"), settings.get("augmentation")
    if isinstance(backbone, Mapping) and "pretrained" in backbone:
        kept = {key: value for key, value in backbone.items() if key != "pretrained"}
        today["backbone"] = {**kept, "weights": "published" if backbone["pretrained"] else "none"}
    training = settings.get("training")
    if isinstance(training, Mapping) and "monitor_window" not in training:
        today["training"] = {**training, "monitor_window": 1}
    if isinstance(augmentation, Mapping):
        today["augmentation"] = _shares(augmentation, settings.get("data"))
    return today


def _shares(augmentation: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """Settings of an augmentation whose shift was a number of pixels."""
    today, view = dict(augmentation), augmentation.get("contrast_view")
    if isinstance(view, Mapping):
        today["contrast_view"] = _shares(view, data)
    size = augmentation.get("crop") or (data.get("image_size") if isinstance(data, Mapping) else None)
    shift = augmentation.get("shift")
    if isinstance(shift, int) and shift >= 1 and isinstance(size, int) and size > shift:
        today["shift"] = shift / size
    return today


@final
@dataclass(frozen=True)
class RunSettings:
    """The content of ``recipe.yaml`` under today's names; :mod:`medtail.recipes` checks recipes and knows defaults.

    Attributes:
        values: Sections of settings, nested as in the file.

    Example:
        >>> settings = RunSettings({"recipe": {"method": "ldam"}, "loss": {"scale": 30.0}})
        >>> settings.method, settings.get("loss.scale"), settings.get("loss.gamma")
        ('ldam', 30.0, None)
        >>> settings.flat
        {'recipe.method': 'ldam', 'loss.scale': 30.0}
    """

    values: Mapping[str, Any]

    @classmethod
    def load(cls, run: Run) -> "RunSettings":
        """Read ``recipe.yaml``.

        Raises:
            InputError: The run is missing, or its recipe lacks what every page names.
        """
        settings = cls(migrated(run.read_recipe()))
        for path, kind in (("recipe.method", str), ("training.seed", int)):
            if not isinstance(settings.get(path), kind):
                raise damaged(run.recipe, f"must hold {path}, got {settings.get(path)!r}")
        return settings

    def get(self, path: str) -> Any:
        """Return the setting at a path such as ``loss.scale``; None where there is none."""
        value: Any = self.values
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    @property
    def method(self) -> str:
        """The key of the method's recipe."""
        return str(self.values["recipe"]["method"])

    @property
    def seed(self) -> int:
        """The seed of the training."""
        return int(self.values["training"]["seed"])

    @property
    def split_seed(self) -> int:
        """The seed of splits that were drawn."""
        seed = self.get("data.split_seed")
        return self.seed if seed == "run" else int(seed or 0)

    @property
    def monitor(self) -> str:
        """What chose the epoch; runs from before there was a choice took balanced accuracy."""
        return str(self.get("training.monitor") or "balanced_accuracy")

    @property
    def monitor_window(self) -> int:
        """Over how many epochs the metric that chose was averaged; runs from before compared single epochs."""
        return int(self.get("training.monitor_window") or 1)

    @property
    def validation(self) -> str:
        """Where the validation split came from: ``drawn`` (or given), ``none``, or ``test`` in its place."""
        return str(self.get("data.validation") or "drawn")

    @property
    def protocol(self) -> str | None:
        """Say in one sentence how the epoch was chosen, where that was not on validation images of its own."""
        if self.validation == "drawn":
            return None
        if self.validation == "none":
            return "There was no validation split, so the last epoch was kept."
        if self.monitor == "last_epoch":
            return "The test split was watched in place of a validation split, and the last epoch was kept."
        return "The epoch was chosen on the test split, as some papers do, so metrics of the test split are optimistic."

    @property
    def flat(self) -> dict[str, Any]:
        """Every setting by its path."""
        return dict(_leaves(self.values, ""))


def _leaves(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

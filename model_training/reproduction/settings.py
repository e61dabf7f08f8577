"""What the reproduction is told: one TOML file, every key typed, unknown keys refused."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from headct.errors import SettingsError
from model_training.reproduction.dealing import TASKS

DEFAULT = Path(__file__).with_name("settings.toml")


@dataclass(frozen=True, slots=True)
class Variation:
    """How pictures are varied; every draw is uniform."""

    of_each: int
    rotation_deg: float
    scale: float
    noise: float


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the reproduction; what each means stands in ``settings.toml``."""

    seed: int
    folds: tuple[str, ...]
    curves: tuple[str, ...]
    epochs: int
    batch: int
    learning_rate: float
    precision: str
    width: float
    variation: Variation

    @classmethod
    def read(cls, path: Path | None = None) -> Self:
        """Read a file over the defaults.

        Raises:
            SettingsError: not TOML, or a key or task that is not known.
        """
        values: dict[str, Any] = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
        if path:
            try:
                given = tomllib.loads(path.read_text(encoding="utf-8"))
            except (OSError, tomllib.TOMLDecodeError) as error:
                raise SettingsError(f"{path} cannot be read: {error}") from error
            values["variation"] |= given.pop("variation", {})
            values |= given
        variation = values.pop("variation")
        for kind, names in ((cls, values), (Variation, variation)):
            if unknown := set(names) - {f.name for f in fields(kind)}:
                raise SettingsError(f"unknown setting: {', '.join(sorted(unknown))}")
        for key in ("folds", "curves"):
            values[key] = tuple(values[key])
        if unknown := {*values["folds"], *values["curves"]} - {*TASKS}:
            raise SettingsError(f"unknown task: {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
        if wide := [task for task in values["folds"] if len(TASKS[task].classes) > 2]:
            raise SettingsError(f"only two-class tasks are cross-validated, not {', '.join(wide)}")
        if not values["folds"] and not values["curves"]:
            raise SettingsError("neither folds nor curves name a task: there is nothing to train")
        return cls(**values, variation=Variation(**variation))

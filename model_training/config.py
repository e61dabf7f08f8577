"""What a training run is told: one TOML file, every key typed, unknown keys refused."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from headct.errors import SettingsError
from model_training.augmentation import Augmentation

DEFAULT = Path(__file__).with_name("config.toml")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of a training run; what each means stands in ``config.toml``."""

    seed: int
    widths: tuple[int, ...]
    epochs: int
    steps: int
    batch: int
    learning_rate: float
    specificity: float
    augmentation: Augmentation = field(default_factory=Augmentation)

    @classmethod
    def read(cls, path: Path | None = None) -> "TrainingConfig":
        """Read a file over the defaults.

        Raises:
            SettingsError: not TOML, or a key that is not known.
        """
        values = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
        if path:
            try:
                given = tomllib.loads(path.read_text(encoding="utf-8"))
            except (OSError, tomllib.TOMLDecodeError) as error:
                raise SettingsError(f"{path} cannot be read: {error}") from error
            values["augmentation"] |= given.pop("augmentation", {})
            values |= given
        augmentation = _tuples(values.pop("augmentation"))
        for kind, names in ((cls, values), (Augmentation, augmentation)):
            if unknown := set(names) - {f.name for f in fields(kind)}:
                raise SettingsError(f"unknown setting: {', '.join(sorted(unknown))}")
        return cls(**_tuples(values), augmentation=Augmentation(**augmentation))


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

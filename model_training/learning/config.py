"""What a training run is told: one TOML file, every key typed, unknown keys refused."""

import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from headct.errors import SettingsError
from headct.network.preprocessing import Missing
from model_training.learning.augmentation import Augmentation
from model_training.learning.sampling import Sampling

DEFAULT = Path(__file__).with_name("config.toml")
TABLES: dict[str, Any] = {"augmentation": Augmentation, "sampling": Sampling}
"""Tables of the file, each the settings of one module."""
CHOICES = {
    "normalisation": ("batch", "group"),
    "missing": tuple(Missing),
    "precision": ("float32", "mixed_float16", "mixed_bfloat16"),
}
NOT_OF_TRAINING = ("seeds", "specificity")
"""Settings that do not change the weights of the network of a given seed."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of a training run; what each means stands in ``config.toml``."""

    seeds: tuple[int, ...]
    network: str
    widths: tuple[int, ...]
    normalisation: str
    missing: str
    epochs: int
    steps: int
    batch: int
    learning_rate: float
    precision: str
    verdict_share: float
    kind_share: float
    validation_share: float
    patience: int
    specificity: float
    augmentation: Augmentation = field(default_factory=Augmentation)
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be one of {', '.join(choices)}")
        if min(self.verdict_share, self.kind_share) < 0:
            raise SettingsError("verdict_share and kind_share must be 0 or more")
        for name in ("epochs", "steps", "batch"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise SettingsError("seeds must be different whole numbers from 0 up, at least one")
        if not 0 <= self.validation_share < 1 or self.patience < 0:
            raise SettingsError("validation_share must be from 0 to below 1, patience 0 or more")
        if self.patience and not self.validation_share:
            raise SettingsError("patience needs a validation_share above 0 to look at")

    @classmethod
    def read(cls, *paths: Path | None) -> "TrainingConfig":
        """Read files over the defaults, each over those before it; ``None`` says nothing.

        Raises:
            SettingsError: not TOML, a key that is not known, or a value out of its range.
        """
        values = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
        for path in filter(None, paths):
            try:
                given = tomllib.loads(path.read_text(encoding="utf-8"))
            except (OSError, tomllib.TOMLDecodeError) as error:
                raise SettingsError(f"{path} cannot be read: {error}") from error
            for name in TABLES:
                values[name] = values.get(name, {}) | given.pop(name, {})
            values |= given
        tables = {name: _known(kind, values.pop(name, {})) for name, kind in TABLES.items()}
        made: dict[str, Any] = {name: TABLES[name](**given) for name, given in tables.items()}
        return cls(**_known(cls, values), **made)

    def write(self, path: Path) -> None:
        """Write every setting to a file that :meth:`read` reads back."""
        # TOML writes numbers, texts and lists as JSON does.
        values = asdict(self)
        tables = {name: values.pop(name) for name in TABLES}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        for name, table in tables.items():
            lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def of_training(self) -> dict[str, Any]:
        """The settings that networks of one run must have in common, as JSON holds them."""
        return {name: value for name, value in asdict(self).items() if name not in NOT_OF_TRAINING}


def _known(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    if unknown := set(values) - {f.name for f in fields(kind)}:
        raise SettingsError(f"unknown setting: {', '.join(sorted(unknown))}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

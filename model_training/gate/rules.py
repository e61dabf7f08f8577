"""What the gate demands: margins, limits and assumptions, from one TOML file, every key known and checked."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any, Self

from headct.errors import SettingsError

DEFAULT = Path(__file__).with_name("gate.toml")


class WhenUnsure(StrEnum):
    """What happens when the patients cannot tell; meanings in ``gate.toml``."""

    WARN = "warn"
    BLOCK_IF_SEEN = "block_if_seen"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Margin:
    """How much worse a candidate may be in one endpoint."""

    margin: float
    """Above 0 and below 1."""
    when_unsure: WhenUnsure
    why: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a candidate may weigh and take."""

    megabytes: float
    slower: float
    slack_seconds: float
    own_auc: float


@dataclass(frozen=True, slots=True)
class Rules:
    """A checked file; what each value means stands in ``gate.toml``."""

    confidence: float
    fewest: int
    churn: float
    correlation: float
    limits: Limits
    endpoints: Mapping[str, Margin]

    @classmethod
    def read(cls, path: Path | None = None) -> Self:
        """Read a file over the defaults.

        Raises:
            SettingsError: not TOML, a key that is not known, or a value that makes no sense.
        """
        body = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
        if path:
            try:
                given = tomllib.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise SettingsError(f"{path} cannot be read: {error}") from error
            body = _over(body, given, path)
        name = path or DEFAULT
        endpoints = {
            key: Margin(
                _number(name, f"{key}.margin", value["margin"], above=0, below=1),
                _when_unsure(name, key, value["when_unsure"]),
                str(value["why"]),
            )
            for key, value in body["endpoints"].items()
        }
        limits = {
            key: _number(name, f"limits.{key}", value, least=0) for key, value in body["limits"].items()
        }
        fewest = _number(name, "fewest", body["fewest"], least=1)
        return cls(
            confidence=_number(name, "confidence", body["confidence"], above=0.5, below=1),
            fewest=int(fewest),
            churn=_number(name, "churn", body["churn"], least=0, below=0.5),
            correlation=_number(name, "correlation", body["correlation"], least=0, below=1),
            limits=Limits(**limits),
            endpoints=endpoints,
        )

    def json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def _over(
    defaults: Mapping[str, Any], given: Mapping[str, Any], path: Path, inside: str = ""
) -> dict[str, Any]:
    """``defaults`` with what is given laid over them, table by table."""
    if unknown := sorted(set(given) - set(defaults)):
        raise SettingsError(f"{path}: {inside}{unknown[0]} is not known")
    merged = dict(defaults)
    for key, value in given.items():
        if isinstance(defaults[key], dict) != isinstance(value, dict):
            raise SettingsError(f"{path}: {inside}{key} is of the wrong kind")
        merged[key] = (
            _over(defaults[key], value, path, f"{inside}{key}.") if isinstance(value, dict) else value
        )
    return merged


def _number(
    path: Path,
    name: str,
    value: object,
    *,
    least: float = float("-inf"),
    above: float = float("-inf"),
    below: float = float("inf"),
) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not good or not (value >= least and above < value < below):  # type: ignore[operator]
        raise SettingsError(f"{path}: {name} cannot be {value!r}")
    return float(value)  # type: ignore[arg-type]


def _when_unsure(path: Path, name: str, value: object) -> WhenUnsure:
    try:
        return WhenUnsure(str(value))
    except ValueError as error:
        known = ", ".join(WhenUnsure)
        raise SettingsError(f"{path}: {name}.when_unsure is one of {known}, not {value!r}") from error

"""One endpoint of the comparison: a share of patients or an area under the curve, its verdict and its power.

Power is that of the endpoint's whole rule, its ``when_unsure`` included: the probability that a candidate
which is truly worse by so much is stopped by this endpoint with this many patients.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from model_training.gate.paired import (
    Difference,
    Settled,
    delong,
    least_width,
    score_statistic,
    settled,
    share_difference,
    stopped,
)
from model_training.gate.rules import Margin, Rules

HARMS = (0.10, 0.20, 0.30)
"""How much worse a candidate is taken to be where power is stated, beside the margin itself."""
ENOUGH_POWER = 0.80
EXACT_UP_TO = 150
"""Patients up to which every possible outcome is enumerated; above, power is simulated."""
_DRAWS = 10_000
_SCORES_DRAWN, _AREA_DRAWS = 200_000, (200, 2000)
"""For one simulated power of an area under the curve: patients times draws, fewest and most draws."""


@dataclass(frozen=True)
class Endpoint:
    """What shares and areas have in common."""

    name: str
    margin: Margin
    rules: Rules
    seed: int

    @property
    def z(self) -> float:
        """Standard normal quantile of the interval's bounds."""
        return float(stats.norm.ppf((1 + self.rules.confidence) / 2))

    @property
    def patients(self) -> int:
        """How many are judged."""
        raise NotImplementedError

    @cached_property
    def difference(self) -> Difference:
        """Candidate minus in service."""
        raise NotImplementedError

    @property
    def values(self) -> tuple[float | None, float | None]:
        """The figure itself, of the bundle in service and of the candidate."""
        raise NotImplementedError

    def power(self, harm: float) -> float | None:
        """Probability that a candidate truly worse by ``harm`` is stopped; ``None`` where none can be.

        At a harm of 0 it is the probability that an equally good one is stopped.
        """
        raise NotImplementedError

    @cached_property
    def settled(self) -> Settled:
        """What the patients can tell."""
        return settled(self.difference, self.margin)

    @cached_property
    def stops(self) -> bool:
        """Whether this endpoint stops the candidate."""
        not_worse, worse = self.settled is Settled.NOT_WORSE, self.settled is Settled.WORSE
        return bool(stopped(not_worse, worse, self.difference.value, self.margin))

    @cached_property
    def stated_power(self) -> dict[str, float | None]:
        """Power at no harm, at the margin and at larger harms."""
        harms = {"equal": 0.0, "margin": self.margin.margin, **{f"{harm:.2f}": harm for harm in HARMS}}
        return {name: self.power(harm) for name, harm in harms.items()}

    @cached_property
    def smallest_harm(self) -> float | None:
        """Smallest harm, in whole points, that is stopped with 80 % power; ``None`` where none is."""
        low, high = 0, 100
        while high - low > 1:
            middle = (low + high) // 2
            power = self.power(middle / 100)
            low, high = (low, middle) if power is None or power >= ENOUGH_POWER else (middle, high)
        power = self.power(high / 100)
        return None if power is None or power < ENOUGH_POWER else high / 100

    def json(self) -> dict[str, Any]:
        """Plain JSON types."""
        in_service, candidate = self.values
        d = self.difference
        return {
            "name": self.name,
            "patients": self.patients,
            "in_service": in_service,
            "candidate": candidate,
            "difference": {"value": d.value, "low": d.low, "high": d.high},
            "margin": self.margin.margin,
            "when_unsure": self.margin.when_unsure.value,
            "settled": self.settled.value,
            "stops": self.stops,
            "power": self.stated_power,
            "smallest_harm_at_80_percent_power": self.smallest_harm,
        }


@dataclass(frozen=True)
class Share(Endpoint):
    """Share of patients judged rightly."""

    in_service: NDArray[np.bool_]
    """Whether the bundle in service judged each patient rightly."""
    candidate: NDArray[np.bool_]

    @property
    def patients(self) -> int:
        """How many are judged."""
        return len(self.candidate)

    @property
    def gained(self) -> int:
        """Patients only the candidate judges rightly."""
        return int((self.candidate & ~self.in_service).sum())

    @property
    def lost(self) -> int:
        """Patients only the bundle in service judges rightly."""
        return int((self.in_service & ~self.candidate).sum())

    @property
    def values(self) -> tuple[float | None, float | None]:
        """Shares; ``None`` of nobody."""
        if not self.patients:
            return None, None
        return float(self.in_service.mean()), float(self.candidate.mean())

    @cached_property
    def difference(self) -> Difference:
        """With Tango's score interval."""
        return share_difference(self.gained, self.lost, self.patients, self.z)

    def power(self, harm: float) -> float | None:
        """Exact over all outcomes up to 150 patients, simulated above.

        The bundle in service is taken to be as good as seen, drawn a little to the middle (Laplace); an
        equally good candidate gains and loses ``churn`` of the patients, a worse one loses more.
        """
        n = self.patients
        right = (int(self.in_service.sum()) + 1) / (n + 2)
        gained = min(self.rules.churn, 1 - right, right)
        lost = harm + gained
        if n == 0 or lost > right + 1e-9:
            return None
        same = max(1 - gained - lost, 0.0)
        if n > EXACT_UP_TO:
            draws = np.random.default_rng(self.seed).multinomial(n, [gained, lost, same], _DRAWS)
            return float(self._stopped(draws[:, 0], draws[:, 1]).mean())
        g, l, stopping = self._outcomes  # noqa: E741
        log = (
            special.gammaln(n + 1)
            - special.gammaln(g + 1)
            - special.gammaln(l + 1)
            - special.gammaln(n - g - l + 1)
            + special.xlogy(g, gained)
            + special.xlogy(l, lost)
            + special.xlogy(n - g - l, same)
        )
        return float(np.exp(log[stopping]).sum())

    @cached_property
    def _outcomes(self) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.bool_]]:
        """Every possible number of gained and lost patients, and whether it stops."""
        grid = np.indices((self.patients + 1, self.patients + 1)).reshape(2, -1)
        gained, lost = grid[:, grid.sum(axis=0) <= self.patients]
        return gained, lost, self._stopped(gained, lost)

    def _stopped(self, gained: NDArray[np.int_], lost: NDArray[np.int_]) -> NDArray[np.bool_]:
        n = self.patients
        # The bounds of Tango's interval are where the statistic passes z: no need to find them.
        not_worse = score_statistic(gained, lost, n, -self.margin.margin) > self.z
        worse = score_statistic(gained, lost, n, 0.0) < -self.z
        return stopped(not_worse, worse, (gained - lost) / n, self.margin)

    def json(self) -> dict[str, Any]:
        """Plain JSON types, with the counts."""
        counts = {"gained": self.gained, "lost": self.lost}
        return {**super().json(), **counts, "method": "Tango score interval, paired shares"}


@dataclass(frozen=True)
class Area(Endpoint):
    """Area under the receiver operating characteristic."""

    positives: NDArray[np.float64]
    """Scores of the bundle in service and of the candidate, shape (2, positives)."""
    negatives: NDArray[np.float64]

    @property
    def patients(self) -> int:
        """How many are judged, both kinds together."""
        return int(self.positives.shape[1] + self.negatives.shape[1])

    @property
    def values(self) -> tuple[float | None, float | None]:
        """Areas; ``None`` unless there are two patients of each kind."""
        if not self._enough:
            return None, None
        in_service, candidate = delong(self.positives, self.negatives)[0]
        return float(in_service), float(candidate)

    @property
    def _enough(self) -> bool:
        return bool(min(self.positives.shape[1], self.negatives.shape[1]) >= 2)

    @cached_property
    def difference(self) -> Difference:
        """With DeLong's interval, never narrower than so few patients allow."""
        if not self._enough:
            return Difference(0.0, -1.0, 1.0)
        value, half = self._interval(self.positives, self.negatives)
        return Difference(float(value), max(-1.0, float(value - half)), min(1.0, float(value + half)))

    def _interval(
        self, positives: NDArray[np.float64], negatives: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        areas, error = delong(positives, negatives)
        fewest = min(positives.shape[-1], negatives.shape[-1])
        return areas[..., 1] - areas[..., 0], np.maximum(self.z * error, least_width(fewest, self.z))

    def power(self, harm: float) -> float | None:
        """Simulated with normal scores of both bundles that hang together by ``correlation``.

        The bundle in service is taken to be as good as seen, at most 0.99; bleeding and bleed-free patients
        have the same spread.
        """
        in_service, _ = self.values
        if in_service is None:
            return None
        true = min(in_service, 0.99)
        if true - harm < 0:
            return None
        random = np.random.default_rng(self.seed)
        draws = int(np.clip(_SCORES_DRAWN // self.patients, *_AREA_DRAWS))
        shift = np.sqrt(2) * stats.norm.ppf(np.clip([true, true - harm], 1e-6, 1 - 1e-6))
        positives = self._draw(random, draws, self.positives.shape[1]) + shift[:, None]
        value, half = self._interval(positives, self._draw(random, draws, self.negatives.shape[1]))
        not_worse, worse = value - half > -self.margin.margin, value + half < 0
        return float(stopped(not_worse, worse, value, self.margin).mean())

    def _draw(self, random: np.random.Generator, draws: int, patients: int) -> NDArray[np.float64]:
        """Standard normal scores of two correlated bundles, shape (draws, 2, patients)."""
        first, second = random.standard_normal((2, draws, patients))
        rho = self.rules.correlation
        return np.stack([first, rho * first + np.sqrt(1 - rho**2) * second], axis=1)

    def json(self) -> dict[str, Any]:
        """Plain JSON types, with both kinds of patients."""
        return {
            **super().json(),
            "positives": self.positives.shape[1],
            "negatives": self.negatives.shape[1],
            "method": "DeLong interval, correlated areas",
        }

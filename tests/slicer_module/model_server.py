"""What the server does with reviews, as a model for tests: and every way in which it fails."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from HeadCTTriageLib.errors import RefusedError, UnreachableError, UnreadableError
from HeadCTTriageLib.server import cases
from HeadCTTriageLib.server.cases import (
    Assessment,
    Bundle,
    Case,
    GivenReview,
    Review,
    Series,
    Study,
    Urgency,
    Verdict,
)
from HeadCTTriageLib.server.client import ConflictError

START = datetime(2026, 3, 4, 18, tzinfo=UTC)
IDS = ("s1", "s2")


class Crash(BaseException):
    """Slicer is ended from outside."""


FAULTS: list[BaseException] = [
    UnreachableError("silence", UnreachableError.SLOW),
    UnreachableError("internal error", UnreachableError.FAILED),
    UnreadableError("a page of a proxy"),
    Crash(),
]
REFUSALS: list[BaseException] = [
    RefusedError("wrong password", RefusedError.LOGIN),
    RefusedError("you may only look", "refused"),
]


class ModelServer:
    """What the server does with reviews, and how it fails: before or after it has recorded one."""

    def __init__(self) -> None:
        self.judged = dict.fromkeys(IDS, 1)
        self.images = dict.fromkeys(IDS, 30)
        self.reviews: dict[str, list[tuple[Review, GivenReview]]] = {one: [] for one in IDS}
        self.clock = START
        self.trouble: list[tuple[str, BaseException] | None] = []
        self.meanwhile: Callable[[], object] | None = None

    def study(self, study_id: str) -> Study:
        fault = self._fault()
        if fault is not None:
            raise fault[1]
        case = Case("st1", "1.2", START, 60.0, "assessed")
        return Study(case, tuple(self.series(one) for one in IDS))

    def review(self, series_id: str, review: Review) -> cases.ReviewAnswer:
        if self.meanwhile is not None:
            self.meanwhile()
        when, fault = self._fault() or ("", None)
        if fault is not None and (when == "before" or isinstance(fault, RefusedError)):
            raise fault
        answer = self.record(series_id, review, "sato")
        if fault is not None:
            raise fault
        return answer

    def record(self, series_id: str, review: Review, login: str) -> cases.ReviewAnswer:
        rows = self.reviews[series_id]
        for known, given in rows:
            if known.request_id == review.request_id and given.login == login:
                if known != review:
                    raise ConflictError("used for another review", self.series(series_id))
                return cases.ReviewAnswer(given, Verdict("reviewed", given.urgency))
        if review.based_on != self.based_on(series_id):
            raise ConflictError("The case has changed.", self.series(series_id))
        self.clock += timedelta(seconds=1)
        said = GivenReview(
            review.action, review.urgency, {}, None, review.comment, login, login, "St. Elsewhere", self.clock
        )
        rows.append((review, said))
        return cases.ReviewAnswer(said, Verdict("reviewed", said.urgency))

    def based_on(self, series_id: str) -> str:
        rest = max(version for one, version in self.judged.items() if one != series_id)
        reviews = self.reviews[series_id]
        return f"{self.judged[series_id]}-{self.images[series_id]}-{len(reviews)}-{rest}"

    def series(self, one: str) -> Series:
        judged_at = START + timedelta(minutes=self.judged[one])
        said = Assessment(Urgency.RED, 0.9, 0.9, (), (), "1", Bundle("b", "1", "ab"), judged_at)
        reviews = tuple(given for _, given in self.reviews[one])
        return Series(
            one,
            f"1.2.{one}",
            self.images[one],
            "assessed",
            study_id="st1",
            based_on=self.based_on(one),
            assessment=said,
            reviews=reviews,
        )

    def _fault(self) -> tuple[str, BaseException] | None:
        return self.trouble.pop(0) if self.trouble else None

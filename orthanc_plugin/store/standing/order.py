"""The order of work: which patient comes before which. Decided here and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass

from headct.terms.urgency import Urgency

OVERDUE_SECONDS = 60.0
"""A case pending longer ranks with the failed ones."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of a case that its place depends on, beside when it arrived."""

    waits: bool
    """For a reader."""
    worst: Urgency | None
    """The urgency that counts; while images came after the review also the machine's, as they may show what
    readers could not see, and what a review says that nobody vouches for: a person's colour stays, the order
    follows the worse."""
    just_came: bool
    """Pending, and not for longer than a minute."""
    incomplete: bool
    """Something of the study is still to come, or failed: it may be worse than what is known."""
    wrong_clock: bool = False
    """It came while the clock ran ahead: nobody knows for how long it has waited."""
    unsure: bool = False
    """The machine is not sure of that urgency."""


@dataclass(frozen=True, slots=True)
class Place:
    """One line of the table."""

    name: str
    holds: Callable[[Facts], bool]
    why: str


_ALERTS = frozenset(u for u in Urgency if u.alert)

PLACES = (
    Place("alert", lambda case: case.waits and case.worst in _ALERTS, "RED and BLACK alike, early ones too"),
    Place(
        "unknown",
        lambda case: case.waits and case.worst is None and not case.just_came,
        "failed, not analysed, or pending for too long: it may be anything, and nobody else looks at it",
    ),
    Place(
        "yellow",
        lambda case: case.waits and (case.worst is Urgency.YELLOW or case.wrong_clock),
        "not urgent; and no case that came on a wrong clock stands below",
    ),
    Place(
        "green, unsure",
        lambda case: case.waits and case.worst is Urgency.GREEN and case.unsure,
        "nothing flagged, but the machine is not sure of it: before what it is sure of, and what is to come",
    ),
    Place(
        "pending",
        lambda case: case.waits and (case.worst is None or case.incomplete),
        "known in a moment; and what is GREEN so far, of which something is unknown: never below GREEN",
    ),
    Place("green", lambda case: case.waits, "nothing flagged in all there is"),
    Place("read, black", lambda case: case.worst is Urgency.BLACK, "read: waits for nobody; the worst first"),
    Place("read, red", lambda case: case.worst is Urgency.RED, "the same"),
    Place("read, yellow", lambda case: case.worst is Urgency.YELLOW, "the same"),
    Place("read", lambda case: True, "the same; with those that were excluded"),
)
"""From the top of the worklist to its end: a case stands at the first line that holds of it.

At the same line the longest waiting comes first; those that came on a wrong clock may be that.
"""


def place_of(facts: Facts) -> int:
    """The first line that holds."""
    return next(number for number, line in enumerate(PLACES) if line.holds(facts))

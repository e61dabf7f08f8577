"""Which urgency counts of a case, of what the machine and persons say of its series."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headct.terms.review import (
    UNREVIEWED,
    Action,
    Claim,
    Counted,
    Exclusion,
    Person,
    Review,
    Said,
    Standing,
    counted,
    verdict,
)
from headct.terms.urgency import Urgency

G, Y, R, B = Urgency
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def by(*urgencies: Urgency | None) -> list[Review]:
    """The word of a reader each, in this order; ``None`` excludes."""
    return [
        Review(
            by=Person(f"reader{n}", f"Reader^{n}", "St. Elsewhere"),
            at=AT + timedelta(minutes=n),
            action=Action.EXCLUDE if urgency is None else Action.RELABEL,
            urgency=urgency,
            reason=Exclusion.REPEAT if urgency is None else None,
        )
        for n, urgency in enumerate(urgencies)
    ]


COLOUR = st.none() | st.sampled_from(Urgency)
SAID = st.builds(
    Said,
    machine=COLOUR,
    preliminary=st.booleans(),
    verdict=st.lists(COLOUR, max_size=4).map(lambda given: verdict(by(*given))),
    unseen=st.booleans(),
    unsure=st.booleans(),
)
CASES = st.lists(SAID, max_size=4)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ([], Counted(None)),
        ([Said(None), Said(G), Said(R)], Counted(R)),
        ([Said(R, preliminary=True), Said(Y)], Counted(R, preliminary=True)),
        ([Said(R, preliminary=True), Said(R)], Counted(R)),
        ([Said(G, unsure=True), Said(G)], Counted(G, unsure=True)),
        ([Said(G, unsure=True), Said(Y)], Counted(Y)),
        ([Said(G, unsure=True, verdict=verdict(by(G)))], Counted(G, by_person=True)),
        ([Said(R, unsure=True)], Counted(R, unsure=True)),
        ([Said(R, verdict=verdict(by(G)))], Counted(G, by_person=True)),
        ([Said(R, verdict=verdict(by(G)), unseen=True)], Counted(G, by_person=True)),
        ([Said(G, verdict=verdict(by(Y, B)))], Counted(B, by_person=True)),
        ([Said(R, verdict=verdict(by(None)))], Counted(R)),
        # Seen, and not spoken of: whoever speaks of one series has looked at the study.
        ([Said(R, verdict=verdict(by(G))), Said(B)], Counted(G, by_person=True)),
        ([Said(R, verdict=verdict(by(G))), Said(B, unseen=True)], Counted(B)),
        ([Said(R, verdict=verdict(by(R))), Said(R, unseen=True)], Counted(R, by_person=True)),
        # A reader who was outvoted gave no word that counts: what came since is the machine's.
        ([Said(R, verdict=verdict(by(B, G, G))), Said(B, unseen=True)], Counted(B)),
    ],
)
def test_in_every_case(said: list[Said], counts: Counted) -> None:
    assert counted(said) == counts


@given(CASES)
def test_without_a_persons_word_it_is_the_worst_of_the_machines(said: list[Said]) -> None:
    found = counted([replace(one, verdict=UNREVIEWED) for one in said])
    assert found.urgency == max((one.machine for one in said if one.machine is not None), default=None)
    assert not found.by_person


@given(CASES, COLOUR, st.data())
def test_a_newer_result_never_changes_a_persons_word(
    said: list[Said], machine: Urgency | None, data: st.DataObject
) -> None:
    spoken_of = [n for n, one in enumerate(said) if one.verdict.urgency is not None]
    assume(spoken_of)
    at = data.draw(st.sampled_from(spoken_of))
    judged_again = [*said[:at], replace(said[at], machine=machine), *said[at + 1 :]]
    assert counted(judged_again) == counted(said)


@given(CASES)
def test_persons_words_are_undercut_by_nothing_and_only_what_came_since_is_worse(said: list[Said]) -> None:
    given_ = [one.verdict.urgency for one in said if one.verdict.urgency is not None]
    found = counted(said)
    assume(given_)
    assert found.urgency is not None and found.urgency >= max(given_)
    assert found.by_person == (found.urgency == max(given_))
    if not found.by_person:
        assert any(
            one.machine is found.urgency and one.unseen and one.verdict.standing is Standing.UNREVIEWED
            for one in said
        )
    assert not (found.by_person and found.preliminary)


@given(CASES)
def test_whose_word_it_is_is_somebodys(said: list[Said]) -> None:
    found = counted(said)
    words = [one.verdict.urgency if found.by_person else one.machine for one in said]
    assert found.urgency is None or found.urgency in words


CLAIMS = st.lists(st.builds(Claim, urgency=COLOUR, readable=st.booleans()), min_size=1, max_size=3)


@given(CASES, CLAIMS)
def test_what_nobody_vouches_for_is_never_counted_and_never_overruled(
    said: list[Said], claims: list[Claim]
) -> None:
    found, without = counted(said, claims), counted(said)
    assert found.unverified and not without.unverified
    if any(one.verdict.urgency is not None for one in said):
        assert replace(found, unverified=False) == without
        return
    assert not found.by_person
    if found.urgency is None:
        assert without.urgency in (None, G)
    else:
        assert found.urgency >= max(u for u in (G, without.urgency) if u is not None)
        assert all(found.urgency >= claim.urgency for claim in claims if claim.urgency is not None)
        assert found.urgency is not G or all(claim.readable for claim in claims)


@pytest.mark.parametrize(
    ("machine", "claims", "counts"),
    [
        (G, [Claim(R)], Counted(R, unverified=True)),
        (G, [Claim(G)], Counted(G, unverified=True)),
        (B, [Claim(G)], Counted(B, unverified=True)),
        (None, [Claim(Y)], Counted(Y, unverified=True)),
        (G, [Claim(None)], Counted(G, unverified=True)),
        (G, [Claim(None, readable=False)], Counted(None, unverified=True)),
        (Y, [Claim(None, readable=False)], Counted(Y, unverified=True)),
    ],
)
def test_beside_a_machine(machine: Urgency | None, claims: list[Claim], counts: Counted) -> None:
    assert counted([Said(machine)], claims) == counts

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.coding import Code

from headct.reports import codes
from headct.terms.assessment import FindingKind, Location
from headct.terms.review import Action, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from headct.triage.rubric import Rule

_tables = [v for v in vars(codes).values() if isinstance(v, dict) and Code in map(type, v.values())]
ALL = [v for v in vars(codes).values() if isinstance(v, Code)] + [c for t in _tables for c in t.values()]
# Not in pydicom's copy of the standard: UCUM is a grammar, the languages are RFC 5646's.
PUBLIC = [c for c in ALL if c.scheme_designator in ("DCM", "SCT", "LN")]


def test_every_urgency_kind_and_location_has_its_own_code():
    assert set(codes.URGENCIES) == set(Urgency)
    assert set(codes.FINDING_KINDS) == set(FindingKind)
    assert set(codes.LOCATIONS) == set(Location)


def test_everything_a_reader_may_say_has_its_own_code():
    assert set(codes.REVIEWED_URGENCIES) == set(Urgency)
    assert set(codes.ACTIONS) == set(Action)
    assert set(codes.EXCLUSIONS) == set(Exclusion)
    assert set(codes.REVIEW_FINDINGS) == set(ReviewFinding)


def test_a_code_means_one_thing():
    assert all(len(set(table.values())) == len(table) for table in _tables)
    meanings = {(code.scheme_designator, code.value): code.meaning for code in ALL}
    assert all(meanings[code.scheme_designator, code.value] == code.meaning for code in ALL)
    # Reader and machine mean the same by a finding of the same code, and never by an urgency.
    kinds, findings = codes.FINDING_KINDS, codes.REVIEW_FINDINGS
    assert findings[ReviewFinding.HAEMORRHAGE] == kinds[FindingKind.HAEMORRHAGE]
    assert kinds[FindingKind.MIDLINE_OFFSET] not in findings.values()
    assert not set(codes.REVIEWED_URGENCIES.values()) & set(codes.URGENCIES.values())


@pytest.mark.parametrize("code", ALL, ids=str)
def test_codes_fit_their_attributes(code):
    assert 0 < len(code.value) <= 16
    assert 0 < len(code.meaning) <= 64
    assert len(code.scheme_designator) <= 16


@pytest.mark.parametrize("code", PUBLIC, ids=str)
def test_public_codes_are_those_of_the_standard(code):
    meanings = [
        meaning.lower()
        for entries in concepts[code.scheme_designator].values()
        for value, (meaning, _) in entries.items()
        if value == code.value
    ]
    assert any(code.meaning.lower() in m or m in code.meaning.lower() for m in meanings) or (
        code == codes.CT_HEAD and meanings == ["ct head report", "head ct"]
    )


def test_private_schemes_begin_with_99():
    schemes = {c.scheme_designator for c in ALL}
    assert schemes == {"DCM", "SCT", "LN", "UCUM", "RFC5646", codes.OWN_SCHEME}
    assert codes.OWN_SCHEME.startswith("99")


@pytest.mark.parametrize("urgency", Urgency)
def test_a_machine_never_says_normal(urgency):
    assert "normal" not in codes.URGENCIES[urgency].meaning.lower()


def test_a_machines_black_is_a_suspicion():
    assert codes.URGENCIES[Urgency.BLACK].meaning == "suspected extreme severity, specialist now"


def test_long_words_are_cut_to_the_attribute():
    assert len(codes.own("x", "word " * 40).meaning) == 64
    assert codes.own(Rule.VENTRICULAR_BLACK, "words").value == "ventricular_black"

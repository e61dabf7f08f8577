"""The content tree of a review: a person's word after TID 1500 (DICOM PS3.16), in words and coded."""

from collections.abc import Iterator, Sequence

from highdicom.sr import (
    CodedConcept,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
    TrackingIdentifier,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from headct.language import Language
from headct.reports import codes
from headct.reports.documents import escaped
from headct.reports.report_content import report_tree
from headct.terms.review import Person, Review, ReviewFinding
from headct.wording import (
    action_words,
    blind_words,
    colour,
    exclusion_words,
    review_finding_words,
    urgency_words,
)

_CONTAINS = RelationshipTypeValues.CONTAINS


def review_tree(
    review: Review,
    *,
    texts: Sequence[tuple[Code, str]],
    based_on: str | None,
    follows: Sequence[str],
    tracking_uid: str,
    slices: Sequence[Dataset],
    language: Language,
    ct: bool,
) -> MeasurementReport:
    """The whole tree.

    Args:
        review: what the tree says.
        texts: what else is said in plain text, each under its name; empty ones are left out.
        based_on: SOP instance UID of the machine's report under review.
        follows: SOP instance UIDs of the other readers' reviews before this one.
        tracking_uid: of the group of what the reader found.
        slices: the evidence, one dataset an image.
        language: of the summary; codes stay English.
        ct: whether the images are a CT.
    """
    group = _group(review, tracking_uid)
    items = group[0].ContentSequence
    said = [(codes.COMMENT, review.comment), *texts]
    items.extend(TextContentItem(name, escaped(text), _CONTAINS) for name, text in said if text)
    referred = [(codes.BASED_ON, based_on or ""), *((codes.FOLLOWS, uid) for uid in follows)]
    items.extend(UIDRefContentItem(name, uid, _CONTAINS) for name, uid in referred if uid)
    return report_tree(
        codes.REVIEW_TITLE,
        ObservationContext(observer_person_context=_observer(review.by)),
        list(_summary(review, language)),
        [group],
        slices=slices,
        language=language,
        ct=ct,
    )


def _observer(person: Person) -> ObserverContext:
    """The reader as the observer (TID 1003)."""
    attributes = PersonObserverIdentifyingAttributes(
        name="^",  # set below: highdicom would log a name that it finds unusual
        login_name=escaped(person.login),
        organization_name=escaped(person.organisation),
    )
    attributes[0].PersonName = person.name
    return ObserverContext(CodedConcept(*codes.PERSON), attributes)


def _summary(review: Review, language: Language) -> Iterator[tuple[Code, str]]:
    """The review in words, each line under its concept."""
    action = action_words(review.action, language)
    if review.urgency is not None:
        words = urgency_words(review.urgency, language, by_person=True)
        yield codes.CONCLUSION, f"{colour(review.urgency, language).capitalize()}: {words}"
        yield codes.ACTION, action
    elif review.reason is not None:
        yield codes.CONCLUSION, f"{action.capitalize()}: {exclusion_words(review.reason, language)}"
    for finding, present in _in_order(review):
        yield codes.FINDING, review_finding_words(finding, language, present=present)
    if review.comment:
        yield codes.COMMENT, escaped(review.comment)
    if review.blind:
        yield codes.BLIND, blind_words(language)


def _group(review: Review, tracking_uid: str) -> MeasurementsAndQualitativeEvaluations:
    """What was decided, coded (TID 1501)."""
    values = [(codes.ACTION, codes.ACTIONS[review.action])]
    if review.urgency is not None:
        values.append((codes.URGENCY, codes.REVIEWED_URGENCIES[review.urgency]))
    if review.reason is not None:
        values.append((codes.EXCLUSION_REASON, codes.EXCLUSIONS[review.reason]))
    values += [(codes.REVIEW_FINDINGS[f], codes.PRESENCE[present]) for f, present in _in_order(review)]
    values.append((codes.BLIND, codes.YES_NO[review.blind]))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(tracking_uid, "Head CT triage review"),
        finding_type=codes.REVIEWED_CASE,
        qualitative_evaluations=[QualitativeEvaluation(name, value) for name, value in values],
    )


def _in_order(review: Review) -> list[tuple[ReviewFinding, bool]]:
    """The findings in the order of their definition, however they were given."""
    return [(finding, review.findings[finding]) for finding in ReviewFinding if finding in review.findings]

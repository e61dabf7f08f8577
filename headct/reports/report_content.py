"""The content tree of the structured report: what an assessment says, after TID 1500 (DICOM PS3.16).

Shaped by what viewers do with it. OHIF 3.13 shows a report titled (126000, DCM) by its regions alone, and
this profile marks none: the viewport stays black. Any other title it shows as a text tree, so the title is
our own and a summary in words comes first. Older OHIF fails on a group without tracking identifiers, on a
NUM without a child, and without an image library: all are there.

Probabilities are not in the report: findings are given in words and figures.
"""

from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from headct.images.frames import frame_number
from headct.language import Language
from headct.reports import codes
from headct.reports.documents import MANUFACTURER
from headct.reports.evidence import accession_number_to_say, key_slices
from headct.reports.identity import result_uid
from headct.terms.assessment import Assessment, BundleIdentity, Finding
from headct.wording import (
    caution_words,
    colour,
    finding_words,
    notice,
    rule_words,
    unsure_words,
    urgency_words,
)

DIGEST_PARAMETER = "bundle SHA-256: "
RUBRIC_PARAMETER = "rubric version: "

_CONTAINS = RelationshipTypeValues.CONTAINS
_ACQUISITION = RelationshipTypeValues.HAS_ACQ_CONTEXT


def measurement_report(
    assessment: Assessment, slices: Sequence[Dataset], case_identity: str, language: Language = "en"
) -> MeasurementReport:
    """The whole tree.

    Args:
        assessment: what the report says.
        slices: the evidence, one dataset a source slice, in slice order.
        case_identity: of :func:`headct.reports.identity.case_identity`; tracking UIDs derive from it.
        language: of the summary; codes stay English.
    """
    bundle = assessment.bundle
    groups = [_case_group(assessment, slices, case_identity)] + [
        _finding_group(number, finding, bundle, slices, case_identity)
        for number, finding in enumerate(assessment.findings, start=1)
    ]
    return report_tree(
        codes.TITLE,
        ObservationContext(observer_device_context=device_observer(bundle)),
        summary_lines(assessment, language),
        groups,
        slices=slices,
        language=language,
    )


def report_tree(
    title: Code,
    observer: ObservationContext,
    summary: Sequence[tuple[Code, str]],
    groups: Sequence[MeasurementsAndQualitativeEvaluations],
    *,
    slices: Sequence[Dataset],
    language: Language,
    ct: bool = True,
) -> MeasurementReport:
    """A tree of TID 1500: title, language, observer, procedure, summary in words, image library, groups.

    Args:
        title: of the document.
        observer: device or person.
        summary: lines in words, each under its concept.
        groups: of measurements.
        slices: the evidence, one dataset a source slice; an accession number that its attribute has no room
            for is added to the summary.
        language: of the summary; codes stay English.
        ct: whether the images are a CT.
    """
    report = MeasurementReport(
        title=title,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept(*(codes.JAPANESE if language == "ja" else codes.ENGLISH))
        ),
        observation_context=observer,
        procedure_reported=codes.CT_HEAD if ct else codes.IMAGING,
        imaging_measurements=groups,
    )
    words = [TextContentItem(name, text, _CONTAINS) for name, text in summary]
    if number := accession_number_to_say(slices[0]):
        words.append(TextContentItem(codes.ACCESSION_NUMBER, number, _CONTAINS))
    tree = report[0].ContentSequence
    measurements = tree.pop()
    tree.extend([_container(codes.SUMMARY, words), _image_library(slices, ct=ct), measurements])
    return report


def device_observer(bundle: BundleIdentity) -> ObserverContext:
    """The bundle as the observer (TID 1004)."""
    return ObserverContext(
        CodedConcept(*codes.DEVICE),
        DeviceObserverIdentifyingAttributes(
            uid=bundle.device_uid,
            name=f"{bundle.name} {bundle.version}",
            manufacturer_name=MANUFACTURER,
            model_name=bundle.name,
        ),
    )


def summary_lines(assessment: Assessment, language: Language = "en") -> list[tuple[Code, str]]:
    """The report in words, each line under its concept: conclusion first, then findings, cautions, notice."""
    urgency = assessment.urgency
    meaning = urgency_words(urgency, language, unsure=assessment.unsure)
    conclusion = f"{colour(urgency, language).capitalize()}: {meaning}"
    model = f"{assessment.bundle.name} {assessment.bundle.version}"
    return [
        (codes.CONCLUSION, conclusion),
        *((codes.UNSURE, unsure_words(doubt, language)) for doubt in assessment.doubts),
        (codes.NOTICE, notice(language)),
        *((codes.FINDING, finding_words(finding, language)) for finding in assessment.findings),
        *((codes.CAUTION, caution_words(code, language)) for code in assessment.cautions),
        *((codes.RULE, rule_words(rule, language)) for rule in assessment.rules),
        (codes.COMMENT, f"{MANUFACTURER}, {model}, rubric version {assessment.rubric_version}"),
    ]


def _image_library(slices: Sequence[Dataset], *, ct: bool) -> ContainerContentItem:
    """TID 1600: every slice, with what all of them share said once for the group.

    The optional descriptors of each image (position, spacing; TID 1602) are left out: they repeat the images'
    own headers, which may lack them, and for 1,500 thin slices they would be 25,000 items.
    """
    shared: list[ContentItem] = [CodeContentItem(codes.MODALITY, codes.CT, _ACQUISITION)] if ct else []
    if "FrameOfReferenceUID" in slices[0]:
        shared.append(
            UIDRefContentItem(codes.FRAME_OF_REFERENCE, slices[0].FrameOfReferenceUID, _ACQUISITION)
        )
    images = (_image(codes.SOURCE, item) for item in slices)
    return _container(codes.IMAGE_LIBRARY, [_container(codes.IMAGE_LIBRARY_GROUP, [*shared, *images])])


def _case_group(
    assessment: Assessment, slices: Sequence[Dataset], case_identity: str
) -> MeasurementsAndQualitativeEvaluations:
    bundle = assessment.bundle
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking("Head CT triage", "case", bundle, case_identity),
        finding_type=codes.TRIAGED_CASE,
        algorithm_id=AlgorithmIdentification(
            bundle.name,
            bundle.version,
            manufacturer=MANUFACTURER,
            parameters=[DIGEST_PARAMETER + bundle.digest, RUBRIC_PARAMETER + assessment.rubric_version],
        ),
        qualitative_evaluations=[
            QualitativeEvaluation(codes.URGENCY, codes.URGENCIES[assessment.urgency]),
            *(QualitativeEvaluation(codes.UNSURE, codes.DOUBTS[doubt]) for doubt in assessment.doubts),
            *(_evaluation(codes.RULE, rule, rule_words(rule)) for rule in assessment.rules),
            *(_evaluation(codes.CAUTION, code, caution_words(code)) for code in assessment.cautions),
        ],
    )
    group[0].ContentSequence.extend(_image(codes.KEY_SLICE, item) for item in key_slices(slices, assessment))
    return group


def _finding_group(
    number: int, finding: Finding, bundle: BundleIdentity, slices: Sequence[Dataset], case_identity: str
) -> MeasurementsAndQualitativeEvaluations:
    evaluations = []
    if finding.location is not None:
        evaluations.append(QualitativeEvaluation(codes.LOCATION, codes.LOCATIONS[finding.location]))
    if finding.offset_mm:
        side = codes.LEFT if finding.offset_mm > 0 else codes.RIGHT
        evaluations.append(QualitativeEvaluation(codes.DISPLACED_TOWARDS, side))
    involved = [slices[i] for i in finding.slices]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(f"Finding {number}", f"finding-{number}", bundle, case_identity),
        finding_type=codes.FINDING_KINDS[finding.kind],
        algorithm_id=_algorithm(bundle),
        measurements=_figures(finding, bundle),
        qualitative_evaluations=evaluations,
        source_images=[
            SourceImageForMeasurementGroup(s.SOPClassUID, s.SOPInstanceUID, _frames(s)) for s in involved
        ],
    )


def _figures(finding: Finding, bundle: BundleIdentity) -> list[Measurement]:
    """Rounded to a tenth: more digits would claim a precision that no mask on 5 mm slices has."""
    offset = None if finding.offset_mm is None else abs(finding.offset_mm)
    figures = (
        (codes.VOLUME, finding.volume_ml, codes.MILLILITRE),
        (codes.THICKNESS, finding.thickness_mm, codes.MILLIMETRE),
        (codes.OFFSET, offset, codes.MILLIMETRE),
        (codes.MEAN_ATTENUATION, finding.mean_hu, codes.HOUNSFIELD),
    )
    return [
        Measurement(name, round(float(value), 1), unit, algorithm_id=_algorithm(bundle))
        for name, value, unit in figures
        if value is not None
    ]


def _algorithm(bundle: BundleIdentity) -> AlgorithmIdentification:
    return AlgorithmIdentification(bundle.name, bundle.version, manufacturer=MANUFACTURER)


def _evaluation(name: Code, code: str, words: str) -> QualitativeEvaluation:
    return QualitativeEvaluation(name, codes.own(code, words))


def _tracking(words: str, part: str, bundle: BundleIdentity, case_identity: str) -> TrackingIdentifier:
    return TrackingIdentifier(result_uid(case_identity, bundle.digest, f"tracking-{part}"), words)


def _image(name: Code, item: Dataset) -> ImageContentItem:
    return ImageContentItem(
        name, item.SOPClassUID, item.SOPInstanceUID, _frames(item), relationship_type=_CONTAINS
    )


def _frames(item: Dataset) -> list[int] | None:
    """The frame that an item of the evidence is, where its image has several."""
    frame = frame_number(item)
    return None if frame is None else [frame]


def _container(name: Code, items: Sequence[ContentItem]) -> ContainerContentItem:
    container = ContainerContentItem(name, relationship_type=_CONTAINS)
    container.ContentSequence = ContentSequence(items)
    return container

"""Made-up studies of every kind, as the REST interface gives them, for tests of it and of the pages."""

import io
from datetime import UTC, datetime, timedelta
from hashlib import sha1

import numpy as np
from PIL import Image, ImageDraw

from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Finding, FindingKind, Location
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import BundleView, PatientNameView
from orthanc_plugin.cases.views import (
    AssessmentView,
    CautionView,
    DocumentView,
    FindingView,
    KeySliceView,
    PreviewView,
    ReasonView,
    SeriesSummary,
    SeriesView,
    WorklistRow,
)
from orthanc_plugin.states import CaseState, DocumentKind, SeriesState, Window

NOW = datetime(2026, 3, 4, 18, 12, 44, tzinfo=UTC)
BUNDLE = BundleView(name="bleed25d", version="0.1.0", device_uid="2.25.1", digest="ab" * 32)
UID = "1.2.826.0.1.3680043.8.498"
SLICES = 33

DEEP = Finding(FindingKind.HAEMORRHAGE, tuple(range(12, 19)), 41.2, 38.0, Location.DEEP, mean_hu=62.0)
RIM = Finding(FindingKind.HAEMORRHAGE, (7, 8, 9, 10), 6.1, 5.0, Location.PERIPHERAL, mean_hu=58.0)
MIDLINE = Finding(FindingKind.MIDLINE_OFFSET, (15,), offset_mm=-8.2)
HUGE = Finding(FindingKind.HAEMORRHAGE, tuple(range(5, 26)), 132.0, 61.0, Location.DEEP, mean_hu=64.0)
IVH = Finding(FindingKind.INTRAVENTRICULAR_BLOOD, (13, 14, 15, 16), 9.0)


def orthanc_id(name: str) -> str:
    """An identifier that looks like Orthanc's."""
    digest = sha1(name.encode()).hexdigest()
    return "-".join(digest[i : i + 8] for i in range(0, 40, 8))


def summary(
    name: str,
    state: SeriesState = SeriesState.ASSESSED,
    *,
    urgency: Urgency | None = None,
    reason: ReasonCode | None = None,
    description: str = "HEAD 5.0 H31s",
    number: str = "2",
    images: int = SLICES,
    preliminary: bool = False,
) -> SeriesSummary:
    """One series of a row."""
    return SeriesSummary(
        id=orthanc_id(name),
        series_instance_uid=f"{UID}.{len(name)}",
        number=number,
        description=description,
        modality="CT",
        images=images,
        state=state,
        reason=ReasonView.of(Reason(reason)) if reason else None,
        urgency=urgency,
        preliminary=preliminary,
    )


def case(
    key: str,
    name: str,
    minutes: float,
    *series: SeriesSummary,
    state: CaseState = CaseState.ASSESSED,
    urgency: Urgency | None = None,
    findings: tuple[Finding, ...] = (),
    reason: ReasonCode | None = None,
    **more: object,
) -> WorklistRow:
    """One study."""
    seconds = minutes * 60
    judged = urgency is not None
    facts: dict[str, object] = {
        "patient_id": f"{int(sha1(key.encode()).hexdigest()[:6], 16):08d}",
        "birth_date": "19510711",
        "sex": "M",
        "age": "074Y",
        "accession_number": f"A{len(key)}20260304",
        "study_date": "20260305",
        "study_time": "030102.11",
        "study_description": "CT HEAD PLAIN",
    }
    return WorklistRow.model_validate(
        {
            **facts,
            "id": orthanc_id(key),
            "study_instance_uid": f"{UID}.{key.encode().hex()[:8]}",
            "patient_name": PatientNameView.of(name),
            "first_arrival": NOW - timedelta(seconds=seconds),
            "waiting_seconds": seconds,
            "state": state,
            "urgency": urgency,
            "reason": ReasonView.of(Reason(reason)) if reason else None,
            "findings": tuple(FindingView.of(f) for f in findings),
            "judged_at": NOW - timedelta(seconds=seconds - 6) if judged else None,
            "result_age_seconds": max(seconds - 6, 0) if judged else None,
            "preview": PreviewView(series_id=series[0].id, slice=15) if judged else None,
            "series": series,
            **more,
        }
    )


def rows() -> tuple[WorklistRow, ...]:
    """One study of every kind, in the order of work."""
    return (*_alerts(), *_unknown(), *_rest())


def _alerts() -> tuple[WorklistRow, ...]:
    off = SeriesState.NOT_ANALYSED
    return (
        case(
            "black",
            "YAMADA^TAROU=山田^太郎=やまだ^たろう",
            31,
            summary("black", urgency=Urgency.BLACK),
            summary(
                "black-bone", off, reason=ReasonCode.BONE_KERNEL, description="HEAD 1.0 H60s", number="3"
            ),
            summary(
                "black-scout", off, reason=ReasonCode.LOCALIZER, description="Topogram", number="1", images=1
            ),
            urgency=Urgency.BLACK,
            findings=(HUGE, IVH, MIDLINE),
        ),
        case(
            "red",
            "Müller-Lüdenscheidt^Annemarie Theodora Wilhelmine^^Prof. Dr.",
            12,
            summary("red", urgency=Urgency.RED),
            summary("red-thin", urgency=Urgency.YELLOW, description="HEAD 1.0", number="4", images=170),
            urgency=Urgency.RED,
            findings=(DEEP, MIDLINE),
            discordant=True,
            sex="F",
        ),
        case(
            "preliminary",
            "SUZUKI^HANAKO=鈴木^花子=すずき^はなこ",
            0.4,
            summary("preliminary", SeriesState.WAITING, urgency=Urgency.RED, preliminary=True, images=19),
            state=CaseState.PENDING,
            urgency=Urgency.RED,
            preliminary=True,
            findings=(DEEP,),
            cautions=(CautionView.of("child"),),
            age="009Y",
            birth_date="20161122",
        ),
    )


def _unknown() -> tuple[WorklistRow, ...]:
    return (
        case(
            "failed",
            "EMERGENCY^UNKNOWN",
            22,
            summary("failed", SeriesState.FAILED, reason=ReasonCode.INTERNAL_ERROR),
            state=CaseState.FAILED,
            reason=ReasonCode.INTERNAL_ERROR,
            birth_date="Unknown",
            age="",
            sex="",
        ),
        case(
            "half",
            "Okonkwo^Chidi",
            9,
            summary("half", SeriesState.NOT_ANALYSED, reason=ReasonCode.HEAD_NOT_COVERED, images=14),
            state=CaseState.NOT_ANALYSED,
            reason=ReasonCode.HEAD_NOT_COVERED,
        ),
    )


def _rest() -> tuple[WorklistRow, ...]:
    return (
        case(
            "yellow",
            "SATOU^ICHIROU=佐藤^一郎=さとう^いちろう",
            44,
            summary("yellow", urgency=Urgency.YELLOW),
            urgency=Urgency.YELLOW,
            findings=(RIM,),
        ),
        case(
            "pending",
            "Nguyễn^Thị Minh Khai",
            0.2,
            summary("pending", SeriesState.ARRIVING, images=21),
            state=CaseState.PENDING,
        ),
        case(
            "judging",
            "Smith^John",
            0.1,
            summary("judging", SeriesState.JUDGING),
            state=CaseState.PENDING,
        ),
        case(
            "green",
            "",
            75,
            summary("green", urgency=Urgency.GREEN),
            summary(
                "green-mr", SeriesState.NOT_ANALYSED, reason=ReasonCode.NOT_CT, description="DWI", number="7"
            ),
            urgency=Urgency.GREEN,
        ),
        case(
            "green2",
            "TANAKA^JIROU=田中^次郎",
            190,
            summary("green2", urgency=Urgency.GREEN),
            urgency=Urgency.GREEN,
        ),
    )


def in_full(row: WorklistRow, series: SeriesSummary) -> SeriesView:
    """All of one series."""

    def assessment(urgency: Urgency, minutes: float, *, current: bool = True) -> AssessmentView:
        return AssessmentView(
            urgency=urgency,
            preliminary=series.preliminary,
            current=current,
            alert_probability=0.91 if urgency.alert else 0.07,
            haemorrhage_probability=0.97 if urgency else 0.04,
            findings=row.findings,
            key_slices=tuple(KeySliceView(number=n, sop_instance_uid=f"{UID}.9.{n}") for n in (15, 13, 17)),
            cautions=row.cautions,
            rules=("deep_volume", "thickness") if urgency.alert else (),
            rubric_version="1",
            bundle=BUNDLE,
            seconds=0.62,
            judged_at=NOW - timedelta(minutes=minutes),
            withdrawn_at=None if current else NOW - timedelta(minutes=minutes - 1),
        )

    judged = series.urgency is not None
    return SeriesView(
        **series.model_dump(),
        study_id=row.id,
        attempts=int(judged),
        first_arrival=row.first_arrival,
        assessment=assessment(series.urgency, 11) if series.urgency is not None else None,
        history=(assessment(Urgency.RED, 14, current=False),) if series.urgency is Urgency.BLACK else (),
        documents=(
            DocumentView(
                kind=DocumentKind.STRUCTURED_REPORT,
                sop_instance_uid=f"{UID}.7",
                orthanc_id=orthanc_id("sr"),
                created_at=NOW,
                published_at=NOW,
            ),
            DocumentView(kind=DocumentKind.KEY_OBJECTS, sop_instance_uid=f"{UID}.8", created_at=NOW),
        )
        if judged
        else (),
        slices=SLICES if judged else 0,
    )


def draw_slice(number: int, window: Window) -> bytes:
    """Something like a head with something like a bleed in it, as PNG."""
    image = Image.new("L", (512, 512))
    draw = ImageDraw.Draw(image)
    size = 90 + int(100 * np.sin(np.pi * (number + 4) / (SLICES + 8)))
    box = (256 - size, 256 - int(size * 1.2), 256 + size, 256 + int(size * 1.2))
    draw.ellipse(box, fill=70, outline=255, width=14)
    if 10 < number < 20 and window is not Window.BONE:
        draw.ellipse((290, 220, 350, 300), fill=190 if window is Window.BRAIN else 130)
    draw.text((12, 12), f"{number} {window}", fill=200)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()

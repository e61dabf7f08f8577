"""Every kind of series that can be generated."""

from dataclasses import dataclass, field
from enum import StrEnum

from headct.generator.lesions import BLEEDS, Lesion, LesionKind
from headct.generator.scanner import Kernel, Plane, Protocol
from headct.reasons import ReasonCode


class Subject(StrEnum):
    """What lies in the scanner."""

    HEAD = "head"
    WATER = "water"
    CHEST = "chest"


class Scan(StrEnum):
    """What is made of it."""

    CT = "ct"
    LOCALIZER = "localizer"
    MR = "mr"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of series: what is in it and what should become of it."""

    name: str
    words: str
    lesions: tuple[Lesion, ...] = ()
    ages: tuple[float, float] = (25, 65)
    expected_reason: ReasonCode | None = None
    """Why it must not be analysed; None if it must be."""
    subject: Subject = Subject.HEAD
    scan: Scan = Scan.CT
    contrast: bool = False
    protocol: Protocol = field(default_factory=Protocol)
    missing: tuple[float, float] | None = None
    """Part of the stack that is lost, as fractions from the first to the last slice."""

    @property
    def eligible(self) -> bool:
        """May it be analysed?"""
        return self.expected_reason is None

    @property
    def bleeds(self) -> bool:
        """Is there blood?"""
        return any(lesion.kind in BLEEDS for lesion in self.lesions)

    @property
    def volume_ml(self) -> float:
        """Blood in all, in ml."""
        return sum(lesion.volume_ml for lesion in self.lesions if lesion.kind in BLEEDS)


_LOBE = (30, 44, 18)
_CEREBELLUM = (22, 48, -26)

_ASSESSED = (
    Kind("normal", "adult without findings"),
    Kind("normal_elderly", "shrunken old brain, wide ventricles", ages=(78, 92)),
    Kind("normal_child", "child of pre-school age", ages=(3, 6)),
    Kind("normal_infant", "infant", ages=(0.3, 0.9)),
    Kind(
        "epidural",
        "epidural haematoma with fracture",
        (Lesion(LesionKind.EPIDURAL, 45), Lesion(LesionKind.FRACTURE)),
    ),
    Kind(
        "epidural_small",
        "small epidural haematoma",
        (Lesion(LesionKind.EPIDURAL, 9, -1), Lesion(LesionKind.FRACTURE, side=-1)),
    ),
    Kind("subdural", "acute subdural haematoma", (Lesion(LesionKind.SUBDURAL, 90, -1),), (45, 80)),
    Kind("subdural_small", "thin acute subdural haematoma", (Lesion(LesionKind.SUBDURAL, 14),), (45, 80)),
    Kind("subdural_old", "old subdural collection", (Lesion(LesionKind.SUBDURAL, 90, hu=20.0),), (70, 88)),
    Kind("subarachnoid", "subarachnoid haemorrhage", (Lesion(LesionKind.SUBARACHNOID, 22),), (40, 70)),
    Kind(
        "intraventricular",
        "intraventricular haemorrhage",
        (Lesion(LesionKind.INTRAVENTRICULAR, 12),),
        (50, 80),
    ),
    Kind(
        "intracerebral", "deep intracerebral haemorrhage", (Lesion(LesionKind.INTRACEREBRAL, 35),), (50, 80)
    ),
    Kind(
        "intracerebral_small",
        "small lobar haemorrhage",
        (Lesion(LesionKind.INTRACEREBRAL, 4, -1, _LOBE),),
        (60, 85),
    ),
    Kind(
        "cerebellar",
        "cerebellar haemorrhage",
        (Lesion(LesionKind.INTRACEREBRAL, 18, 1, _CEREBELLUM),),
        (50, 80),
    ),
    Kind(
        "intracerebral_massive",
        "massive intracerebral haemorrhage breaking into the ventricles",
        (Lesion(LesionKind.INTRACEREBRAL, 115), Lesion(LesionKind.INTRAVENTRICULAR, 10)),
        (50, 80),
    ),
    Kind(
        "infarct",
        "large infarct of the middle cerebral artery",
        (Lesion(LesionKind.INFARCT, 150, -1),),
        (55, 85),
    ),
    Kind("fracture", "skull fracture without bleeding inside", (Lesion(LesionKind.FRACTURE),)),
)
_NOT_ANALYSED = (
    Kind(
        "localizer", "localizer, two projections", expected_reason=ReasonCode.LOCALIZER, scan=Scan.LOCALIZER
    ),
    Kind(
        "coronal",
        "coronal reformat",
        expected_reason=ReasonCode.NOT_AXIAL,
        protocol=Protocol(plane=Plane.CORONAL, thickness_mm=3.0),
    ),
    Kind(
        "bone_kernel",
        "axial bone kernel",
        expected_reason=ReasonCode.BONE_KERNEL,
        protocol=Protocol(kernel=Kernel.BONE),
    ),
    Kind("contrast", "with contrast medium", expected_reason=ReasonCode.CONTRAST, contrast=True),
    Kind(
        "mr",
        "magnetic resonance, T1-weighted",
        expected_reason=ReasonCode.NOT_CT,
        scan=Scan.MR,
        protocol=Protocol(matrix=256),
    ),
    Kind("water_phantom", "water phantom", expected_reason=ReasonCode.PHANTOM, subject=Subject.WATER),
    Kind(
        "chest",
        "chest",
        expected_reason=ReasonCode.NOT_A_HEAD,
        subject=Subject.CHEST,
        protocol=Protocol(fov_mm=380, thickness_mm=7.0),
    ),
    Kind(
        "missing_slices",
        "slices lost in the middle",
        expected_reason=ReasonCode.INCONSISTENT_GEOMETRY,
        missing=(0.45, 0.6),
    ),
    Kind(
        "few_slices",
        "three slices only",
        expected_reason=ReasonCode.TOO_FEW_SLICES,
        protocol=Protocol(coverage=(0.55, 0.63)),
    ),
    Kind(
        "lower_half",
        "lower half of a head",
        expected_reason=ReasonCode.HEAD_NOT_COVERED,
        protocol=Protocol(coverage=(0.04, 0.55)),
    ),
    Kind(
        "upper_half",
        "upper half of a head",
        expected_reason=ReasonCode.HEAD_NOT_COVERED,
        protocol=Protocol(coverage=(0.55, 0.97)),
    ),
)

KINDS = {kind.name: kind for kind in (*_ASSESSED, *_NOT_ANALYSED)}

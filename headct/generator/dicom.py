"""Slices as DICOM images with the headers that scanners send (PS3.3 A.3 CT Image, A.4 MR Image)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from headct.generator.encoding import TransferSyntax, set_pixels
from headct.generator.patient import CharacterSet, Patient, derived_uid
from headct.generator.scanner import Kernel, Plane, Protocol, SlicePlan

IMPLEMENTATION_CLASS_UID = derived_uid("headct-triage", "generator")
COMMENT = "Generated image, not of a real person"


@dataclass(frozen=True, slots=True)
class Vendor:
    """How one maker of scanners fills the header."""

    manufacturer: str
    model: str
    kernels: dict[Kernel, str]
    descriptions: dict[Kernel, str]
    signed: bool
    """Stored values are Hounsfield units themselves, else 12 bits with an intercept of -1024."""
    silent: bool = False
    """Says nothing of kernel, body part, protocol: as after some archives and anonymisers."""


VENDORS = {
    "toshiba": Vendor(
        "TOSHIBA",
        "Aquilion",
        {Kernel.SOFT: "FC63", Kernel.BONE: "FC30"},
        {Kernel.SOFT: "Brain Head 5.0", Kernel.BONE: "Brain Bone 5.0"},
        signed=True,
    ),
    "siemens": Vendor(
        "SIEMENS",
        "SOMATOM Definition AS",
        {Kernel.SOFT: "H31s", Kernel.BONE: "H60s"},
        {Kernel.SOFT: "Head 5.0 H31s", Kernel.BONE: "Head 5.0 H60s"},
        signed=False,
    ),
    "ge": Vendor(
        "GE MEDICAL SYSTEMS",
        "LightSpeed VCT",
        {Kernel.SOFT: "SOFT", Kernel.BONE: "BONEPLUS"},
        {Kernel.SOFT: "HEAD", Kernel.BONE: "HEAD BONE"},
        signed=True,
    ),
    "philips": Vendor(
        "Philips",
        "Brilliance 64",
        {Kernel.SOFT: "UB", Kernel.BONE: "YD"},
        {Kernel.SOFT: "HEAD ROUTINE", Kernel.BONE: "HEAD BONE"},
        signed=False,
    ),
    "silent": Vendor("", "", {}, {}, signed=True, silent=True),
}


@dataclass(frozen=True, slots=True)
class SeriesHeader:
    """What all images of a series have in common."""

    patient: Patient
    charset: CharacterSet
    syntax: TransferSyntax
    vendor: Vendor
    protocol: Protocol
    study_uid: str
    series_uid: str
    frame_uid: str
    when: datetime
    number: int
    modality: str = "CT"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "AXIAL")
    body_part: str = "HEAD"
    description: str = ""
    """The vendor's usual words if empty."""
    study_description: str = "CT HEAD"
    contrast_agent: str = ""


def template(h: SeriesHeader) -> Dataset:
    """The attributes that every image of the series carries."""
    ct, p = h.modality == "CT", h.protocol
    sop_class = uid.CTImageStorage if ct else uid.MRImageStorage
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.TransferSyntaxUID = h.syntax.value
    meta.ImplementationClassUID = uid.UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "HEADCT_GEN"
    ds = Dataset()
    ds.file_meta = meta
    if h.charset:
        ds.SpecificCharacterSet = h.charset.split("\\")
    ds.SOPClassUID = sop_class
    _general(ds, h)
    ds.SliceThickness = f"{p.thickness_mm:g}"
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = h.study_uid, h.series_uid
    ds.FrameOfReferenceUID = h.frame_uid
    ds.StudyID = "1"
    ds.SeriesNumber = h.number
    ds.AcquisitionNumber = h.number
    ds.PositionReferenceIndicator = ""
    ds.ImageComments = COMMENT
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = p.matrix
    ds.BitsAllocated = 16
    if ct:
        _ct(ds, h)
    else:
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "NONE", ""
        ds.MRAcquisitionType = "2D"
        ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = "500", "12", 1
        ds.MagneticFieldStrength = "1.5"
        ds.PixelRepresentation, ds.BitsStored = 0, 12
        ds.WindowCenter, ds.WindowWidth = "450", "900"
    ds.HighBit = ds.BitsStored - 1
    return ds


def _general(ds: Dataset, h: SeriesHeader) -> None:
    """Patient, study, series and equipment."""
    date, time = h.when.strftime("%Y%m%d"), h.when.strftime("%H%M%S")
    ds.ImageType = list(h.image_type)
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = date
    ds.StudyTime = time
    ds.SeriesTime = (h.when + timedelta(minutes=h.number)).strftime("%H%M%S")
    ds.AccessionNumber = "G" + h.patient.identifier[-8:]
    ds.Modality = h.modality
    ds.Manufacturer = h.vendor.manufacturer
    ds.InstitutionName = "Generated"
    ds.ReferringPhysicianName = ""
    if not h.vendor.silent:
        ds.StationName = f"{h.modality}1"
        ds.StudyDescription = h.study_description
        kernel_words = h.vendor.descriptions[h.protocol.kernel]
        ds.SeriesDescription = h.description or kernel_words
        ds.ManufacturerModelName = h.vendor.model
        ds.BodyPartExamined = h.body_part
        ds.ProtocolName = h.study_description
        ds.SoftwareVersions = "1.0"
    ds.PatientName = h.patient.name(h.charset)
    ds.PatientID = h.patient.identifier
    years = int(h.patient.age_years)
    ds.PatientBirthDate = f"{h.when.year - years:04d}0101" if years else f"{h.when.year:04d}0101"
    ds.PatientSex = h.patient.sex
    ds.PatientAge = f"{years:03d}Y" if years >= 2 else f"{int(h.patient.age_years * 12):03d}M"
    if h.vendor.silent or h.body_part == "PHANTOM":  # otherwise the body part tells that it has no side
        ds.Laterality = ""


def _ct(ds: Dataset, h: SeriesHeader) -> None:
    p = h.protocol
    bone = p.kernel is Kernel.BONE
    ds.KVP = "120"
    ds.ReconstructionDiameter = f"{p.fov_mm:g}"
    if not h.vendor.silent:
        ds.ConvolutionKernel = h.vendor.kernels[p.kernel]
        ds.XRayTubeCurrent, ds.ExposureTime, ds.Exposure = 250, 750, 187
        ds.RotationDirection = "CW"
        ds.TableHeight = "150"
    ds.GantryDetectorTilt = f"{p.tilt_deg:g}"
    if h.contrast_agent:
        ds.ContrastBolusAgent = h.contrast_agent
        ds.ContrastBolusRoute = "IV"
        ds.ContrastBolusVolume = "100"
    ds.WindowCenter, ds.WindowWidth = ("600", "2800") if bone else ("40", "80")
    ds.RescaleSlope, ds.RescaleType = "1", "HU"
    if h.vendor.signed:
        ds.PixelRepresentation, ds.BitsStored, ds.RescaleIntercept = 1, 16, "0"
    else:
        ds.PixelRepresentation, ds.BitsStored, ds.RescaleIntercept = 0, 12, "-1024"


def _decimal(value: float) -> str:
    """A decimal string of at most 16 characters without an exponent (PS3.5 6.2)."""
    return f"{value:.5f}".rstrip("0").rstrip(".") if abs(value) > 5e-6 else "0"


def image(base: Dataset, h: SeriesHeader, index: int, plan: SlicePlan, hu: NDArray[np.int16]) -> Dataset:
    """One image of the series; `index` numbers it from 1 on, in acquisition order."""
    ds = Dataset()
    ds.update(base)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.update(base.file_meta)
    ds.SOPInstanceUID = derived_uid(h.series_uid, index)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    moment = h.when + timedelta(minutes=h.number, seconds=0.5 * index)
    ds.AcquisitionTime = ds.ContentTime = moment.strftime("%H%M%S.%f")[:13]
    ds.InstanceNumber = index
    table = np.array([0, 0, -h.protocol.table_mm])
    ds.ImagePositionPatient = [_decimal(v) for v in plan.corner + table]
    ds.ImageOrientationPatient = [_decimal(v) for v in (*plan.row, *plan.column)]
    ds.SliceLocation = _decimal(plan.location_mm)
    ds.SliceThickness = _decimal(plan.thickness_mm)
    ds.PixelSpacing = [_decimal(plan.pixel_mm)] * 2
    ds.PatientOrientation = ["L", "P"] if h.protocol.plane is Plane.AXIAL else ["L", "F"]
    if ds.PixelRepresentation:
        stored: NDArray[np.int16] | NDArray[np.uint16] = hu
    else:
        offset = int(ds.get("RescaleIntercept", 0))
        stored = np.clip(hu.astype(np.int32) - offset, 0, 4095).astype(np.uint16)
    set_pixels(ds, stored, h.syntax)
    return ds

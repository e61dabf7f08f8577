"""A person who is to be in no file of the data, and every place of an image in which they can be."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from pydicom import dcmwrite
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage

from headct.generator.encoding import TransferSyntax

NAME = "Kurosawa^Haruka=黒澤^遥香=くろさわ^はるか"
PATIENT_ID, ACCESSION, PHONE, SERIAL = "ZK-4711009", "ACC8826114", "03-5550-1962", "SN99817723"
BORN, STUDIED = "19620517", "20240229"
INSTITUTION, DOCTOR, REMARK = "Minato Chuo Byoin", "Ogata^Shiro", "fell from a ladder at home"
ROOT = "1.2.392.200036.9999.88.4711009"

WORDS = ("Kurosawa", "Haruka", "黒澤", "遥香", "くろさわ", "はるか", "Ogata", "Shiro", "ladder", INSTITUTION)
NUMBERS = (PATIENT_ID, "4711009", ACCESSION, PHONE, "0355501962", SERIAL, BORN, "1962-05-17", STUDIED, ROOT)
ENCODINGS = ("utf-8", "shift_jis", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be")


def secrets() -> set[bytes]:
    """What may be in no file, in every character set, made without the code under test."""
    found = set()
    for word in (*WORDS, *NUMBERS):
        for spelling in (word, word.upper(), word.lower()):
            for encoding in ENCODINGS:
                data = spelling.encode(encoding)
                # In the middle of a name, ISO 2022 has no escape sequences.
                found.add(re.sub(rb"\x1b[($][BJ]", b"", data) if encoding == "iso2022_jp" else data)
    return {one for one in found if len(one) >= 4}


SECRETS = secrets()


@cache
def person_image(charset: str = "\\ISO 2022 IR 87") -> Dataset:
    """One CT image of the person, with the usual attributes; to be copied before it is changed."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = TransferSyntax.EXPLICIT_LITTLE.value
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{ROOT}.1.1"
    ds.SpecificCharacterSet = charset.split("\\")
    ds.ImageType, ds.Modality = ["ORIGINAL", "PRIMARY", "AXIAL"], "CT"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = NAME, PATIENT_ID, BORN, "F"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = STUDIED, "101530.25", ACCESSION
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
    ds.FrameOfReferenceUID = f"{ROOT}.3"
    ds.Manufacturer, ds.ManufacturerModelName, ds.ConvolutionKernel = "ACME", "Whirl 64", "FC21"
    ds.InstitutionName, ds.DeviceSerialNumber, ds.ReferringPhysicianName = INSTITUTION, SERIAL, DOCTOR
    ds.PatientTelephoneNumbers, ds.PatientComments, ds.StudyID = PHONE, REMARK, "1"
    ds.SliceThickness, ds.KVP, ds.InstanceNumber = "5", "120", 1
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-100, -100, 30.5], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.RescaleIntercept, ds.RescaleSlope = [0.5, 0.5], "-1024", "1"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 32, 32
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    pixels = np.random.default_rng(7).integers(0, 4096, (32, 32), dtype=np.uint16)
    ds.add_new("PixelData", "OW", pixels.tobytes())
    return ds


def as_file(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


Plant = Callable[[Dataset], None]


@dataclass(frozen=True)
class Place:
    """Somewhere in a file; what the audit has to name; and how something of the person gets there."""

    words: str
    named: str
    plant: Plant


def attribute(keyword: str, value: object, *inside: str, vr: str = "") -> Place:
    """An attribute, ``inside`` items of sequences."""
    tag = tag_for_keyword(keyword)
    assert tag is not None

    def plant(ds: Dataset) -> None:
        for sequence in inside:
            if sequence not in ds:
                setattr(ds, sequence, [Dataset()])
            ds = ds[sequence].value[0]
        ds.add_new(tag, vr or dictionary_VR(tag), value)

    named = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    outermost = tag_for_keyword(inside[0]) if inside else tag
    assert outermost is not None
    return Place(
        " ".join((*inside, keyword)),
        f"({outermost >> 16:04X},{outermost & 0xFFFF:04X})" if inside else named,
        plant,
    )


def private(vr: str, value: object) -> Place:
    def plant(ds: Dataset) -> None:
        ds.private_block(0x0029, "ACME NOTES", create=True).add_new(0x10, vr, value)

    return Place(f"private {vr}", "(0029,1010) a private attribute", plant)


def raw(words: str, tag: int, vr: str, value: object, named: str) -> Place:
    return Place(words, named, lambda ds: ds.add_new(tag, vr, value) and None)


def of_meta(keyword: str, value: object) -> Place:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    named = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return Place(f"meta {keyword}", named, lambda ds: setattr(ds.file_meta, keyword, value))


def preamble(ds: Dataset) -> None:
    ds.preamble = b"II*\0" + b"Kurosawa Haruka".ljust(124, b"\0")


SELECTED: dict[str, object] = {
    "AE": "KUROSAWA", "AS": "098Y", "AT": 0x04711009, "CS": "KUROSAWA", "DA": BORN, "DS": "4711009",
    "DT": f"{STUDIED}101530", "FD": 4711009.0, "FL": 4711009.0, "IS": "4711009", "LO": PATIENT_ID,
    "LT": "patient Kurosawa", "OB": b"Kurosawa", "OD": b"Kurosawa", "OF": b"Kurosawa", "OL": b"Kurosawa",
    "OV": b"Kurosawa", "OW": b"Kurosawa", "PN": NAME, "SH": ACCESSION, "SL": 4711009, "SS": [471, 1009],
    "ST": "call 03-5550-1962", "SV": 4711009, "TM": "101530", "UC": "Haruka Kurosawa", "UI": f"{ROOT}.7",
    "UL": 4711009, "UN": b"Kurosawa Haruka ", "UR": "http://pacs/ZK-4711009", "US": [471, 1009],
    "UT": REMARK, "UV": 4711009,
}  # fmt: skip
"""One value for every representation; there is a selector attribute for each (PS3.6, group 0072)."""

PLACES = [
    *(attribute(f"Selector{vr}Value", value, vr=vr) for vr, value in SELECTED.items()),
    attribute("PatientName", NAME),
    attribute("OtherPatientNames", "KUROSAWA^H"),
    attribute("OtherPatientIDs", PATIENT_ID),
    attribute("PatientAddress", "Kurosawa, Minato-ku"),
    attribute("PatientTelephoneNumbers", PHONE),
    attribute("PatientBirthDate", BORN),
    attribute("PatientMotherBirthName", "Ogata^Haruka"),
    attribute("PatientComments", REMARK),
    attribute("IssuerOfPatientID", INSTITUTION),
    attribute("AccessionNumber", ACCESSION),
    attribute("StudyID", ACCESSION),
    attribute("ScanOptions", ["HELICAL MODE", ACCESSION]),
    attribute("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL", DOCTOR]),
    attribute("StudyDescription", "Kurosawa control"),
    attribute("SeriesDescription", "HEAD ZK-4711009"),
    attribute("ProtocolName", "SHIRO"),
    attribute("InstitutionName", INSTITUTION),
    attribute("InstitutionAddress", "beside Minato Chuo Byoin"),
    attribute("StationName", SERIAL),
    attribute("DeviceSerialNumber", SERIAL),
    attribute("ReferringPhysicianName", DOCTOR),
    attribute("OperatorsName", "Shiro"),
    attribute("ImageComments", "黒澤様"),
    attribute("AcquisitionDateTime", f"{STUDIED}101530"),
    attribute("SeriesDate", STUDIED),
    attribute("StudyDate", STUDIED),
    attribute("AcquisitionTime", "101530"),
    attribute("PatientAge", "098Y"),
    attribute("PatientWeight", "4711009"),
    attribute("IrradiationEventUID", f"{ROOT}.9"),
    attribute("StorageMediaFileSetUID", f"{ROOT}.10"),
    attribute("BodyPartExamined", "KUROSAWA"),
    attribute("EncapsulatedDocument", b"%PDF Kurosawa Haruka"),
    attribute("DigitalSignaturesSequence", [Dataset()]),
    attribute("DataSetTrailingPadding", b"Kurosawa", vr="OB"),
    attribute("OtherPatientIDs", PATIENT_ID, "OtherPatientIDsSequence"),
    attribute("PatientID", PATIENT_ID, "OtherPatientIDsSequence"),
    attribute("PatientName", NAME, "ReferencedPatientSequence", "OriginalAttributesSequence"),
    attribute("InstitutionName", INSTITUTION, "OriginalAttributesSequence", "ModifiedAttributesSequence"),
    attribute("PersonName", DOCTOR, "RequestAttributesSequence", "PersonIdentificationCodeSequence"),
    attribute("ReferencedSOPInstanceUID", f"{ROOT}.5", "ReferencedImageSequence"),
    attribute("PixelData", b"Kurosawa", "IconImageSequence", vr="OW"),
    attribute("TextValue", "Kurosawa", "ContentSequence", "ContentSequence"),
    private("LO", PATIENT_ID),
    private("UT", REMARK),
    private("OB", "黒澤遥香".encode("shift_jis")),
    private("UN", "Kurosawa".encode("utf-16-le")),
    private("SQ", [Dataset()]),
    raw("private without creator", 0x00310020, "LO", PATIENT_ID, "(0031,0020) a private attribute"),
    raw("curve description", 0x50000022, "LO", "Kurosawa", "(5000,0022) a curve or an overlay"),
    raw("overlay label", 0x60001500, "LO", "Kurosawa", "(6000,1500) a curve or an overlay"),
    raw("overlay data", 0x60023000, "OW", b"Kurosawa" * 16, "(6002,3000) a curve or an overlay"),
    raw("unknown attribute", 0x00087777, "LO", "Kurosawa", "(0008,7777)"),
    raw("retired length", 0x00080001, "UL", 4711009, "(0008,0001)"),
    of_meta("SourceApplicationEntityTitle", "KUROSAWA"),
    of_meta("SendingApplicationEntityTitle", "KUROSAWA"),
    of_meta("ImplementationVersionName", "KUROSAWA"),
    of_meta("PrivateInformationCreatorUID", f"{ROOT}.6"),
    of_meta("PrivateInformation", b"Kurosawa"),
    Place("preamble", "preamble", preamble),
]  # fmt: skip

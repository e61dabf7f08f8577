"""Coded concepts of the DICOM results. Public codes where one says what is meant, else our own scheme.

Public codes are those of DICOM PS3.16 (DCM, SCT) and of UCUM. The scheme ``99HEADCT`` holds what no public
scheme says: the urgencies, the rubric's rules, the cautions, figures as this program defines them, and what a
reader does. Types of bleeding are in it because PS3.16 has no codes for them.
"""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.coding import Code

from headct.terms.assessment import FindingKind, Location, Unsure
from headct.terms.review import Action, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from headct.wording import unsure_words, urgency_words

OWN_SCHEME = "99HEADCT"


def own(value: str, meaning: str) -> Code:
    """A concept of our own scheme; a meaning over the 64 characters of its VR is cut."""
    return Code(value, OWN_SCHEME, meaning[:64])


def own_scheme_identification() -> CodingSchemeIdentificationItem:
    """Says in the document what ``99HEADCT`` is (DICOM PS3.3 C.12.1.1.1, Coding Scheme Identification)."""
    return CodingSchemeIdentificationItem(
        designator=OWN_SCHEME, name="headct-triage findings and urgencies", version="1"
    )


# Documents
TITLE = own("triage-report", "Head CT triage report")
REVIEW_TITLE = own("review-report", "Head CT triage review")
OF_INTEREST = Code("113000", "DCM", "Of Interest")
CT_HEAD = Code("24725-4", "LN", "CT Head")
IMAGING = Code("363679005", "SCT", "Imaging procedure")
DEVICE = Code("121007", "DCM", "Device")
PERSON = Code("121006", "DCM", "Person")
ENGLISH = Code("en", "RFC5646", "English")
JAPANESE = Code("ja", "RFC5646", "Japanese")
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")
ACQUISITION_EQUIPMENT = Code("109101", "DCM", "Acquisition Equipment")

# Parts of the document
SUMMARY = Code("121111", "DCM", "Summary")
CONCLUSION = Code("121077", "DCM", "Conclusion")
FINDING = Code("121071", "DCM", "Finding")
COMMENT = Code("121106", "DCM", "Comment")
ACCESSION_NUMBER = Code("121022", "DCM", "Accession Number")
NOTICE = own("notice", "Notice")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
MODALITY = Code("121139", "DCM", "Modality")
CT = Code("CT", "DCM", "Computed Tomography")
FRAME_OF_REFERENCE = Code("112227", "DCM", "Frame of Reference UID")
SOURCE = Code("260753009", "SCT", "Source")
KEY_SLICE = own("key-slice", "Key slice")
SLICE_INVOLVED = Code("121112", "DCM", "Source of Measurement")

# Observers and algorithm, as read back
DEVICE_OBSERVER_UID = Code("121012", "DCM", "Device Observer UID")
DEVICE_OBSERVER_NAME = Code("121013", "DCM", "Device Observer Name")
PERSON_OBSERVER_NAME = Code("121008", "DCM", "Person Observer Name")
PERSON_OBSERVER_ORGANISATION = Code("121009", "DCM", "Person Observer's Organization Name")
PERSON_OBSERVER_LOGIN = Code("128774", "DCM", "Person Observer's Login Name")
ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
ALGORITHM_PARAMETERS = Code("111002", "DCM", "Algorithm Parameters")
KEY_OBJECT_DESCRIPTION = Code("113012", "DCM", "Key Object Description")

# The case
URGENCY = Code("103391001", "SCT", "Urgency")
RULE = own("rule", "Rubric rule met")
CAUTION = own("caution", "Caution")
UNSURE = own("unsure", "Unsure")
"""Of the urgency; where it stands, the answer is not sure."""
URGENCIES = {urgency: own(urgency.name, urgency_words(urgency)) for urgency in Urgency}

DOUBTS = {doubt: own(doubt.value, unsure_words(doubt)) for doubt in Unsure}

# Findings
TRIAGED_CASE = own("case", "Triage of the whole series")
FINDING_KINDS = {
    FindingKind.HAEMORRHAGE: Code("1386000", "SCT", "Intracranial hemorrhage"),
    FindingKind.OLD_COLLECTION: own("old-collection", "Low-density (old) collection"),
    FindingKind.INTRAVENTRICULAR_BLOOD: own("ventricles", "Blood in the ventricles"),
    FindingKind.MIDLINE_OFFSET: own("midline-offset", "Midline offset"),
}
LOCATION = own("location", "Location of the bleed")
LOCATIONS = {
    Location.PERIPHERAL: own("peripheral", "Peripheral, near the inner table"),
    Location.DEEP: own("deep", "Deep"),
}
DISPLACED_TOWARDS = own("side", "Displaced towards")
LEFT = Code("7771000", "SCT", "Left")
RIGHT = Code("24028007", "SCT", "Right")

# Regions
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")

# Figures
VOLUME = Code("118565006", "SCT", "Volume")
THICKNESS = own("thickness", "Largest thickness")
MEAN_ATTENUATION = Code("112181", "DCM", "Mean Attenuation Coefficient")
OFFSET = own("offset", "Midline offset")
MILLILITRE = Code("ml", "UCUM", "milliliter")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")

# Reviews
REVIEWED_CASE = own("reviewed-case", "Review of the whole series")
REVIEWED_URGENCIES = {
    urgency: own(f"reviewed-{urgency.name}", urgency_words(urgency, by_person=True)) for urgency in Urgency
}
"""Other codes than the machine's: a person's words mean something else."""
ACTION = own("action", "Action of the reader")
ACTIONS = {
    Action.CONFIRM: own("confirm", "Urgency confirmed"),
    Action.RELABEL: own("relabel", "Urgency set by the reader"),
    Action.EXCLUDE: own("exclude", "Excluded from training"),
}
EXCLUSION_REASON = own("exclusion-reason", "Reason of the exclusion")
EXCLUSIONS = {
    Exclusion.POST_OPERATIVE: Code("262061000", "SCT", "Post-operative"),
    Exclusion.REPEAT: own("repeat", "Repeat examination of the same patient"),
    Exclusion.POOR_QUALITY: Code("122742", "DCM", "Poor image quality"),
    Exclusion.WRONG_SERIES: own("wrong-series", "Wrong series"),
    Exclusion.OTHER: own("other", "Another reason, said in the comment"),
}
REVIEW_FINDINGS = {
    ReviewFinding.HAEMORRHAGE: FINDING_KINDS[FindingKind.HAEMORRHAGE],
    ReviewFinding.INTRAPARENCHYMAL: own("parenchyma", "Intraparenchymal hemorrhage"),
    ReviewFinding.INTRAVENTRICULAR: FINDING_KINDS[FindingKind.INTRAVENTRICULAR_BLOOD],
    ReviewFinding.SUBARACHNOID: own("subarachnoid", "Subarachnoid hemorrhage"),
    ReviewFinding.EPIDURAL: own("epidural", "Epidural hemorrhage"),
    ReviewFinding.SUBDURAL: own("subdural", "Subdural hemorrhage"),
    ReviewFinding.OLD_COLLECTION: FINDING_KINDS[FindingKind.OLD_COLLECTION],
    ReviewFinding.MIDLINE_SHIFT: own("midline-shift", "Midline shift"),
    ReviewFinding.FRACTURE: own("fracture", "Skull fracture"),
}
PRESENCE = {True: Code("52101004", "SCT", "Present"), False: Code("272519000", "SCT", "Absent")}
BLIND = own("blind", "Given before the machine's answer was shown")
YES_NO = {True: Code("373066001", "SCT", "Yes"), False: Code("373067005", "SCT", "No")}
BASED_ON = own("based-on", "Machine's result under review")
REQUEST = own("request", "Request of the review")
CASE_IDENTITY = own("case-identity", "Case identity")
BESIDE = own("beside", "Series of the study that the reader had beside it")
FOLLOWS = own("follows", "Report of another reader's review that was given before")
SEAL = own("seal", "Seal of the installation that wrote this")

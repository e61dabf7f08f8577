"""Which objects are images, by their SOP class. Imports nothing heavy: it is asked inside Orthanc too."""

import re

CT_IMAGE = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.2(\.\d+)*")
"""SOP classes of CT images (PS3.4 B.5)."""
SECONDARY_CAPTURE = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.\d+)*")
"""Screens, and how some systems store reformats."""
_NO_IMAGE = re.compile(
    r"""1\.2\.840\.10008\.5\.1\.4\.(?:
        1\.1\.(?:
            8 | 9 | 1[01] | 129            # overlays, curves, waveforms, tables of grey, presentation states
            | 4\.2 | 66 | 67 | 68          # spectra; raw data, registrations, segmentations, meshes
            | 7[89] | 8[012] | 88 | 9[01]  # measurements, structured reports and key objects
            | 104 | 131 | 20[01]           # encapsulated documents, protocols, inventories
            | 481\.(?!(?:1|23|24)$)\d+     # all of radiotherapy but its images
        )
        | 3[489] | 4[345]                  # instructions, hanging protocols, templates
    )(\.\d+)*""",
    re.VERBOSE,
)
"""SOP classes that show no picture of the body (PS3.4 B.5, GG.3); a dose or a segmentation has pixels, and is
none all the same."""
_WITHOUT_IMAGES = (
    "SR KO PR SEG REG RTSTRUCT RTPLAN RTDOSE RTRECORD DOC AU ECG EEG EPS HD PLAN FID RWV SMR OAM ANN "
    "STAIN ASMT M3D TEXTUREMAP RESP EMG EOG"
)
WITHOUT_IMAGES = frozenset(_WITHOUT_IMAGES.split())
"""Modalities (PS3.3 C.7.3.1.1.1) of objects that are no images, our own results among them."""


def shows_nothing(sop_class: str, modality: str) -> bool:
    """Whether an object is no image: by its class, by its modality where it has none."""
    return _NO_IMAGE.fullmatch(sop_class) is not None if sop_class else modality in WITHOUT_IMAGES

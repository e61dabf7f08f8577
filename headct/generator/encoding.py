"""Pixel data in the transfer syntaxes that hospitals use, all lossless."""

from enum import Enum

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import RLELosslessEncoder

Stored = NDArray[np.int16] | NDArray[np.uint16]


class TransferSyntax(Enum):
    """Lossless transfer syntaxes that can be written."""

    IMPLICIT_LITTLE = uid.ImplicitVRLittleEndian
    EXPLICIT_LITTLE = uid.ExplicitVRLittleEndian
    EXPLICIT_BIG = uid.ExplicitVRBigEndian
    RLE = uid.RLELossless
    JPEG_LOSSLESS = uid.JPEGLosslessSV1
    JPEG_LS = uid.JPEGLSLossless
    JPEG_2000 = uid.JPEG2000Lossless


def set_pixels(dataset: Dataset, stored: Stored, syntax: TransferSyntax) -> None:
    """Put one frame of 16-bit values into a dataset whose image attributes are set."""
    if syntax.value.is_compressed:
        dataset.PixelData = encapsulate([_compressed(stored, dataset.BitsStored, syntax)])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    else:
        little = syntax.value.is_little_endian
        dataset.PixelData = stored.astype(stored.dtype.newbyteorder("<" if little else ">")).tobytes()
        dataset["PixelData"].VR = "OW"


def _compressed(stored: Stored, bits: int, syntax: TransferSyntax) -> bytes:
    # JPEG knows no sign: two's complement goes in as it is, as scanners send it (PS3.5 8.2.1).
    plain = stored.view(np.uint16)
    match syntax:
        case TransferSyntax.JPEG_LOSSLESS:
            frame = imagecodecs.jpeg_encode(plain, lossless=True, predictor=1, bitspersample=bits)
        case TransferSyntax.JPEG_LS:
            frame = imagecodecs.jpegls_encode(plain, level=0)
        case TransferSyntax.JPEG_2000:
            frame = imagecodecs.jpeg2k_encode(stored, level=0, codecformat="j2k", reversible=True)
        case _:
            frame = RLELosslessEncoder.encode(
                stored,
                rows=stored.shape[0],
                columns=stored.shape[1],
                samples_per_pixel=1,
                photometric_interpretation="MONOCHROME2",
                number_of_frames=1,
                bits_allocated=16,
                bits_stored=bits,
                pixel_representation=int(stored.dtype.kind == "i"),
            )
    return bytes(frame)

"""Figures to compare generated series with real ones: `python -m headct.generator.statistics FOLDER...`.

Only what is measured the same way on both: densities in the brain, strength and correlation of the noise.
"""

import sys
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from headct.images.reading import load_series
from headct.images.series import CTSeries

_SMOOTH_MM = 1.0
_EDGE_MM = 4.0
_LOCAL_MM = 4.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one series; Hounsfield units where not said otherwise."""

    brain_mean: float
    brain_sd: float
    brain_p5: float
    brain_p95: float
    noise_sd: float
    """In the quietest two fifths of the brain, about the local mean over 4 mm."""
    correlation_1mm: float
    """Autocorrelation of that noise along a row, at 1 mm and at 2 mm."""
    correlation_2mm: float
    correlation_slices: float
    """Between neighbouring slices."""
    fluid_p1: float
    """First percentile inside the brain's outline, smoothed over 2 mm: the ventricles."""
    bone_median: float
    """Of voxels above 300 HU."""


def measured(series: CTSeries) -> Statistics:
    """The figures of a head series with a soft kernel, from its part above the base and below the vertex."""
    count = len(series.hu)
    part = series.hu[count * 2 // 5 : count * 4 // 5]
    return measure(part.astype(np.float32), series.spacing_mm[1])


def measure(hu: NDArray[np.float32], pixel_mm: float) -> Statistics:
    """The same of an array, shape (slices, rows, columns)."""
    smooth = ndimage.gaussian_filter(hu, (0, _SMOOTH_MM / pixel_mm, _SMOOTH_MM / pixel_mm))
    soft = (smooth > 10) & (smooth < 70)
    brain = _largest(_eroded(soft, round(_EDGE_MM / pixel_mm)))
    filled = np.stack([ndimage.binary_fill_holes(s) for s in brain])
    weight = brain.astype(np.float32)
    width = (0, _LOCAL_MM / pixel_mm, _LOCAL_MM / pixel_mm)
    share = np.maximum(ndimage.gaussian_filter(weight, width), 1e-3)
    residual = (hu - ndimage.gaussian_filter(hu * weight, width) / share) * weight
    variance = ndimage.gaussian_filter(residual**2, width) / share
    quiet = brain & (variance < np.percentile(variance[brain], 40))
    noise = np.where(quiet, residual, np.nan)
    power = float(np.nanmean(noise**2))

    def along_row(distance_mm: float) -> float:
        lag = distance_mm / pixel_mm
        low = int(lag)
        at = [
            1.0 if k == 0 else float(np.nanmean(noise[:, :, :-k] * noise[:, :, k:])) / power
            for k in (low, low + 1)
        ]
        return at[0] + (lag - low) * (at[1] - at[0])

    values = hu[brain]
    p5, p95 = np.percentile(values, (5, 95))
    return Statistics(
        brain_mean=float(values.mean()),
        brain_sd=float(values.std()),
        brain_p5=float(p5),
        brain_p95=float(p95),
        noise_sd=float(np.sqrt(power)),
        correlation_1mm=along_row(1.0),
        correlation_2mm=along_row(2.0),
        correlation_slices=float(np.nanmean(noise[:-1] * noise[1:])) / power,
        fluid_p1=float(np.percentile(smooth[filled], 1)),
        bone_median=float(np.median(hu[hu > 300])),
    )


def _eroded(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    return np.stack([ndimage.binary_erosion(s, iterations=max(1, steps)) for s in mask])


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def main() -> None:
    """Print one line a folder."""
    print("series", *(f.name for f in fields(Statistics)), sep="\t")
    for folder in map(Path, sys.argv[1:]):
        found = measured(load_series(sorted(folder.glob("*.dcm"))))
        print(folder.name, *(f"{getattr(found, f.name):.2f}" for f in fields(Statistics)), sep="\t")


if __name__ == "__main__":
    main()

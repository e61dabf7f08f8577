"""A real bundle around the threshold network, for tests of everything that runs a bundle."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from places import TESTS

import headct.network.bundle
from headct.network.bundle import Bundle, write_bundle
from headct.network.contents import BundleContents, Calibration, Thresholds, TrainingData

NETWORK = TESTS / "headct" / "network" / "threshold.tflite"
THREE = ("one.tflite", "two.tflite", "three.tflite")
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def contents(**changes: object) -> BundleContents:
    values: dict[str, object] = {
        "name": "threshold",
        "version": "1.0",
        "thresholds": Thresholds(voxel=0.5, haemorrhage=0.15),
        "haemorrhage": Calibration(slope=1.0, intercept=-1.0),
        "alert": Calibration(slope=1.0, intercept=-3.0),
        "rubric_version": "1",
        "data": TrainingData("0" * 64, 1, ("drawn",)),
        "licence": "Apache-2.0",
        "figures": {"sensitivity": 1.0},
    }
    return BundleContents(**{**values, **changes})  # type: ignore[arg-type]


def threshold_bundle(folder: Path, **changes: object) -> Bundle:
    """Write a bundle whose networks call everything between about 45 and 95 HU blood."""
    about = contents(**changes)
    return write_bundle(
        folder,
        about,
        [NETWORK.read_bytes()] * len(about.networks),
        "# Threshold\n\nFor tests alone.\n",
        created=CREATED,
    )


def only_these_ship(monkeypatch: pytest.MonkeyPatch, *bundles: Bundle) -> None:
    """As if these had come with the program, and no other."""
    monkeypatch.delenv("HEADCT_BUNDLE", raising=False)
    monkeypatch.setattr(headct.network.bundle, "shipped_bundles", lambda: [b.folder for b in bundles])

"""How near Orthanc is to its own limits, and what is said of it."""

import pytest

from orthanc_plugin.recycling.fill import Fill, Limits

HUNDRED = Limits(patients=100)


@pytest.mark.parametrize(
    ("configuration", "limits"),
    [
        ({}, Limits()),
        ({"MaximumPatientCount": 0, "MaximumStorageSize": 0}, Limits()),
        ({"MaximumPatientCount": 3}, Limits(patients=3)),
        ({"MaximumStorageSize": 2, "MaximumStorageMode": "Recycle"}, Limits(size=2 * 2**20)),
        ({"MaximumPatientCount": 3, "MaximumStorageMode": "Reject"}, Limits(patients=3, recycles=False)),
    ],
)
def test_limits_are_orthancs_own_options(configuration: dict[str, object], limits: Limits) -> None:
    assert Limits.of(configuration) == limits
    assert bool(limits) == bool(limits.patients or limits.size)


@pytest.mark.parametrize(
    ("fill", "near"),
    [
        (Fill(HUNDRED, patients=89), False),
        (Fill(HUNDRED, patients=90), True),
        (Fill(Limits(size=1000), patients=10**6, size=899), False),
        (Fill(Limits(size=1000), size=900), True),
        (Fill(Limits(patients=100, size=1000), patients=1, size=950), True),
        (Fill(Limits(), patients=10**6, size=10**15), False),
    ],
)
def test_near_is_nine_tenths(fill: Fill, near: bool) -> None:
    assert fill.nearly_full is near


def test_each_danger_has_its_words_and_no_danger_none() -> None:
    said = [
        Fill(HUNDRED, patients=100, unprotected=3).problem,
        Fill(HUNDRED, patients=10, unprotected=3).problem,
        Fill(HUNDRED, patients=100, endangered=2).problem,
        Fill(Limits(patients=100, recycles=False), patients=95).problem,
    ]
    assert None not in said
    assert len({phrase.say("en") for phrase in said if phrase}) == len(said)
    for quiet in (
        Fill(HUNDRED, patients=100),
        Fill(HUNDRED, patients=10, endangered=2),
        Fill(Limits(patients=100, recycles=False), patients=10),
        Fill(),
    ):
        assert quiet.problem is None


def test_the_status_is_silent_without_limits() -> None:
    assert Fill().view() is None
    view = Fill(HUNDRED, patients=100, protected=50, unprotected=7).view()
    assert view is not None
    assert (view.maximum_patients, view.maximum_size_bytes) == (100, None)
    assert (view.patients, view.protected, view.unprotected_alerts) == (100, 50, 7)

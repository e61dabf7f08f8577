"""What happens to series on their way, and what is made of it; ``make soak`` does the same to real heads."""

import pytest
from damage import Damage, cuts, damages
from dicom_stack import files, head

from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError
from headct.images.series import CTSeries
from headct.reasons import ReasonCode

WHOLE = files(head(slabs=24, size=48))
DAMAGES = damages(seed=1, count=len(WHOLE))


@pytest.fixture(scope="module")
def whole() -> CTSeries:
    return admit(WHOLE)


def admitted(sources: list[bytes]) -> CTSeries | ReasonCode:
    try:
        return admit(sources)
    except NotAnalysedError as error:
        return error.reason.code


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: f"{d.group} {d.name}".strip())
def test_the_order_of_arrival_changes_nothing(damage: Damage):
    damaged = damage.files(WHOLE)
    found, turned = admitted(damaged), admitted(damaged[::-1])
    if isinstance(found, CTSeries) and isinstance(turned, CTSeries):
        assert found.pixel_digest == turned.pixel_digest
    else:
        assert found == turned


FOREIGN = [damage for damage in DAMAGES if damage.group.startswith("with a ")]


@pytest.mark.parametrize("damage", FOREIGN, ids=lambda d: d.group)
def test_one_foreign_object_costs_no_head(damage: Damage, whole: CTSeries):
    found = admitted(damage.files(WHOLE))
    assert isinstance(found, CTSeries)
    assert found.pixel_digest == whole.pixel_digest
    # What is no image is no part of the series; an image left out is said.
    assert bool(found.dropped) is not damage.group.endswith(("report", "state", "set"))


def test_a_part_that_has_come_is_no_whole_head():
    parts = [cut for cut in cuts(len(WHOLE)) if len(cut.files(WHOLE)) < len(WHOLE) / 2]
    said = {admitted(cut.files(WHOLE)) for cut in parts}
    assert said <= {ReasonCode.HEAD_NOT_COVERED, ReasonCode.TOO_FEW_SLICES, ReasonCode.NOT_A_HEAD}


REGULAR = [damage for damage in DAMAGES if damage.group.startswith("every second lost")]


@pytest.mark.parametrize("damage", REGULAR, ids=lambda d: f"{d.group} {d.name}".strip())
def test_regularly_missing_slices_are_missed(damage: Damage):
    assert admitted(damage.files(WHOLE)) is ReasonCode.INCONSISTENT_GEOMETRY

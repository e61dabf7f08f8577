"""A label counts for the images that a reader saw."""

from dataclasses import replace

from headct.terms.review import ReviewFinding, Standing
from headct.terms.urgency import Urgency
from model_training.datasets.orthanc import ReviewedSeries
from model_training.datasets.review_labels import UNSEEN, row_of

GREEN = ReviewedSeries(
    "o", "1.2.3", "1.2", Standing.REVIEWED, Urgency.GREEN, False, {ReviewFinding.HAEMORRHAGE: False}, None
)


def test_images_that_came_after_the_review_are_not_learnt_from() -> None:
    assert row_of(GREEN)["bleeding"] == "0"
    assert row_of(replace(GREEN, unseen=True)) == {"excluded": UNSEEN}

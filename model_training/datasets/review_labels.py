"""What persons said of a series, as a row of the table of labels."""

from headct.terms.label import StoredLabel
from headct.terms.review import BLEED_TYPES, Exclusion, ReviewFinding, Standing
from headct.terms.urgency import Urgency
from model_training.datasets.selection import POSTOPERATIVE

DISPUTED = "readers differ"
UNSEEN = "images came after the review"
UNVERIFIED = "a review was found that nobody vouches for"
NO_WORD_ON_BLOOD = "no agreed word on whether there is blood"
BY_READER = "excluded by a reader"
DOUBTFUL = "no word on blood; green is taken as none"

_COLUMN_OF = {
    ReviewFinding.INTRAVENTRICULAR: "ivh",
    ReviewFinding.INTRAPARENCHYMAL: "iph",
    ReviewFinding.SUBARACHNOID: "sah",
    ReviewFinding.EPIDURAL: "edh",
    ReviewFinding.SUBDURAL: "sdh",
    ReviewFinding.FRACTURE: "fracture",
}
_WORDS_OF = {
    Exclusion.POST_OPERATIVE: "post-operative",
    Exclusion.REPEAT: "repeat of a patient",
    Exclusion.POOR_QUALITY: "poor quality",
    Exclusion.WRONG_SERIES: "wrong series",
    Exclusion.OTHER: "other",
}


def row_of(series: StoredLabel, postoperative: frozenset[str] = frozenset()) -> dict[str, str]:
    """What ``labels.csv`` says of a series, without whose it is.

    Where no finding says whether there is blood, a green urgency does: any bleed is at least yellow.

    Args:
        series: with what counts of its reviews.
        postoperative: StudyInstanceUID of studies that a reader called post-operative.
    """
    if series.standing is Standing.DISPUTED:
        return {"excluded": DISPUTED}
    if series.excluded or series.label is None:
        return {"excluded": f"{BY_READER}: {_WORDS_OF[series.reason or Exclusion.OTHER]}"}
    if series.study_instance_uid in postoperative:
        return {"excluded": POSTOPERATIVE}
    if series.unseen:
        return {"excluded": UNSEEN}
    if series.unverified:
        return {"excluded": UNVERIFIED}
    said = series.findings
    row = {"urgency": series.label.name}
    row |= {column: str(int(said[finding])) for finding, column in _COLUMN_OF.items() if finding in said}
    kinds = [said[kind] for kind in BLEED_TYPES if kind in said]
    bleeding = said.get(ReviewFinding.HAEMORRHAGE)
    if bleeding is None and any(kinds):
        bleeding = True
    if bleeding is None and len(kinds) == len(BLEED_TYPES):
        bleeding = False
    if bleeding is None and series.label is Urgency.GREEN:
        bleeding = False
        row["doubtful"] = DOUBTFUL
    return {**row, "bleeding": str(int(bleeding))} if bleeding is not None else {"excluded": NO_WORD_ON_BLOOD}

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.terms.licence import Licence, Use
from model_training.datasets.lineage import Known, Place
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.single_slices import SLICE_SOURCES
from model_training.datasets.sources import SOURCES
from model_training.shipping.licences import licence

FREE = {"ct_ich", "labelled", "bhsd_masks"}
BOUND = {"rsna", "rsna_slices", "cq500", "phe_sich"}
TERMS = {
    "ct_ich": "CC BY 4.0; them",
    "rsna": "no business; cite us",
    "rsna_slices": "no business; x",
}


def test_every_source_says_whether_its_licence_is_free():
    assert {*SOURCES, *SLICE_SOURCES} == FREE | BOUND


@given(st.sets(st.sampled_from(sorted(FREE | BOUND | {"unheard of"})), min_size=1))
def test_one_source_that_is_not_free_makes_it_for_research(sources):
    assert (licence(sources, TERMS).use is Use.ANY) is (sources <= FREE)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["ct_ich"], Licence("Apache-2.0; trained on ct_ich (CC BY 4.0; them)", Use.ANY)),
        (
            ["rsna_slices", "rsna", "ct_ich"],
            Licence(
                "that of its data: no business; trained on ct_ich (CC BY 4.0; them); trained on rsna"
                " (no business; cite us); trained on rsna_slices (no business; x)",
                Use.RESEARCH,
            ),
        ),
        (
            ["made"],
            Licence("that of its data: licence unknown; trained on made (licence unknown)", Use.RESEARCH),
        ),
    ],
)
def test_the_words_say_first_what_binds(sources, expected):
    assert licence(sources, TERMS) == expected


def test_what_weights_learnt_from_in_an_earlier_cycle_binds_too(tmp_path):
    place = Place("P", "rsna", "train", 0)
    known = Known(pictures={"1": place, "2": replace(place, source="cq500", split="external")})
    known.write(tmp_path)
    assert Known.read(tmp_path).sources == {"rsna"}
    manifest = Manifest((Entry("P", "rsna_slices", True, split="validation", pixel_digest="3", single=True),))
    assert Known.of(tmp_path, manifest).sources == {"rsna", "rsna_slices"}

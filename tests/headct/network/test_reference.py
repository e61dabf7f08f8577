import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.network.reference import EDGES, Histogram, Reference, reference
from headct.terms.quantities import Quantity

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def test_every_quantity_has_classes():
    assert set(EDGES) == set(Quantity)


@given(st.lists(FINITE), st.lists(FINITE, min_size=1, max_size=8, unique=True).map(sorted))
def test_every_value_is_counted_once_in_its_class(values, edges):
    histogram = Histogram.of(values, tuple(edges))
    assert histogram.total == len(values)
    for number, count in enumerate(histogram.counts):
        low = edges[number - 1] if number else float("-inf")
        high = edges[number] if number < len(edges) else float("inf")
        inside = [v for v in values if (low <= v < high)]
        assert count == len(inside)
        assert all(histogram.class_of(v) == number for v in inside)


def test_an_adult_of_18_is_an_adult():
    assert Histogram.of([17.9, 18.0], EDGES[Quantity.AGE_YEARS]).counts == (0, 1, 1, 0, 0, 0)


def test_round_trip_through_json():
    made = reference(
        [
            {Quantity.AGE_YEARS: 3.0, Quantity.SLICES: 30.0},
            {Quantity.SLICES: 200.0, Quantity.HAEMORRHAGE_PROBABILITY: 0.99},
        ]
    )
    assert set(made.histograms) == {
        Quantity.AGE_YEARS,
        Quantity.SLICES,
        Quantity.HAEMORRHAGE_PROBABILITY,
    }
    assert made.histograms[Quantity.SLICES].counts == (0, 1, 0, 0, 0, 1)
    assert made.histograms[Quantity.AGE_YEARS].total == 1
    assert Reference.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    ("edges", "counts"),
    [
        ([1, 1], [0, 1, 0]),
        ([2, 1], [0, 1, 0]),
        ([1, float("nan")], [0, 1, 0]),
        ([1, "2"], [0, 1, 0]),
        ([], [1]),
        ([1, 2], [0, 1]),
        ([1, 2], [0, 1, -1]),
        ([1, 2], [0, 1, 0.5]),
        ([1, 2], [0, 0, 0]),
        ([1, 2], [0, True, 0]),
    ],
)
def test_what_is_no_distribution_is_refused(edges, counts):
    with pytest.raises(ValueError):
        Reference.from_json({"age_years": {"edges": edges, "counts": counts}})

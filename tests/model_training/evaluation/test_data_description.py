"""Data are described by patients."""

from model_training.evaluation.data_description import describe_data
from tests.model_training.report_inputs import HOSTILE, manifest


def test_data_are_described_by_patients():
    described = describe_data(manifest())
    assert described["sha256"] == manifest().sha256
    ct_ich = next(s for s in described["sources"] if s["source"] == "ct_ich")
    assert (ct_ich["patients"], ct_ich["bleeding"], ct_ich["under_18"], ct_ich["excluded"]) == (6, 3, 2, 1)
    assert ct_ich["age"] == {"youngest": 3.0, "median": 17.5, "oldest": 60.0}
    assert not ct_ich["measured_on_only"]
    other = next(s for s in described["sources"] if s["source"] == HOSTILE)
    assert other["measured_on_only"] and other["licence"] is None and other["age"] is None
    assert {part: counts["patients"] for part, counts in described["parts"].items()} == {
        "train": 4,
        "validation": 1,
        "test": 1,
        "external": 1,
    }
    assert described["cross_validation"]["folds"] == 3
    assert described["cross_validation"]["patients"] == 6
    assert described["labels"] == {"edh": 2, "sdh": 1}
    assert [described["volumes"][k] for k in ("small", "middle", "large")] == [1, 1, 1]
    assert described["doubtful"] == [{"patient": "P2", "source": "ct_ich", "why": HOSTILE}]
    assert described["excluded"] == [{"patient": "Y", "source": "ct_ich", "why": "post-operative"}]

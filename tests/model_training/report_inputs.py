"""What a report is made of, made up."""

from typing import Any

from model_training.datasets.manifest import Entry, Manifest
from model_training.mimics.bench import Pair, Verdict, figures
from model_training.mimics.classes import MIMICS
from model_training.mimics.heads import GENERATED, REAL

HOSTILE = "<script>alert('x')</script> & \"co\" $a$"


def manifest():
    patients = [
        Entry(
            f"P{i}",
            "ct_ich",
            i < 3,
            labels={"edh": i < 2, "sdh": i == 2},
            bleed_ml=(2.0, 12.0, 45.0, 0.0, 0.0, 0.0)[i],
            urgency="RED" if i < 3 else "GREEN",
            urgency_by="provisional",
            age_years=(3.0, 40.0, 60.0, 5.0, 30.0, None)[i],
            sex="MF"[i % 2],
            doubtful=HOSTILE if i == 2 else "",
            split=("train", "train", "validation", "test", "train", "train")[i],
            fold=i % 3,
        )
        for i in range(6)
    ]
    patients += [
        Entry("P0-2", "ct_ich", True, person="P0", split="train", fold=0, age_years=4.0),
        Entry("X", HOSTILE, True, split="external"),
        Entry("Y", "ct_ich", False, exclusion="post-operative"),
    ]
    return Manifest(tuple(patients), licences={"ct_ich": "CC BY 4.0"})


def mimics_example() -> dict[str, Any]:
    """``mimics.json`` of two classes, one of them drawn into patients too."""
    no, yes = Verdict(False, False, -3.0), Verdict(True, True, 1.0)
    pairs = [Pair(f"P{n}", REAL, "falx", no, yes if n < 2 else no) for n in range(9)]
    pairs += [Pair(f"G{n}", GENERATED, "tentorium", no, yes if n < 3 else no) for n in range(11)]
    return {"bundle": "made 0.0.1", "classes": figures(pairs, MIMICS[:2])}

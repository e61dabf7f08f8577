"""What a report is made of, made up."""

from model_training.datasets.manifest import Entry, Manifest

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

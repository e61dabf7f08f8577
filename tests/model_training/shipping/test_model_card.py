import copy
import json
import re
from pathlib import Path
from typing import Any

import jinja2
import pytest
from bundles import contents

import model_training.shipping.model_card as module
from headct.terms.licence import Use
from model_training.datasets.manifest import Entry, Manifest
from model_training.evaluation.data_description import describe_data
from model_training.shipping.model_card import figures, model_card
from tests.model_training.evaluation_example import evaluation_example
from tests.model_training.export_example import export_example, judging_example


def card(evaluation: dict[str, Any], table: dict[str, Any], judging: dict[str, Any]) -> str:
    return model_card(contents(figures=figures(evaluation, table, judging)))


@pytest.fixture(scope="module")
def examples() -> tuple[dict[str, Any], ...]:
    patients = tuple(
        Entry(
            f"P-{n}",
            "ct_ich" if n < 30 else "phe_sich",
            bleeding=n % 2 == 0,
            bleed_ml=3.0 * n if n % 2 == 0 else None,
            labels={"edh": n % 6 == 0},
            age_years=2.0 * n,
            sex="F",
            doubtful="old bleed" if n == 4 else "",
            split=("train", "validation", "test", "train")[n % 4] if n < 30 else "external",
            fold=n % 5 if n < 30 else None,
        )
        for n in range(40)
    )
    manifest = Manifest(patients, licences={"ct_ich": "CC BY 4.0", "phe_sich": "non-commercial"})
    return {**evaluation_example(), "data": describe_data(manifest)}, export_example(), judging_example()


def test_the_card_is_readable(examples):
    text = card(*examples)
    assert text.startswith("# threshold 1.0\n")
    for heading in (
        "Data",
        "Never shown, or hardly",
        "Haemorrhage, out of fold",
        "Another hospital",
        "Licence",
    ):
        assert f"\n## {heading}\n" in text
    assert not re.search(r"None|nan|undefined|\{\{|\}\}|\n\n\n", text)
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(tables) >= 8
    for table in tables:
        widths = {line.count("|") for line in table.splitlines()}
        assert len(widths) == 1, table
        # A table without an empty line before it is no table in Markdown.
        assert f"\n\n{table}" in text, table


def test_the_card_says_what_the_licence_allows_and_that_there_was_one_seed(examples):
    made = figures(*examples)
    free = model_card(contents(figures=made))
    assert free.endswith("\n## Licence\n\nApache-2.0\n\nWhat that allows: any use.\n")
    assert "Research only" not in free and "means over 3 training seeds" in free
    bound = model_card(contents(figures={**made, "seeds": [1]}, use=Use.RESEARCH))
    assert "\n\n**Research only, not for clinical or commercial use:**" in bound
    assert bound.endswith("\n\nWhat that allows: research only, not for clinical or commercial use.\n")
    assert "They are of networks of one training seed" in bound and "between the seeds here" not in bound


def test_the_card_says_whose_the_colours_are(examples):
    evaluation, *others = copy.deepcopy(examples)
    assert "\n\nThe truth is provisional: the rubric" in card(evaluation, *others)
    evaluation["data"]["urgency_by"] = {"specialist": 12, "provisional": 18}
    words = "\n\nSpecialists judged 12 patients. The truth of the others is provisional: the rubric"
    assert words in card(evaluation, *others)


def test_no_patient_is_named_in_the_bundle(examples):
    written = json.dumps(figures(*examples))
    assert "PATIENT-" in json.dumps(examples[0])
    assert "PATIENT-" not in written
    assert "P-4" not in written
    assert "old bleed" not in written


def test_no_number_is_typed_in_the_text():
    source = Path(module.__file__).with_name(module.TEMPLATE).read_text()
    words = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.S)
    # Names of a level, of a subgroup, and of units and precisions; no measurement.
    for name in ("95 % interval", "5 ml and more", "under 5 ml", "under 18", "float32", "SHA-256"):
        words = words.replace(name, "")
    assert re.findall(r"\d+", words) == []


SHOWN = """
0 haemorrhage auc value
0 haemorrhage auc low
0 haemorrhage auc_per_seed 1
0 haemorrhage auc_without_doubtful value
0 haemorrhage auc_5_ml_and_more value
0 haemorrhage auc_under_5_ml low
0 haemorrhage average_precision value
0 haemorrhage at_nested_cuts sensitivity value
0 haemorrhage at_nested_cuts sensitivity count
0 haemorrhage at_nested_cuts sensitivity_under_5_ml high
0 haemorrhage at_nested_cuts under_18 specificity value
0 haemorrhage at_nested_cuts doubtful sensitivity value
0 haemorrhage at_prevalence 0 prevalence
0 haemorrhage at_prevalence 1 ppv value
0 haemorrhage at_prevalence 2 npv low
0 haemorrhage at_prevalence 2 false_alarms_per_100 value
0 haemorrhage reliability slope value
0 alert auc value
0 alert at_nested_cuts specificity value
0 alert reliability brier value
0 colours table GREEN YELLOW
0 colours agreement value
0 colours weighted_kappa value
0 volumes mean_dice value
0 volumes error_ml low
0 external sensitivity value
0 false_alarms rows 0 threshold
0 false_alarms rows 1 false_alarms_per_100 high
0 false_alarms rows 1 external_sensitivity value
0 false_alarms needed_to_show
0 external mean_sensitivity_of_fold_networks count
0 baselines no_brain haemorrhage auc value
0 baselines no_brain_with_fracture alert auc high
0 alert_table 0 accuracy value
0 alert_table 1 auc value
0 cheating erased median_probability_after value
0 cheating erased below_cut count
0 cheating outside_blanked difference value
0 patients
0 bleeding
0 folds
0 config epochs
0 data sources 0 bleeding
0 data parts train under_18
0 data labels edh
0 data volumes small
1 precisions 0 milliseconds 2
1 precisions 1 megabytes
1 precisions 2 agreement mask_dice
1 precisions 2 agreement largest_score_difference
1 precisions 0 accuracy auc_alert value
1 precisions 3 loss sensitivity value
1 precisions 3 loss auc_haemorrhage value
1 rule auc_loss
2 milliseconds dynamic_int8 2 decode
2 milliseconds dynamic_int8 2 total
2 repeats
2 machine cores
2 series slices
"""


def test_a_figure_changed_in_the_json_is_changed_in_the_card(examples):
    before = card(*examples)
    for path in SHOWN.strip().splitlines():
        changed: Any = copy.deepcopy(examples)
        *keys, last = path.split()
        at = changed
        for key in keys:
            at = at[int(key) if isinstance(at, list | tuple) else key]
        index = int(last) if isinstance(at, list) else last
        at[index] = at[index] * 0.5 + 0.25 if isinstance(at[index], float) else at[index] + 17
        assert card(*changed) != before, path


def test_a_missing_figure_is_an_error_and_no_gap(examples):
    evaluation, table, judging = copy.deepcopy(examples)
    del evaluation["haemorrhage"]["average_precision"]
    with pytest.raises(jinja2.UndefinedError, match="average_precision"):
        card(evaluation, table, judging)


def test_what_nobody_has_is_said(examples):
    evaluation, table, judging = copy.deepcopy(examples)
    evaluation["external"] = None
    evaluation["haemorrhage"]["at_nested_cuts"]["under_18"]["sensitivity"] = {
        "value": None,
        "low": 0.0,
        "high": 1.0,
        "count": 0.0,
        "of": 0,
    }
    text = card(evaluation, table, judging)
    assert "Another hospital" not in text
    assert "| sensitivity, under 18 | nobody |" in text


def test_a_precision_that_was_asked_for_is_said_to_be(examples):
    evaluation, table, judging = copy.deepcopy(examples)
    table |= {"shipped": "full_int8", "chosen_by": "request"}
    table["precisions"][1]["refused"] = "masks of the float16 network agree with nothing"
    text = card(evaluation, table, judging)
    assert "full int8 was asked for; the rule would choose dynamic int8" in text
    assert "--precision full_int8" in text
    assert "Refused: masks of the float16 network agree with nothing." in text

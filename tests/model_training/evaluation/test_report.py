"""Every figure of an evaluation is on the page of the report, and nothing else is."""

import copy
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from headct.errors import UnusableInputError
from model_training.cli import main
from model_training.evaluation import plots
from model_training.evaluation.data_description import describe_data
from model_training.evaluation.report import GROUPS, TEMPLATE, render, write_report
from model_training.evaluation.worklist_simulation import SCENARIOS, read_scenarios, simulate_worklist
from tests.model_training.evaluation_example import evaluation_example
from tests.model_training.export_example import export_example, judging_example
from tests.model_training.report_inputs import HOSTILE, manifest, mimics_example

VOID = {"meta", "br", "link", "img", "hr"}
DRAWN_ONLY = {"roc", "precision_recall", "bins", "points", "scores", "patients"}
"""Keys whose figures are seen in a plot, not in a table."""


def reproduction():
    def curves(best):
        return {
            "epoch": [1, 2, 3],
            "training_loss": [0.7, 0.4, 0.2],
            "validation_loss": [0.8, 0.7, 0.9],
            "validation_accuracy": [0.5, 0.6, best],
            "seen_in_training": 0.987,
            "test_picture_accuracy": {"value": best, "low": best - 0.1234, "high": best + 0.0234},
            "accuracy_of_the_commoner_class": 0.6789,
        }

    return {
        "patients": 64,
        "pictures": 512,
        "curves": {"by_image": {"alert": curves(0.93)}, "by_patient": {"alert": curves(0.66)}},
    }


def logs():
    return {
        f"seed-1/fold-{k}": {"epoch": [1, 2], "loss": [1.5, 1.2], "validation_loss": [1.6, float("nan")]}
        for k in range(5)
    }


@pytest.fixture(scope="module")
def evaluation():
    figures = evaluation_example()
    figures["data"] = describe_data(manifest())
    figures["worklist"] = simulate_worklist(
        figures, [replace(s, months=4, shifts=3, title=s.title + HOSTILE) for s in read_scenarios()]
    )
    # As a reader of the file sees it.
    return json.loads(json.dumps(figures))


def walked(node, path=()):
    """Every figure of a table, with its path."""
    if isinstance(node, dict):
        if {"value", "low", "high"} <= set(node):
            yield path, node
        for key, child in node.items():
            if key not in DRAWN_ONLY or (not path and key == "patients"):
                yield from walked(child, (*path, key))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from walked(child, (*path, number))


@pytest.fixture(scope="module")
def distinct(evaluation):
    """The example with every figure another number, so that each can be told on the page."""
    figures = copy.deepcopy(evaluation)
    random = np.random.default_rng(0)
    for path, figure in walked(figures):
        if figure["value"] is not None and path[0] != "worklist":
            low, value, high = np.sort(random.uniform(0.001, 0.999, 3))
            figure.update(value=float(value), low=float(low), high=float(high))
    return figures


@pytest.fixture(scope="module")
def page(distinct):
    inputs = reproduction(), export_example(), judging_example(), logs()
    return render(distinct, *inputs, mimics=mimics_example(), sheets={"falx": "iVBORw0KGgo="})


class Page(HTMLParser):
    """Checks the nesting and keeps text, tags and attributes."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def test_page_is_well_formed_and_stands_alone(page):
    parsed = Page(page)
    assert "script" not in parsed.tags and "link" not in parsed.tags
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on"), (tag, name)
        if tag == "img" and name == "src":
            assert value.startswith("data:image/png;base64,"), value
        elif name in ("src", "href", "xlink:href"):
            assert value.startswith("#"), value
    assert not re.search(r"url\((?!#)|@import", page)
    ids = Counter(value for _, name, value in parsed.attributes if name == "id")
    assert max(ids.values()) == 1, ids.most_common(3)
    known = set(ids)
    for _, name, value in parsed.attributes:
        if name in ("href", "xlink:href"):
            assert value[1:] in known, value
    assert "Missing:" not in parsed.text


def test_plots_have_words_and_tables_have_headers(page):
    parsed = Page(page)
    described = [v for _, name, v in parsed.attributes if name == "aria-label" and len(v) > 20]
    assert len(described) == parsed.tags.count("svg") == 9
    assert parsed.tags.count("table") == page.count("<thead>") >= 15
    assert 'lang="en"' in page
    assert re.findall(r"<th(?! scope)[ >]", page) == []


def formatted(number, digits):
    return f"{round(number, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def test_every_figure_is_on_the_page_with_its_interval(page, distinct):
    text = Page(page).text
    checked = 0
    for source in (distinct, export_example(), reproduction(), mimics_example()):
        for path, figure in walked(source):
            if path[0] in ("worklist", "calibration") or "loss" in path or figure["value"] is None:
                continue
            ends = [f"{formatted(figure['low'], d)} to {formatted(figure['high'], d)}" for d in (1, 2, 3)]
            values = [formatted(figure["value"], d) for d in (1, 2, 3)]
            found = [v for v, e in zip(values, ends, strict=True) if f"{v} ({e})" in text]
            assert found, (path, figure)
            checked += 1
    assert checked > 100


def test_worklist_is_on_the_page_with_those_who_lose(page, distinct):
    text = Page(page).text
    for scenario in distinct["worklist"]["scenarios"]:
        assert scenario["parameters"]["description"] in text
        for group, words in GROUPS.items():
            assert words in text
            for measure in ("mean", "median", "p90"):
                figure = scenario["groups"][group]["difference"][measure]
                if figure["value"] is not None:
                    ends = [formatted(figure[k], 1) for k in ("low", "high")]
                    assert f"({ends[0]} to {ends[1]})" in text
        for source in scenario["parameters"]["sources"].values():
            assert source in text


def test_another_number_makes_another_page(distinct, page):
    changed = copy.deepcopy(distinct)
    for key in ("scores", "worklist", "volumes", "baselines"):
        del changed[key]
    changed["colours"]["table"]["RED"]["GREEN"] = 77.7
    changed["patients"], changed["seeds"] = 6543, [41, 42, 43]
    text = Page(render(changed)).text
    for number in ("77.7", "6543", "41, 42, 43"):
        assert number in text
        assert number not in Page(page).text


def test_template_types_no_figure():
    """Outside of tags, style and Jinja only what intervals, subgroups and rates are named by."""
    template = TEMPLATE.read_text(encoding="utf-8")
    text = re.sub(r"<style>.*?</style>|\{#.*?#\}|<pre>.*?</pre>", "", template, flags=re.DOTALL)
    # Sentences in Jinja's own strings reach the page too; keys do not.
    jinja = " ".join(re.findall(r"\{[{%].*?[%}]\}", text))
    strings = " ".join(s for s in re.findall(r'"([^"\n]*)"', jinja) if re.search(r"[a-z] |[a-z]$", s))
    prose = re.sub(r"<[^>]*>", " ", re.sub(r"\{[{%].*?[%}]\}", "", text, flags=re.DOTALL))
    allowed = {
        "95",  # per cent of the intervals
        "100",  # scans, of false alarms
        "5",  # ml, the bound in the keys of evaluation.json
        "90",  # the percentile
        "2021",  # O'Neill et al.
        "256",  # SHA-256
        "18",  # years
    }
    assert set(re.findall(r"\d+(?:\.\d+)?", prose)) <= allowed
    assert set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", strings)) <= allowed


def test_names_from_data_are_text(page):
    assert "<script" not in page
    parsed = Page(page)
    assert HOSTILE in parsed.text
    assert parsed.text.count("alert('x')") >= 4


def test_a_missing_section_is_said_to_be_missing(evaluation):
    keys = {
        "data": "description of the data",
        "baselines": "no-brain baselines",
        "alert_table": "table of the alert task",
        "colours": "agreement on the colours",
        "volumes": "volumes",
        "external": "another hospital's patients",
        "cheating": "tests for cheating",
        "worklist": "worklist simulation",
        "haemorrhage": "Haemorrhage at its thresholds",
        "scores": "",
        "false_alarms": "table of both budgets",
    }
    text = Page(render(evaluation | dict.fromkeys(keys))).text
    for says in keys.values():
        assert f"Missing: {says}" in text
    for other in (
        "AlexNet reproduction",
        "training curves",
        "mimic bench",
        "export table",
        "what each step of judging costs",
    ):
        assert f"Missing: {other}" in text
    assert "Missing: Alert at its thresholds" not in text


def test_an_empty_evaluation_is_all_missing():
    text = Page(render({})).text
    assert text.count("Missing:") >= 15
    assert text.count("not measured") >= 10


def test_figures_to_be_drawn_must_be_whole(evaluation):
    broken = copy.deepcopy(evaluation)
    del broken["haemorrhage"]["reliability"]
    with pytest.raises(UnusableInputError, match="incomplete"):
        render(broken)


def test_the_same_figures_give_the_same_page(evaluation):
    some = {k: evaluation[k] for k in ("haemorrhage", "alert", "volumes")}
    assert render(some) == render(some)


def test_no_band_from_scores_that_are_not_the_tasks(evaluation):
    task = evaluation["haemorrhage"]
    patients = evaluation["scores"].values()
    truth = np.array([p["bleeding"] for p in patients])
    scores = np.array([p["scores"] for p in patients]).T
    assert plots.same_scores(truth, scores, task)
    assert not plots.same_scores(truth, -scores, task)
    assert not plots.same_scores(truth, scores[:2], task)
    other = copy.deepcopy(evaluation)
    for p in other["scores"].values():
        p["scores"] = [-s for s in p["scores"]]
    assert "without a band" in render({k: other[k] for k in ("haemorrhage", "alert", "scores")})


def run_of(folder, figures):
    (folder / "evaluation.json").write_text(json.dumps(figures), encoding="utf-8")
    for name, body in (
        ("reproduction", reproduction()),
        ("export", export_example()),
        ("judging", judging_example()),
    ):
        (folder / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")
    (folder / "mimics").mkdir()
    (folder / "mimics" / "mimics.json").write_text(json.dumps(mimics_example()), encoding="utf-8")
    network = folder / "seed-1" / "fold-0"
    network.mkdir(parents=True)
    (network / "log.csv").write_text("epoch,loss,validation_loss\n1,1.5,1.6\n2,1.2,\n", encoding="utf-8")
    return folder


@pytest.mark.long
def test_report_of_a_run_and_again_with_other_reading_rooms(tmp_path, evaluation):
    run = run_of(tmp_path, {k: v for k, v in evaluation.items() if k not in ("scores", "worklist")})
    assert write_report(run) == run / "report.html"
    text = Page((run / "report.html").read_text(encoding="utf-8")).text
    assert "Missing: worklist simulation" in text
    assert text.count("Missing:") == 1
    scenario = tmp_path / "mine.toml"
    night = "[[scenario]]" + SCENARIOS.read_text(encoding="utf-8").split("[[scenario]]")[1]
    scenario.write_text(
        night.replace("months = 200", "months = 3").replace("small hospital", "island clinic")
    )
    result = CliRunner().invoke(main, ["report", "--run", str(run), "--scenario", str(scenario)])
    assert result.exit_code == 0, result.output
    text = Page((run / "report.html").read_text(encoding="utf-8")).text
    assert "Night in a island clinic" in text
    assert "Missing:" not in text
    kept = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert kept["worklist"]["scenarios"][0]["parameters"]["months"] == 3
    assert kept["haemorrhage"] == evaluation["haemorrhage"]


def test_reports_need_no_tensorflow():
    code = "import sys, model_training.evaluation.report; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_without_figures_is_refused(tmp_path):
    for command in (
        ["report", "--run", str(tmp_path)],
        ["report", "--run", str(tmp_path), "--scenario", str(SCENARIOS)],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2
        assert "was not evaluated" in result.output
    (tmp_path / "evaluation.json").write_text("{", encoding="utf-8")
    with pytest.raises(UnusableInputError, match="cannot be read"):
        write_report(tmp_path)
    (tmp_path / "evaluation.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UnusableInputError, match="holds no figures"):
        write_report(tmp_path)

"""Every sentence of the module is there in Japanese, in the file that Slicer's Qt reads."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6", reason="PySide6 cannot be imported")
from HeadCTTriageLib.server.cases import EXCLUSIONS, FINDINGS, Urgency

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import slicer_translations

from headct import wording
from headct.terms.review import Exclusion, ReviewFinding
from headct.terms.urgency import Urgency as ServersUrgency

PAIRS = [(context, text) for context, texts in slicer_translations.sentences().items() for text in texts]


def test_there_are_sentences_of_every_part() -> None:
    contexts = {context for context, _ in PAIRS}
    assert {
        "HeadCTTriage",
        "HeadCTTriageLib.server.failures",
        "HeadCTTriageLib.images.geometry",
        "HeadCTTriageLib.panel.review",
    } <= contexts
    assert len(PAIRS) > 200


def test_every_sentence_is_translated_and_nothing_else_is_in_the_file() -> None:
    known = slicer_translations.translations()
    assert [pair for pair in PAIRS if not known.get(pair)] == []
    assert [pair for pair in known if pair not in PAIRS] == []


def test_placeholders_are_those_of_the_sentence() -> None:
    def placeholders(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    wrong = [
        p for p, t in slicer_translations.translations().items() if placeholders(p[1]) != placeholders(t)
    ]
    assert wrong == []


def test_the_compiled_file_is_of_this_translation(tmp_path: Path) -> None:
    made = tmp_path / "made.qm"
    slicer_translations.release(made)
    assert made.read_bytes() == slicer_translations.TRANSLATION.with_suffix(".qm").read_bytes()


def test_no_sentence_is_built_of_pieces() -> None:
    import ast

    for script in slicer_translations.MODULE.rglob("*.py"):
        for node in ast.walk(ast.parse(script.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                assert isinstance(node.args[0], ast.Constant), f"{script.name}:{node.lineno}"


@pytest.fixture
def japanese(tmp_path: Path) -> Any:
    pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
    from qt_host import start

    app = start(tmp_path, "ja-JP")
    from HeadCTTriageLib.language import install_translation

    install_translation(app, slicer_translations.TRANSLATION.parent)
    yield app
    app.end()


def test_words_of_a_case_are_the_servers_in_japanese_too(japanese: Any) -> None:
    from HeadCTTriageLib import words

    for urgency in Urgency:
        servers = ServersUrgency[urgency.value]
        assert words.colour(urgency) == wording.colour(servers, "ja")
        assert words.machine_meaning(urgency) == wording.urgency_words(servers, "ja")
        assert words.person_meaning(urgency) == wording.urgency_words(servers, "ja", by_person=True)
    for finding in FINDINGS:
        assert words.finding(finding) == wording.review_finding_words(ReviewFinding(finding), "ja")
    for reason in EXCLUSIONS:
        assert words.exclusion(reason) == wording.exclusion_words(Exclusion(reason), "ja")
    assert words.notice() == wording.notice("ja")
    assert words.duration(3600 * 2 + 300) == "2時間05分"


def test_english_is_what_is_written(tmp_path: Path) -> None:
    pytest.importorskip("slicer", reason="slicer-core is made for Python 3.11 alone")
    from qt_host import start

    app = start(tmp_path, "en")
    from HeadCTTriageLib import words
    from HeadCTTriageLib.language import install_translation, language

    install_translation(app, slicer_translations.TRANSLATION.parent)
    assert language(app) == "en" and words.colour(Urgency.RED) == "RED"
    app.userSettings().setValue("Internationalization/Enabled", "true")
    for code, expected in (("ja", "ja"), ("ja_JP", "ja"), ("fr-FR", "en"), ("", "en")):
        app.userSettings().setValue("language", code)
        assert language(app) == expected
    app.end()

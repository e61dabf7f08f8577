"""What texts of headers say of contrast medium."""

import tomllib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.eligibility.contrast_words import Said, said_of, said_of_agent

TABLES = {
    name: [phrase.strip() for phrase in " | ".join(table.split("\n")).split("|") if phrase.strip()]
    for name, table in tomllib.loads(
        Path(__file__).with_name("contrast_phrases.toml").read_text("utf-8")
    ).items()
}
PHRASES = [
    (phrase, Said[name.upper()])
    for name in ("without", "with", "both", "perhaps", "nothing")
    for phrase in TABLES[name]
]
AGENTS = [
    (value, meaning)
    for name, meaning in (("no_agent", Said.WITHOUT), ("agent", Said.WITH), ("no_answer", Said.NOTHING))
    for value in TABLES[name]
]
SCANNER = ("Head", "5.0", "H31s", "Brain", "AXIAL", "Schädel", "頭部", "STD", "ax", "1.25mm", "Tete", "")


def test_there_are_many_in_many_languages():
    assert len(PHRASES) > 450
    assert len(set(PHRASES)) == len(PHRASES)


@pytest.mark.parametrize(("phrase", "meaning"), PHRASES, ids=[p for p, _ in PHRASES])
def test_phrases(phrase, meaning):
    assert said_of(phrase) is meaning


@pytest.mark.parametrize(("value", "meaning"), AGENTS, ids=[a for a, _ in AGENTS])
def test_agents(value, meaning):
    assert said_of_agent(value) is meaning


def test_an_empty_agent_says_nothing():
    assert said_of_agent("") is said_of_agent(" -- ") is Said.NOTHING


@given(st.sampled_from(PHRASES), st.sampled_from(["lower", "upper", "wide", "decomposed", "underscores"]))
def test_spelling_does_not_matter(case, spelling):
    phrase, meaning = case
    match spelling:
        case "lower":
            phrase = phrase.lower()
        case "upper":
            phrase = phrase.upper()
        case "wide":
            phrase = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in phrase)
        case "decomposed":
            phrase = unicodedata.normalize("NFD", phrase)
        case "underscores":
            phrase = phrase.replace(" ", "_")
    assert said_of(phrase) is meaning


@given(
    st.sampled_from([(p, m) for p, m in PHRASES if m in {Said.WITH, Said.WITHOUT}]), st.sampled_from(SCANNER)
)
def test_words_of_the_scanner_before_it_do_not_matter(case, word):
    phrase, meaning = case
    assert said_of(f"{word} {phrase}") is meaning


@settings(max_examples=50)
@given(st.text(max_size=64))
def test_any_text_has_an_answer(text):
    assert said_of(text) in Said
    assert said_of_agent(text) in Said


def test_what_went_into_the_bowel_brightens_no_vessel():
    assert said_of_agent("OMNIPAQUE 300", by_mouth=True) is Said.NOTHING
    assert said_of_agent("Gastrografin oral") is Said.NOTHING
    assert said_of_agent("ORAL & IV") is Said.WITH

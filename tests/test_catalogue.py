"""The catalogue of words is whole, and as the sources are; `make words` brings it up to date."""

import ast
import gettext
import io
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from places import ROOT

from headct.language import DOMAIN, LANGUAGES, LOCALE, Phrase, _, pgettext, read_back

OTHERS = sorted(set(LANGUAGES) - {"en"})


def catalogue(language: str) -> Catalog:
    return read_po(io.BytesIO((LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po").read_bytes()), language)


@pytest.fixture(scope="module")
def in_sources() -> set[tuple[str | None, str]]:
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    return {
        (context, message)
        for folder in ("headct", "orthanc_plugin")
        for *_, message, _, context in extract_from_dir(ROOT / folder, methods, options)
    }


def figures(message: str) -> list[tuple[str, str | None]]:
    """The figures of a message with how they are written, in any order."""
    return sorted((name, how) for _, name, how, _ in Formatter().parse(message) if name is not None)


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_of_the_sources_has_words_and_no_other(
    language: str, in_sources: set[tuple[str | None, str]]
) -> None:
    messages = [message for message in catalogue(language) if message.id]
    assert {(message.context, message.id) for message in messages} == in_sources
    assert [message.id for message in messages if not message.string or message.fuzzy] == []


@pytest.mark.parametrize("language", OTHERS)
def test_languages_give_the_same_figures(language: str) -> None:
    for message in catalogue(language):
        if message.id:
            assert figures(message.string) == figures(message.id), message.id


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    assert (LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.mo").read_bytes() == compiled.getvalue()


def test_figures_of_records_are_plain_so_that_they_can_be_read_back(
    in_sources: set[tuple[str | None, str]],
) -> None:
    details = [message for context, message in in_sources if context == "detail"]
    assert details
    for message in details:
        named = dict(figures(message))
        assert not any(named.values()), message
        said = message.format(**{name: f"<{name}>" for name in named})
        assert read_back(said) == Phrase(message, {name: f"<{name}>" for name in named}, "detail")
        assert read_back(said).say() == said


def test_no_record_is_made_of_bare_english() -> None:
    bare = (ast.Constant, ast.JoinedStr)
    for path in sorted(p for folder in ("headct", "orthanc_plugin") for p in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Reason", "BundleError"}:
                assert not any(isinstance(given, bare) for given in node.args), f"{path}:{node.lineno}"


def test_a_record_of_another_release_is_shown_as_it_is() -> None:
    for language in LANGUAGES:
        assert read_back("something {odd} of old").say(language) == "something {odd} of old"


def test_figures_are_said_in_the_same_language() -> None:
    phrase = _(
        "{name} is refused: {why}.",
        name="x-1",
        why=pgettext("detail", "{folder} has no model card", folder="x-1"),
    )
    assert phrase.say("en") == str(phrase) == "x-1 is refused: x-1 has no model card."
    assert phrase.say("ja") == "x-1 は使用できません（x-1 にモデルカードがありません）。"
    assert _("{count} s", count=lambda language: language).say("ja") == "ja秒"


def test_the_tools_of_gettext_read_it_too() -> None:
    assert gettext.translation(DOMAIN, LOCALE, ["ja"]).gettext("Worklist") == "ワークリスト"

"""What a text of a header says of contrast medium, in the languages of hospitals and of scanners' makers.

Each word of the text gets its roles in a sentence (``contrast_words.toml``); a few patterns over the roles
tell *no IV contrast* from *IV contrast*, and *with and without* from both.
"""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from enum import Enum, auto
from functools import cache, lru_cache
from importlib.resources import files


class Said(Enum):
    """What is said of contrast medium."""

    NOTHING = auto()
    WITHOUT = auto()
    WITH = auto()
    """Plainly."""
    PERHAPS = auto()
    """By a word that mostly goes with it, or against another word."""
    BOTH = auto()
    """With and without, as of a study of two series."""


_ROLES = {
    "without": "n", "not": "a", "lacks": "x", "with": "w", "between": "f", "medium": "T", "short": "t",
    "agent": "G", "native": "N", "enhanced": "E", "perhaps": "p", "join": "j", "other": "o", "oral": "r",
    "with_what": "v",
}  # fmt: skip
"""The letter of each table."""
_MINUS, _PLUS, _ADDED, _EITHER = "⊖", "⊕", "＋", "±"
_SIGNS = {_MINUS: "m", _PLUS: "s", _ADDED: "q", _EITHER: "b"}
_DASHES = re.compile("[‐‑‒–—―−]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_LETTERS = str.maketrans("ØŁĐÆŒ", "OLDEE")
_CJK = "[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_LONGEST = 4
"""Words in an entry of the tables."""


def _role(letters: str) -> str:
    return rf"<\w*[{letters}]\w*>"


_MEDIUM = _role("Tt")
_ANY_MEDIUM = f"(?:{_role('frj')}){{0,3}}(?:{_role('TtG')})+"
_BOTH = re.compile(
    f"{_role('w')}(?:{_role('T')})?(?:{_role('jq')})?{_role('n')}"
    f"|{_role('n')}(?:{_role('T')})?{_role('jq')}{_role('w')}"
    f"|{_MEDIUM}{_role('b')}|{_role('b')}{_MEDIUM}"
)
_WITHOUT = re.compile(
    f"{_role('na')}{_ANY_MEDIUM}|{_MEDIUM}(?:{_role('f')})*{_role('xm')}|{_role('m')}{_MEDIUM}|{_role('nN')}"
)
_WITH = re.compile(
    f"{_role('wq')}{_ANY_MEDIUM}|{_MEDIUM}{_role('s')}|{_MEDIUM}{_role('q')}(?=<9>|$)|{_role('TGE')}"
)
_PERHAPS = re.compile(f"{_role('p')}|{_role('v')}$")


@lru_cache(maxsize=256)
def said_of(text: str) -> Said:
    """What the name of a series, protocol or study says."""
    return _said(_tokens(text))


@lru_cache(maxsize=256)
def said_of_agent(text: str, *, by_mouth: bool = False) -> Said:
    """What the attribute for the agent says: any name in it is that of an agent.

    Args:
        text: its value.
        by_mouth: another attribute says that it came into stomach or bowel alone.
    """
    tokens = _tokens(text)
    value = " ".join(tokens)
    if not re.search(r"\w", value) or value in _values("agent_no_answer"):
        return Said.NOTHING
    if value in _values("agent_none") or not value.strip("0 .ML"):
        return Said.WITHOUT
    said = _said(tokens)
    if value not in _values("agent_given") and said in (Said.WITHOUT, Said.BOTH):
        return said
    return Said.NOTHING if by_mouth or into_the_bowel(text) else Said.WITH


def into_the_bowel(text: str) -> bool:
    """Whether an agent or a route is one of stomach or bowel alone; it brightens no vessel."""
    tokens = _tokens(text)
    return not {"IV", "I/V"} & set(tokens) and any("r" in _roles(token) for token in tokens)


def _said(tokens: Sequence[str]) -> Said:
    sentence = "".join(f"<{_roles(token)}>" for token in tokens)
    if _BOTH.search(sentence):
        return Said.BOTH
    rest, negations = _WITHOUT.subn("<o>", sentence)
    if _WITH.search(rest):
        return Said.BOTH if negations else Said.WITH
    if negations:
        return Said.WITHOUT
    return Said.PERHAPS if _PERHAPS.search(rest) else Said.NOTHING


def _plain(text: str) -> str:
    """One spelling: upper case, half width, no accents; signs that mean something, each a word."""
    spelt = unicodedata.normalize("NFKD", _DASHES.sub("-", unicodedata.normalize("NFKC", text)))
    spelt = unicodedata.normalize("NFC", _ACCENTS.sub("", spelt)).casefold().upper().translate(_LETTERS)
    spelt = re.sub(r"\b([^\W\d_])\.(?=[^\W\d_]\b)", r"\1", spelt.replace("_", " "))  # I.V. is IV
    spelt = re.sub(r"\bNO(?:\. ?)?(?=\d)", "NUMBER ", spelt)
    spelt = re.sub(r"±|\+ ?/ ?-|- ?/ ?\+", f" {_EITHER} ", spelt)
    for sign, mark in (("-", _MINUS), (r"\+", _PLUS)):
        # In brackets, right behind a word, or at the end: "(-)", "C- 5.0", "contrast: -".
        spelt = re.sub(rf"[(\[] ?{sign}+ ?[)\]]|(?<=\w){sign}+(?![\w(\-+])|{sign}+ *$", f" {mark} ", spelt)
    spelt = re.sub(r"(?:^|(?<=\s))-(?=[^\W\d])", f" {_MINUS} ", spelt).replace("+", f" {_ADDED} ")
    return re.sub(f"(?<={_CJK})(?!{_CJK})|(?<!{_CJK})(?={_CJK})", " ", spelt)


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[str, ...]:
    """The words and signs of a text, those that belong together joined by a blank."""
    found: list[str] = []
    words = [part for word in re.findall(r"\w+(?:/\w*)*|[⊖⊕＋±&]", _plain(text)) for part in _parts(word)]
    while words:
        size = next((n for n in range(_LONGEST, 1, -1) if _known(" ".join(words[:n]))), 1)
        found.append(" ".join(words[:size]))
        del words[:size]
    return tuple(found)


def _parts(word: str) -> list[str]:
    """A word divided at its slashes and, where it has no blanks by nature, into those that are known."""
    if re.match(_CJK, word):
        return [w for w in _asian_words().findall(word) if w]
    if "/" not in word or _roles(word) != "o":
        return [word]
    pieces = word.split("/")
    slashed = [p + "/" if k < len(pieces) - 1 and _roles(p + "/") != "o" else p for k, p in enumerate(pieces)]
    return [p for p in slashed if p]


@cache
def _table() -> dict[str, list[str]]:
    """Every list of words, spelt as texts are."""
    raw = tomllib.loads(files(__package__).joinpath("contrast_words.toml").read_text("utf-8"))
    return {name: [w for words in of.values() for w in words] for name, of in raw.items()}


@cache
def _vocabulary() -> tuple[dict[str, str], dict[str, str]]:
    """Roles of whole words, and of beginnings of words."""
    whole: dict[str, str] = {}
    beginnings: dict[str, str] = {}
    for name, role in _ROLES.items():
        for word in _table()[name]:
            into, key = (beginnings, word[:-1]) if word.endswith("*") else (whole, word)
            spelt = " ".join(re.findall(r"[\w/&]+", _plain(key)))
            into[spelt] = into.get(spelt, "") + role
    return whole, beginnings


@cache
def _values(table: str) -> frozenset[str]:
    return frozenset(" ".join(_tokens(value)) for value in _table()[table])


@cache
def _asian_words() -> re.Pattern[str]:
    whole, beginnings = _vocabulary()
    known = sorted((w for w in (*whole, *beginnings) if re.match(_CJK, w)), key=len, reverse=True)
    words = "|".join(map(re.escape, known))
    return re.compile(f"{words}|(?:(?!{words}).)+")


@cache
def _beginnings_of_several() -> tuple[str, ...]:
    return tuple(b for b in _vocabulary()[1] if " " in b)


def _known(phrase: str) -> bool:
    return phrase in _vocabulary()[0] or phrase.startswith(_beginnings_of_several())


@lru_cache(maxsize=4096)
def _roles(word: str) -> str:
    """The roles of a word, by the longest beginning that is known; ``9`` of a number, ``o`` of any other."""
    if word in _SIGNS:
        return _SIGNS[word]
    whole, beginnings = _vocabulary()
    if word in whole:
        return whole[word]
    for size in range(len(word), 1, -1):
        if word[:size] in beginnings:
            return beginnings[word[:size]]
    return "9" if word[0].isdigit() else "o"

"""Whole heads damaged in every way that :mod:`damage` knows, judged in both orders of arrival.

What must not be: an alert of the whole that the damaged series hides without a word.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from damage import Damage, cuts, damages
from edits import thinned
from numpy.typing import NDArray
from places import ROOT
from whole_heads import WholeHead, generated_heads, real_folders, real_head

from headct.errors import NotAnalysedError
from headct.images.anatomy import Levels, levels
from headct.images.coverage import covered
from headct.images.reading import load_series
from headct.network.bundle import default_bundle, load_bundle
from headct.network.classifier import Classifier
from headct.network.preprocessing import HeadVolume
from headct.pipeline import assess
from headct.reasons import ReasonCode
from headct.terms.assessment import State

ALERTS = ("RED", "BLACK")
WHOLE = "whole"
ANSWERS = ROOT / "build" / "soak" / "answers.jsonl"
"""What was judged before, by content and code: a run that was broken off goes on."""
SAMPLE = 7
"""Every seventh real series, unless all are wanted."""
THIN = 4
"""Slices made of each one of a head whose thin variant is damaged too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of a series."""

    said: str
    """The urgency, or why there is none."""
    cautions: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        return self.said.isupper()


class _Remembering(Classifier):
    """Looks at the same volume once."""

    def __init__(self) -> None:
        super().__init__(load_bundle(default_bundle()))
        self.seen: dict[bytes, list[NDArray[Any]]] = {}

    def looks(self, volume: HeadVolume) -> Iterator[NDArray[Any]]:
        key = hashlib.sha256(volume.hu.tobytes() + volume.slab_heights_mm.tobytes()).digest()
        if key not in self.seen:
            self.seen[key] = list(super().looks(volume))
        return iter(self.seen[key])


class Judge:
    """Answers, remembered on disk."""

    def __init__(self) -> None:
        self.classifier = _Remembering()
        self._code = hashlib.sha256()
        for path in sorted((ROOT / "headct").rglob("*")):
            if path.suffix in {".py", ".toml"}:
                self._code.update(path.read_bytes())
        self._known: dict[str, Answer] = {}
        if ANSWERS.exists():
            for line in ANSWERS.read_text().splitlines():
                key, said, cautions = json.loads(line)
                self._known[key] = Answer(said, tuple(cautions))
        ANSWERS.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, files: Sequence[bytes]) -> Answer:
        """Ask the pipeline."""
        content = self._code.copy()
        for file in files:
            content.update(hashlib.sha256(file).digest())
        key = content.hexdigest()
        if key not in self._known:
            found = self._known[key] = self._asked(files)
            with ANSWERS.open("a") as known:
                known.write(json.dumps([key, found.said, found.cautions]) + "\n")
        return self._known[key]

    def _asked(self, files: Sequence[bytes]) -> Answer:
        outcome = assess(list(files), self.classifier).outcome
        if outcome.assessment is not None:
            return Answer(outcome.assessment.urgency.name, outcome.assessment.cautions)
        assert outcome.reason is not None
        if outcome.state is State.FAILED:
            return Answer(f"failed: {outcome.reason.detail}")
        detail = outcome.reason.detail.split(":")[0] if outcome.reason.detail else ""
        words = "".join(c for c in detail if not c.isdigit()).strip()
        return Answer(outcome.reason.code.value + (f" ({words})" if words else ""))


@dataclass(slots=True)
class Row:
    """One group of damage over all heads."""

    said: Counter[str] = field(default_factory=Counter)
    green_with_blood: int = 0
    """Of them, how many are GREEN when whole, is the row of the whole."""
    yellow_to_green: int = 0
    """YELLOW when whole."""
    by_order: int = 0
    """Another answer in the other order of arrival."""
    hidden_with_a_word: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def add(self, head: WholeHead, damage: Damage, whole: Answer, answers: Sequence[Answer]) -> None:
        """Count both orders as one series; the milder answer of the two, if they differ."""
        self.by_order += len({a.said for a in answers}) > 1
        found = next((a for a in answers if a.judged and a.said not in ALERTS), answers[0])
        self.said[found.said] += 1
        self.green_with_blood += found.said == "GREEN" and head.bleeds
        self.yellow_to_green += whole.said == "YELLOW" and found.said == "GREEN"
        if whole.said in ALERTS and found.judged and found.said not in ALERTS:
            told = set(found.cautions) - set(whole.cautions)
            where = f"{head.name}: {damage.group} {damage.name}: {whole.said} to {found.said}"
            if told:
                self.hidden_with_a_word.append(f"{where}, {', '.join(sorted(told))}")
            else:
                self.hidden.append(where)


def damaged_series(everything: bool = False) -> str:
    """Print the table and keep it under reports/; fail if an alert is hidden without a word."""
    judge = Judge()
    rows: dict[str, Row] = defaultdict(Row)
    for number, head in enumerate(_heads(everything)):
        whole = judge(head.files)
        _one_head(judge, rows, head, whole)
        print(f"{number + 1} {head.name}: {whole.said}", flush=True)
        judge.classifier.seen.clear()
    text = _table(rows)
    print(text, flush=True)
    report = ROOT / "reports" / "damaged-series.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(text)
    hidden = [line for row in rows.values() for line in row.hidden]
    assert not hidden, f"{len(hidden)} damaged series hide an alert without a word, such as {hidden[0]}"
    count = sum(sum(row.said.values()) for row in rows.values())
    return f"{count} series, each in two orders; no alert hidden without a word; table in {report}"


def _heads(everything: bool) -> Iterator[WholeHead]:
    folders = real_folders()
    chosen = folders if everything else folders[3::SAMPLE]
    for number, folder in enumerate(chosen):
        head = real_head(folder)
        yield head
        if number % SAMPLE == 0:
            yield _thin(head)
    for head in generated_heads(range(1, 4 if everything else 2)):
        yield head
        if head.name.startswith("generated/epidural"):
            yield _thin(head)


def _thin(head: WholeHead) -> WholeHead:
    files = thinned(head.files, THIN)
    blood = [head.blood[min(k // THIN, len(head.blood) - 1)] for k in range(len(files))]
    return WholeHead(f"{head.name}, thin", tuple(files), tuple(blood))


def _one_head(judge: Judge, rows: dict[str, Row], head: WholeHead, whole: Answer) -> None:
    count = len(head.files)
    rows[WHOLE].add(head, Damage(WHOLE, "", list), whole, [whole])
    for damage, answer in _cut(judge, head):
        rows[damage.group].add(head, damage, whole, [answer])
    for damage in damages(seed=count, count=count):
        damaged = damage.files(list(head.files))
        answers = [judge(damaged), judge(damaged[::-1])]
        rows[damage.group].add(head, damage, whole, answers)


def _cut(judge: Judge, head: WholeHead) -> Iterable[tuple[Damage, Answer]]:
    """Cut at every slab. Where what was measured shows that it is cut off, files are not read again."""
    try:
        series = load_series(list(head.files))
    except NotAnalysedError:
        return
    at, starts = levels(series), {slab[0] for slab in series.slabs}
    for damage in cuts(len(head.files)):
        left = damage.files(list(head.files))
        first = head.files.index(left[0])
        if (first or len(left)) not in starts:
            continue
        slabs = [k for k, slab in enumerate(series.slabs) if first <= slab[0] < first + len(left)]
        part = slice(slabs[0], slabs[-1] + 1)
        if covered(Levels(*(getattr(at, f.name)[part] for f in fields(Levels)))).complete:
            yield damage, judge(left)
        else:
            yield damage, Answer(ReasonCode.HEAD_NOT_COVERED.value)


def _table(rows: dict[str, Row]) -> str:
    titles = ["damage", "series", "GREEN", "YELLOW", "RED", "BLACK", "not judged", "GREEN with blood"]
    titles += ["YELLOW to GREEN", "by order", "alert lost, told", "alert lost, untold"]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for name, row in rows.items():
        judged = [row.said[u] for u in ("GREEN", "YELLOW", "RED", "BLACK")]
        rest = Counter({k: n for k, n in row.said.items() if not k.isupper()})
        why = ", ".join(f"{reason} {n}" for reason, n in rest.most_common())
        cells = [name, sum(row.said.values()), *judged, why, row.green_with_blood]
        cells += [row.yellow_to_green, row.by_order, len(row.hidden_with_a_word), len(row.hidden)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for title, kept in (("told", "hidden_with_a_word"), ("without a word", "hidden")):
        found = [line for row in rows.values() for line in getattr(row, kept)]
        lines += ["", f"Alerts lost, {title}: {len(found)}", *(f"- {line}" for line in found)]
    return "\n".join(lines) + "\n"

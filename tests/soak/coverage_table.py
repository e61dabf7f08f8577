"""What rules of coverage would do over whole heads and copies of them cut off at every height.

A copy cut off above is what has come of a series that is sent feet first, one cut off below of one that is
sent head first: what is accepted there is said before the rest has come.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from places import ROOT
from whole_heads import WholeHead, generated_heads, real_folders, real_head

from headct.images.anatomy import Levels, levels
from headct.images.coverage import LIMITS, Limits, covered
from headct.images.reading import load_series

RULES: dict[str, Limits] = {
    "in service": LIMITS,
    "three slabs": Limits(plain_slabs=3),
    "two, one under 0.60": Limits(base_slabs=1000),
    "two, one under 0.55": Limits(base_slabs=1000, plain_level=0.55),
    "two, one under 0.65": Limits(plain_level=0.65),
    "two": Limits(base_slabs=2),
    "two under 0.65": Limits(base_level=0.65, base_slabs=2),
    "two under 0.60": Limits(base_level=0.60, base_slabs=2),
    "one": Limits(base_slabs=1, plain_slabs=1),
    "vertex 0.35": Limits(vertex_share=0.35),
    "vertex 0.40": Limits(vertex_share=0.40),
    "vertex 0.50": Limits(vertex_share=0.50),
    "vertex 0.60": Limits(vertex_share=0.60),
}
GENERATED = "generated"
CHECKED = 40
"""One of so many cuts is made of the files too."""
LOST_SHARE = 0.2
"""Blood that a head cut off may lose and still be taken for whole, as a share of all: 0.09 is the most in
real heads, at the vertex."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One whole head."""

    source: str
    at: Levels
    blood: tuple[float, ...]
    """Of each slab."""

    def part(self, first: int, last: int) -> Levels:
        """What would have been measured of these slabs alone."""
        return _part(self.at, slice(first, last))


def coverage_table() -> str:
    """Print the table and keep it under reports/.

    Raises:
        AssertionError: the rule in service refuses a whole head, or takes one that lost blood for whole.
    """
    heads = list(_measured())
    groups = {
        "Real heads": [h for h in heads if h.source != GENERATED],
        "Generated heads": [h for h in heads if h.source == GENERATED],
    }
    titles = [
        "rule", "whole heads", "cut off below, taken", "with blood lost", "most lost", "cut off above, taken",
        "with blood lost", "most lost", "halves taken", "two slabs of base left, taken",
    ]  # fmt: skip
    lines = []
    for title, group in groups.items():
        lines += ["", f"{title}: {dict(Counter(h.source for h in group))}", ""]
        lines += ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
        for name, limits in RULES.items():
            lines.append("| " + " | ".join(map(str, [name, *_row(group, limits)])) + " |")
    text = "\n".join(lines[1:]) + "\n"
    print(text, flush=True)
    report = ROOT / "reports" / "coverage-table.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(text)
    refused = sum(not covered(h.at).complete for h in heads)
    assert not refused, f"{refused} whole heads are refused"
    worst = max((lost for h in groups["Real heads"] for _, lost in _taken(h, LIMITS)), default=0.0)
    assert worst <= LOST_SHARE, f"a head that lost {worst:.0%} of its blood is taken for whole"
    return f"{len(heads)} whole heads covered; most blood lost by a cut that is not seen: {worst:.0%}"


def _measured() -> Iterator[Measured]:
    real = (real_head(folder) for folder in real_folders())
    for number, head in enumerate([*real, *generated_heads(range(1, 3), matrix=128)]):
        series = load_series(list(head.files))
        at = levels(series)
        if number % CHECKED == 0:
            _check(head, at, series.slabs)
        blood = tuple(sum(head.blood[k] for k in slab) for slab in series.slabs)
        yield Measured(head.name.split("/")[0], at, blood)


def _check(head: WholeHead, at: Levels, slabs: tuple[tuple[int, ...], ...]) -> None:
    """Cutting what was measured is cutting the files."""
    for first, last in ((len(slabs) // 3, len(slabs)), (0, 2 * len(slabs) // 3)):
        files = [head.files[k] for slab in slabs[first:last] for k in slab]
        cut = levels(load_series(files))
        for name, values in (
            (f.name, getattr(_part(at, slice(first, last)), f.name)) for f in fields(Levels)
        ):
            assert np.array_equal(getattr(cut, name), values), f"{head.name}: {name}"


def _part(at: Levels, where: slice) -> Levels:
    return Levels(*(getattr(at, f.name)[where] for f in fields(Levels)))


def _taken(head: Measured, limits: Limits) -> Iterator[tuple[str, float]]:
    """From which end, and the share of blood lost, of each cut-off copy that counts as whole."""
    count, total = len(head.blood), sum(head.blood) or 1.0
    for k in range(1, count):
        if covered(head.part(k, count), limits).complete:
            yield "below", sum(head.blood[:k]) / total
        if covered(head.part(0, k), limits).complete:
            yield "above", sum(head.blood[k:]) / total


def _row(heads: list[Measured], limits: Limits) -> list[str]:
    cells = [f"{sum(covered(h.at, limits).complete for h in heads)} of {len(heads)}"]
    taken = [cut for h in heads for cut in _taken(h, limits)]
    for end in ("below", "above"):
        lost = [share for where, share in taken if where == end]
        cells += [f"{len(lost)}", f"{sum(share > 0 for share in lost)}", f"{max(lost, default=0.0):.0%}"]
    halves = [h.part(*part) for h in heads for part in _halves(len(h.blood))]
    short = [h.part(_second_of_base(h.at), len(h.blood)) for h in heads]
    for parts in (halves, short):
        cells.append(f"{sum(covered(part, limits).complete for part in parts)} of {len(parts)}")
    return cells


def _halves(count: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, (count + 1) // 2), (count // 2, count)


def _second_of_base(at: Levels) -> int:
    """Where a scan would begin that shows the skull base in two slabs and no more."""
    widest = int(np.argmax(np.where(at.skull > 0.5, at.brain, 0.0)))
    return int(np.flatnonzero(at.soft[:widest] < LIMITS.base_level)[-2])

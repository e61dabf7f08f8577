"""``headct-train mimics``: how often a bundle takes for blood what is none."""

import json
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.network.bundle import Bundle, load_bundle
from headct.network.classifier import Classifier
from model_training.datasets.manifest import Manifest
from model_training.mimics.bench import Pair, figures, judged_by, pairs
from model_training.mimics.classes import MIMICS, Mimic
from model_training.mimics.heads import GENERATED, REAL, generated, real, unseen
from model_training.mimics.pictures import Sheets

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
MIMICS_JSON = "mimics.json"


@click.command("mimics")
@click.option("--data", type=_EXISTING, required=True, help="Folder that `dataset` wrote.")
@click.option("--bundle", type=_EXISTING, required=True, help="Bundle to be measured.")
@click.option(
    "--generated", "count", type=click.IntRange(0), default=30, show_default=True, help="Generated heads."
)
@click.option(
    "--mimic", "names", multiple=True, type=click.Choice([m.name for m in MIMICS]), help="These alone."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Draws other mimics.")
@click.option("--out", type=_FOLDER, help="Folder for mimics.json and a sheet of pictures a class.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def mimics(
    *,
    data: Path,
    bundle: Path,
    count: int,
    names: tuple[str, ...],
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show a bundle bleed-free heads with calcium, dense vessels, artefacts, implants, infarcts and tumours.

    Real heads are bleed-free patients of DATA that the bundle never saw; generated ones are drawings. Each is
    judged with and without the mimic, none of which was in any training.
    """
    result = measured(data, bundle, count, names=names, seed=seed, out=out)
    click.echo(json.dumps(result, indent=1) if as_json else table(result))


def measured(
    data: Path,
    bundle: Path,
    count: int,
    *,
    names: tuple[str, ...] = (),
    seed: int = 0,
    out: Path | None = None,
) -> dict[str, Any]:
    """What the command prints as JSON; in ``out`` it stands from the first head on, as far as it is.

    Raises:
        UnusableInputError: there is no head to measure on.
    """
    chosen = tuple(m for m in MIMICS if not names or m.name in names)
    loaded = load_bundle(bundle)
    patients, left_out = unseen(Manifest.read(data), loaded)
    judge, sheets, found = judged_by(Classifier(loaded)), Sheets(), list[Pair]()
    heads = chain(real(data, patients), generated(count))
    for head in tqdm(heads, desc="mimics", unit="head", total=len(patients) + count):
        found += pairs(head, judge, chosen, seed, sheets)
        if out and found:
            sheets.write(out)
            text = json.dumps(_result(loaded, found, chosen, seed, left_out), indent=1) + "\n"
            (out / MIMICS_JSON).write_text(text, encoding="utf-8")
    if not found:
        raise UnusableInputError(f"{data} has no bleed-free head that {bundle.name} never saw")
    return _result(loaded, found, chosen, seed, left_out)


def _result(
    bundle: Bundle, found: Sequence[Pair], chosen: Sequence[Mimic], seed: int, left_out: dict[str, int]
) -> dict[str, Any]:
    return {
        "bundle": f"{bundle.contents.name} {bundle.contents.version}",
        "seed": seed,
        "heads": {k: len({p.head for p in found if p.kind == k}) for k in (REAL, GENERATED)},
        "left_out": left_out,
        "classes": figures(found, chosen),
        "pairs": [
            {
                "head": p.head,
                "kind": p.kind,
                "mimic": p.mimic,
                "flagged": p.with_it.flagged,
                "flagged_without": p.without.flagged,
                "score": round(p.with_it.score, 3),
                "score_without": round(p.without.score, 3),
            }
            for p in found
        ],
    }


def table(result: dict[str, Any]) -> str:
    """The figures as text."""
    head = ["class", "heads", "flagged", "without", "newly", "difference", "alert"]
    rows = [head]
    for row in result["classes"]:
        for kind in (REAL, GENERATED):
            f = row[kind]
            if f["flagged"]["of"]:
                d = f["difference"]
                rows.append(
                    [
                        row["words"],
                        kind,
                        *(_share(f[name]) for name in ("flagged", "flagged_without", "newly_flagged")),
                        f"{d['value']:+.2f} ({d['low']:+.2f} to {d['high']:+.2f})",
                        _share(f["alert"]),
                    ]
                )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    heads = result["heads"]
    about = (
        f"{result['bundle']}: {heads[REAL]} bleed-free patients it never saw, {heads[GENERATED]} generated"
        " heads, each with and without."
    )
    return "\n".join([about, *lines])


def _share(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "none"
    return f"{figure['count']:g} of {figure['of']} ({figure['low']:.2f} to {figure['high']:.2f})"
